#include "apps/server/response_cache.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace carya {
namespace {

HttpResponse response(size_t bytes, char fill = 'x') {
  return {200, "text/plain", std::make_shared<std::string>(bytes, fill), {}};
}

TEST(ResponseCacheTest, ForgetsTheLongestUnused) {
  ResponseCache cache(10'000);
  cache.keep("a", response(1000));
  cache.keep("b", response(1000));
  EXPECT_EQ(cache.find("a")->body->size(), 1000U);
  for (char c = 'c'; c <= 'g'; ++c) cache.keep(std::string(1, c), response(1000));
  EXPECT_TRUE(cache.find("a"));
  EXPECT_FALSE(cache.find("b"));
  EXPECT_LE(cache.bytes(), 10'000U);
}

TEST(ResponseCacheTest, WhatIsTooLargeIsNotKept) {
  ResponseCache cache(10'000);
  cache.keep("small", response(100));
  cache.keep("large", response(9000));
  EXPECT_FALSE(cache.find("large"));
  EXPECT_TRUE(cache.find("small"));
}

TEST(ResponseCacheTest, ThreadsMayShareIt) {
  ResponseCache cache(50'000);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&cache] {
      for (int i = 0; i < 2000; ++i) {
        const std::string key = std::to_string(i % 97);
        if (const auto found = cache.find(key)) {
          EXPECT_EQ(found->body->front(), key.front());
        } else {
          cache.keep(key, response(500, key.front()));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(cache.bytes(), 50'000U);
}

}  // namespace
}  // namespace carya
