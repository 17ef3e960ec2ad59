#include "carya/simd/distance.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

Matrix<float> random_points(size_t n, size_t dim, uint64_t seed,
                            Metric metric = Metric::kSquaredL2) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (float& x : points.flat()) {
    x = is_binary(metric) ? static_cast<float>(rng.below(2)) : static_cast<float>(rng.normal());
  }
  return points;
}

// The definitions, in double.
double naive_distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  double squared = 0, product = 0, aa = 0, bb = 0, differing = 0, either = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    squared += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
    product += double{a[i]} * b[i];
    aa += double{a[i]} * a[i];
    bb += double{b[i]} * b[i];
    differing += a[i] != b[i];
    either += a[i] != 0 || b[i] != 0;
  }
  if (metric == Metric::kHamming) return differing;
  if (metric == Metric::kJaccard) return either == 0 ? 0 : 1 - (either - differing) / either;
  if (metric == Metric::kSquaredL2) return squared;
  if (metric == Metric::kInnerProduct) return -product;
  return aa == 0 || bb == 0 ? 1 : 1 - product / std::sqrt(aa * bb);
}

class DistanceOfEveryMetric : public ::testing::TestWithParam<Metric> {
 protected:
  ~DistanceOfEveryMetric() override { hwy::SetSupportedTargetsForTest(0); }
};
INSTANTIATE_TEST_SUITE_P(Distance, DistanceOfEveryMetric,
                         ::testing::Values(Metric::kSquaredL2, Metric::kInnerProduct,
                                           Metric::kCosine, Metric::kHamming, Metric::kJaccard),
                         [](const auto& info) { return std::string(metric_name(info.param)); });

TEST_P(DistanceOfEveryMetric, AgreesWithTheDefinitionOnEveryInstructionSet) {
  const Metric metric = GetParam();
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    for (size_t dim = 1; dim <= 70; ++dim) {
      SCOPED_TRACE(dim);
      const Matrix<float> query = random_points(1, dim, 1, metric);
      const Matrix<float> points = random_points(7, dim, 2, metric);
      const std::vector<uint32_t> ids = {6, 0, 3, 3, 5};
      std::vector<float> all(7), some(ids.size());
      distances(metric, query.row(0), points, all);
      distances(metric, query.row(0), points, ids, some);
      for (size_t i = 0; i < 7; ++i) {
        // At most dim + 2 roundings of terms that sum to at most 2 (|a|^2 + |b|^2).
        const std::vector<float> zero(dim);
        const double norms = naive_distance(Metric::kSquaredL2, query.row(0), zero) +
                             naive_distance(Metric::kSquaredL2, points.row(i), zero);
        const double scale = metric == Metric::kCosine ? 4 : 2 * norms;
        // Counts are exact, and their ratio is rounded once.
        const double tolerance = is_binary(metric) ? 0x1p-24 : 0x1p-24 * double(dim + 8) * scale;
        EXPECT_NEAR(all[i], naive_distance(metric, query.row(0), points.row(i)), tolerance);
      }
      for (size_t i = 0; i < ids.size(); ++i) EXPECT_EQ(some[i], all[ids[i]]);
    }
  }
}

TEST_P(DistanceOfEveryMetric, HasTheSameBitsOnAvx2AndAvx512) {
  std::vector<std::vector<float>> results;
  const auto targets = hwy::SupportedAndGeneratedTargets();
  for (int64_t target : {HWY_AVX2, HWY_AVX3}) {
    if (std::ranges::count(targets, target) == 0) GTEST_SKIP() << "this CPU lacks one of them";
    hwy::SetSupportedTargetsForTest(target);
    results.emplace_back();
    for (size_t dim : {1, 15, 16, 31, 32, 33, 100, 130}) {
      std::vector<float> out(9);
      distances(GetParam(), random_points(1, dim, 1, GetParam()).row(0),
                random_points(9, dim, 2, GetParam()), out);
      results.back().insert(results.back().end(), out.begin(), out.end());
    }
  }
  EXPECT_EQ(results[0], results[1]);
}

TEST_P(DistanceOfEveryMetric, ReadsViewsWithAStrideAndNothingBehindThem) {
  // The last row ends where the memory ends: the address sanitizer sees a read beyond.
  for (size_t dim : {1, 3, 5, 17, 33, 47}) {
    const Matrix<float> wide = random_points(5, dim + 2, 3, GetParam());
    const MatrixView<const float> points(wide.data() + 2, 5, dim, dim + 2);
    const Matrix<float> dense = Matrix<float>::copy(points);
    std::vector<float> strided_out(5), dense_out(5);
    const std::vector<float> query(dim, is_binary(GetParam()) ? 1.0f : 0.5f);
    distances(GetParam(), query, points, strided_out);
    distances(GetParam(), query, dense, dense_out);
    EXPECT_EQ(strided_out, dense_out);
  }
}

TEST(Distance, CosineOfAZeroVectorIsOne) {
  const std::vector<float> zero(5, 0.0f);
  const Matrix<float> points = random_points(3, 5, 4);
  std::vector<float> out(3);
  distances(Metric::kCosine, zero, points, out);
  EXPECT_THAT(out, ::testing::Each(1.0f));
}

TEST(Distance, JaccardOfEmptySetsIsZero) {
  const std::vector<float> zero(5, 0.0f);
  const Matrix<float> points(3, 5);
  std::vector<float> out(3, 7.0f);
  distances(Metric::kJaccard, zero, points, out);
  EXPECT_THAT(out, ::testing::Each(0.0f));
}

TEST(Metric, HasANameThatLeadsBackToIt) {
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine,
                        Metric::kHamming, Metric::kJaccard}) {
    EXPECT_EQ(metric_from_name(metric_name(metric)), metric);
  }
  EXPECT_EQ(metric_name(Metric::kUser), "user");
  EXPECT_THROW(metric_from_name("user"), Error);
  try {
    metric_from_name("levenshtein");
    FAIL();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), ::testing::HasSubstr("l2, ip, cosine, hamming or jaccard"));
  }
}

TEST(Distance, CosineOfLongVectorsDoesNotOverflow) {
  Matrix<float> point(1, 4);
  for (float& x : point.flat()) x = 1e18f;
  std::vector<float> out(1);
  distances(Metric::kCosine, point.row(0), point, out);
  EXPECT_NEAR(out[0], 0.0f, 1e-6);
}

}  // namespace
}  // namespace carya
