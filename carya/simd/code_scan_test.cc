#include "carya/simd/code_scan.h"

#include <gtest/gtest.h>

#include <vector>

#include "carya/core/rng.h"

namespace carya {
namespace {

struct Codes {
  Codes(size_t n, size_t n_parts) : n_parts(n_parts) {
    Rng rng(/*seed=*/n, /*stream=*/n_parts);
    n_blocks = (n + kCodesPerBlock - 1) / kCodesPerBlock;
    blocks.resize(n_blocks * block_bytes(n_parts));
    for (size_t i = 0; i < n; ++i) {
      numbers.emplace_back(n_parts);
      for (uint8_t& x : numbers.back()) x = static_cast<uint8_t>(rng.below(16));
      store_code(numbers.back(), i, blocks.data());
    }
    tables.resize(16 * padded_parts(n_parts));
    for (size_t i = 0; i < 16 * n_parts; ++i) tables[i] = static_cast<uint8_t>(rng.below(256));
  }
  size_t n_parts, n_blocks;
  std::vector<std::vector<uint8_t>> numbers;
  std::vector<uint8_t> blocks, tables;
};

TEST(CodeScan, WhatIsStoredIsLoaded) {
  for (const size_t n_parts : {1, 2, 5, 16, 33}) {
    const Codes codes(100, n_parts);
    std::vector<uint8_t> numbers(n_parts);
    for (size_t i = 0; i < 100; ++i) {
      load_code(codes.blocks.data(), i, numbers);
      EXPECT_EQ(numbers, codes.numbers[i]);
    }
    Codes changed = codes;
    store_code(codes.numbers[7], 40, changed.blocks.data());
    load_code(changed.blocks.data(), 40, numbers);
    EXPECT_EQ(numbers, codes.numbers[7]);
    load_code(changed.blocks.data(), 56, numbers);  // the other half of the same bytes
    EXPECT_EQ(numbers, codes.numbers[56]);
  }
}

TEST(CodeScan, SumsAreExact) {
  for (const size_t n_parts : {1, 2, 3, 4, 5, 7, 8, 16, 31, 64, 256}) {
    for (const size_t n : {1, 31, 32, 33, 100}) {
      const Codes codes(n, n_parts);
      std::vector<uint16_t> sums(codes.n_blocks * kCodesPerBlock);
      sum_codes(codes.blocks.data(), codes.n_blocks, n_parts, codes.tables.data(), sums.data());
      for (size_t i = 0; i < n; ++i) {
        uint32_t sum = 0;
        for (size_t part = 0; part < n_parts; ++part) {
          sum += codes.tables[16 * part + codes.numbers[i][part]];
        }
        ASSERT_EQ(sums[i], sum) << n_parts << " parts, code " << i;
      }
    }
  }
}

TEST(CodeScan, TheLargestSumsDoNotOverflow) {
  const Codes codes(32, kMaxParts);
  const std::vector<uint8_t> tables(16 * kMaxParts, 255);
  std::vector<uint16_t> sums(32);
  sum_codes(codes.blocks.data(), 1, kMaxParts, tables.data(), sums.data());
  for (const uint16_t sum : sums) EXPECT_EQ(sum, 255 * kMaxParts);
}

TEST(CodeScan, SelectsWhatIsAtMostTheLimit) {
  Rng rng(/*seed=*/3);
  for (const size_t n : {0, 1, 7, 31, 32, 33, 64, 1000}) {
    std::vector<uint16_t> values(n);
    for (uint16_t& x : values) x = static_cast<uint16_t>(rng.below(65'536));
    for (const uint16_t limit : {0, 1000, 32'768, 65'535}) {
      std::vector<uint32_t> found(n), expected;
      for (uint32_t i = 0; i < n; ++i) {
        if (values[i] <= limit) expected.push_back(i);
      }
      found.resize(select_at_most(values.data(), n, limit, found.data()));
      EXPECT_EQ(found, expected);
    }
  }
}

TEST(CodeScan, ByteCodesSumAlike) {
  for (const size_t n : {1, 3, 4, 9}) {
    for (const size_t n_parts : {1, 8, 16}) {
      Rng rng(/*seed=*/n, /*stream=*/n_parts);
      std::vector<uint8_t> codes(n * n_parts);
      std::vector<float> tables(256 * n_parts), sums(n);
      for (uint8_t& x : codes) x = static_cast<uint8_t>(rng.below(256));
      for (float& x : tables) x = static_cast<float>(rng.uniform());
      sum_byte_codes(codes.data(), n, n_parts, tables.data(), sums.data());
      for (size_t i = 0; i < n; ++i) {
        float sum = 0;
        for (size_t part = 0; part < n_parts; ++part) {
          sum += tables[256 * part + codes[i * n_parts + part]];
        }
        EXPECT_EQ(sums[i], sum);
      }
    }
  }
}

TEST(CodeScan, TablesBecomeBytesAsTheFormulaSays) {
  for (const size_t n_parts : {1u, 3u, 50u}) {
    std::vector<float> a(16 * n_parts), b(16 * n_parts), sums(16 * n_parts), lowest(n_parts);
    Rng rng(n_parts);
    for (float& x : a) x = static_cast<float>(rng.normal());
    for (float& x : b) x = static_cast<float>(rng.normal());
    const float widest = add_tables(a.data(), b.data(), n_parts, sums.data(), lowest.data());
    float expected_widest = 0;
    for (size_t part = 0; part < n_parts; ++part) {
      float low = 1e30f, high = -1e30f;
      for (size_t i = 16 * part; i < 16 * (part + 1); ++i) {
        EXPECT_EQ(sums[i], a[i] + b[i]);
        low = std::min(low, sums[i]);
        high = std::max(high, sums[i]);
      }
      EXPECT_EQ(lowest[part], low);
      expected_widest = std::max(expected_widest, high - low);
    }
    EXPECT_EQ(widest, expected_widest);
    std::vector<uint8_t> bytes(16 * n_parts);
    for (const float step : {widest / 255, widest / 1000, 10.0f}) {
      tables_to_bytes(sums.data(), lowest.data(), n_parts, step, bytes.data());
      for (size_t i = 0; i < bytes.size(); ++i) {
        const float steps = std::min((sums[i] - lowest[i / 16]) / step, 255.0f);
        EXPECT_LE(std::abs(static_cast<float>(bytes[i]) - steps), 0.501f) << i;
      }
    }
  }
}

}  // namespace
}  // namespace carya
