#include "carya/simd/bit_rows.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cstddef>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

// Rows of few, half and many ones, and the two that have none or all.
Matrix<float> random_bits(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> rows(n, dim);
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) {
    for (float& x : rows.row(i)) x = rng.below(6) < i % 7 ? 1.0f : 0.0f;
  }
  return rows;
}

class EveryBinaryMetric : public ::testing::TestWithParam<Metric> {
 protected:
  ~EveryBinaryMetric() override { hwy::SetSupportedTargetsForTest(0); }
};
INSTANTIATE_TEST_SUITE_P(Bits, EveryBinaryMetric,
                         ::testing::Values(Metric::kHamming, Metric::kJaccard),
                         [](const auto& info) { return std::string(metric_name(info.param)); });

TEST_P(EveryBinaryMetric, FollowsTheDefinitionOnEveryInstructionSet) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    const RowKernel kernel = row_kernel(RowFormat::kBits, GetParam());
    for (size_t dim : {1, 7, 8, 9, 63, 64, 65, 511, 512, 513, 1024, 1025, 20'000}) {
      const Matrix<float> rows = random_bits(8, dim, dim), queries = random_bits(7, dim, dim + 1);
      const Matrix<std::byte> packed = packed_rows(rows), packed_queries = packed_rows(queries);
      const std::vector<uint32_t> ids = {6, 0, 3, 3, 5, 1, 2, 4, 0, 7};
      for (size_t q = 0; q < queries.rows(); ++q) {
        for (size_t n = 0; n <= ids.size(); ++n) {
          std::vector<float> out(n + 1, 7.0f);
          kernel(packed_queries.row_data(q), packed.data(), packed.cols(), dim, ids.data(), n,
                 out.data());
          EXPECT_EQ(out[n], 7.0f) << "written past the end";
          for (size_t i = 0; i < n; ++i) {
            size_t differing = 0, both = 0, either = 0;
            for (size_t j = 0; j < dim; ++j) {
              const bool a = queries(q, j) == 1, b = rows(ids[i], j) == 1;
              differing += a != b;
              both += a && b;
              either += a || b;
            }
            if (GetParam() == Metric::kHamming) {
              ASSERT_EQ(out[i], static_cast<float>(differing)) << dim;
            } else {
              const double expected =
                  either == 0 ? 0 : 1 - static_cast<double>(both) / static_cast<double>(either);
              ASSERT_EQ(out[i], static_cast<float>(expected)) << dim;
            }
          }
        }
      }
    }
  }
}

TEST_P(EveryBinaryMetric, IsOfBitsThatAreWhatWasPacked) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    for (size_t dim : {1, 8, 13, 63, 64, 65, 71, 79, 80, 127, 128, 511, 512, 513, 1000}) {
      const Matrix<float> rows = random_bits(7, dim, dim);
      const Matrix<std::byte> packed = packed_rows(rows);
      EXPECT_EQ(packed.cols(), row_bytes(RowFormat::kBits, dim));
      EXPECT_EQ(packed.cols(), (dim + 511) / 512 * 64);
      for (size_t i = 0; i < rows.rows(); ++i) {
        std::vector<float> read(dim, 7.0f);
        unpack_bits(packed.row_data(i), read);
        EXPECT_THAT(read, ::testing::ElementsAreArray(rows.row(i)));
      }
    }
  }
  std::vector<std::byte> row(64, std::byte{0xff});
  pack_bits(std::vector<float>{0, 1, -0.0f, 0, 0, 0, 0, 0, 1, 1}, row.data());
  EXPECT_EQ(row[0], std::byte{2});
  EXPECT_EQ(row[1], std::byte{3});
  for (size_t i = 2; i < 64; ++i) EXPECT_EQ(row[i], std::byte{0});
}

TEST_P(EveryBinaryMetric, RefusesOtherNumbersByRowAndColumn) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    hwy::SetSupportedTargetsForTest(target);
    for (float bad : {0.5f, -1.0f, 2.0f, std::nanf(""), INFINITY}) {
      for (size_t column : {0, 1, 15, 16, 17, 32}) {
        Matrix<float> rows = random_bits(5, 33, 1);
        require_binary(rows, "vector");
        rows(3, column) = bad;
        try {
          require_binary(rows, "vector");
          FAIL() << bad;
        } catch (const Error& error) {
          EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
          EXPECT_THAT(error.what(),
                      ::testing::HasSubstr(fmt::format("vector 3: column {} is ", column)));
        }
      }
    }
  }
}

}  // namespace
}  // namespace carya
