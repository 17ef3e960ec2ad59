#include "carya/core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <stdexcept>
#include <vector>

namespace carya {
namespace {

TEST(ParallelFor, VisitsEachIndexOnceInFixedBlocks) {
  for (size_t threads : {1, 2, 8}) {
    const ThreadLimit limit(threads);
    for (size_t n : {0, 1, 7, 8, 9, 100}) {
      std::vector<std::atomic<int>> visits(n);
      parallel_for(0, n, 8, [&](size_t first, size_t last) {
        EXPECT_EQ(first % 8, 0u);
        EXPECT_LE(last - first, 8u);
        for (size_t i = first; i < last; ++i) ++visits[i];
      });
      for (const auto& count : visits) EXPECT_EQ(count, 1);
    }
  }
}

TEST(ParallelFor, PassesAnExceptionOn) {
  EXPECT_THROW(parallel_for(0, 100, 1,
                            [](size_t first, size_t) {
                              if (first == 50) throw std::runtime_error("50");
                            }),
               std::runtime_error);
}

TEST(ThreadLimit, HoldsForItsLife) {
  {
    const ThreadLimit limit(1);
    EXPECT_EQ(n_threads(), 1u);
  }
  EXPECT_GE(n_threads(), 1u);
}

}  // namespace
}  // namespace carya
