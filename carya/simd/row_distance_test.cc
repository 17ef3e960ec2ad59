#include "carya/simd/row_distance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <span>
#include <vector>

#include "carya/core/rng.h"

namespace carya {
namespace {

// Numbers that a format holds exactly, and their row.
struct Row {
  std::vector<double> numbers;
  std::vector<std::byte> bytes;
};

Row random_row(RowFormat format, Metric metric, size_t dim, Rng& rng) {
  const bool l2 = metric == Metric::kSquaredL2;
  Row row{std::vector<double>(dim), std::vector<std::byte>(row_bytes(format, dim))};
  if (format == RowFormat::kInt4 && !l2) std::ranges::fill(row.bytes, std::byte{0x88});
  const size_t half = (dim + 1) / 2;
  for (size_t i = 0; i < dim; ++i) {
    if (format == RowFormat::kInt8) {
      const int x = l2 ? static_cast<int>(rng.below(128)) : static_cast<int>(rng.below(255)) - 127;
      row.numbers[i] = x;
      row.bytes[i] = static_cast<std::byte>(x);
    } else if (format == RowFormat::kInt4) {
      const int x = static_cast<int>(l2 ? rng.below(16) : rng.below(15) + 1);  // as it is stored
      row.numbers[i] = l2 ? x : x - 8;
      std::byte& byte = row.bytes[i < half ? i : i - half];
      const auto high = i < half ? 0 : 4;
      byte = (byte & ~(std::byte{15} << high)) | static_cast<std::byte>(x) << high;
    } else {
      auto bits = std::bit_cast<uint32_t>(static_cast<float>(rng.normal()));
      if (format == RowFormat::kBf16) bits &= 0xffff0000u;
      row.numbers[i] = std::bit_cast<float>(bits);
      const size_t width = format == RowFormat::kBf16 ? 2 : 4;
      std::memcpy(row.bytes.data() + i * width, reinterpret_cast<char*>(&bits) + 4 - width, width);
    }
  }
  return row;
}

// What a kernel takes as a query: floats in place of bf16.
std::vector<std::byte> query_bytes(RowFormat format, const Row& row) {
  if (format != RowFormat::kBf16) return row.bytes;
  std::vector<float> floats(row.bytes.size() / 2);
  std::ranges::copy(row.numbers, floats.begin());
  const auto bytes = std::as_bytes(std::span(floats));
  return {bytes.begin(), bytes.end()};
}

class EveryRowFormat : public ::testing::TestWithParam<std::tuple<RowFormat, Metric>> {
 protected:
  ~EveryRowFormat() override { hwy::SetSupportedTargetsForTest(0); }
};
INSTANTIATE_TEST_SUITE_P(RowDistance, EveryRowFormat,
                         ::testing::Combine(::testing::Values(RowFormat::kF32, RowFormat::kBf16,
                                                              RowFormat::kInt8, RowFormat::kInt4),
                                            ::testing::Values(Metric::kSquaredL2,
                                                              Metric::kInnerProduct)));

TEST_P(EveryRowFormat, FollowsTheDefinitionOnEveryInstructionSet) {
  const auto [format, metric] = GetParam();
  const bool exact = format == RowFormat::kInt8 || format == RowFormat::kInt4;
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    const RowKernel kernel = row_kernel(format, metric);
    for (size_t dim : {1, 2, 3, 31, 63, 64, 65, 100, 127, 128, 129, 200, 784}) {
      Rng rng(dim);
      const size_t stride = row_bytes(format, dim);
      EXPECT_EQ(stride % kRowAlignment, 0u);
      std::vector<Row> rows;
      std::vector<std::byte> all;
      for (size_t r = 0; r < 7; ++r) {
        rows.push_back(random_row(format, metric, dim, rng));
        all.insert(all.end(), rows.back().bytes.begin(), rows.back().bytes.end());
      }
      const Row query = random_row(format, metric, dim, rng);
      const std::vector<std::byte> prepared = query_bytes(format, query);
      const std::vector<uint32_t> ids = {6, 0, 3, 3, 5, 1, 2, 4, 0};
      for (size_t n = 0; n <= ids.size(); ++n) {
        std::vector<float> out(n + 1, 7.0f);
        kernel(prepared.data(), all.data(), stride, dim, ids.data(), n, out.data());
        EXPECT_EQ(out[n], 7.0f) << "written past the end";
        for (size_t i = 0; i < n; ++i) {
          double expected = 0, size = 0;
          for (size_t j = 0; j < dim; ++j) {
            const double q = query.numbers[j], x = rows[ids[i]].numbers[j];
            expected += metric == Metric::kSquaredL2 ? (q - x) * (q - x) : -q * x;
            size += metric == Metric::kSquaredL2 ? (q - x) * (q - x) : std::abs(q * x);
          }
          // Floats: dim + 2 roundings of what is added.
          const double rounding = std::ldexp(static_cast<double>(dim + 2) * size, -24);
          if (exact) {
            ASSERT_EQ(out[i], static_cast<float>(expected)) << dim << " " << i;
          } else {
            ASSERT_NEAR(out[i], expected, rounding) << dim << " " << i;
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace carya
