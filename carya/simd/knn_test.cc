#include "carya/simd/knn.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <limits>
#include <tuple>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/distance.h"

namespace carya {
namespace {

Matrix<float> random_points(size_t n, size_t dim, uint64_t seed, float offset = 0) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (float& x : points.flat()) x = static_cast<float>(rng.normal()) + offset;
  return points;
}

// What the metric takes.
Matrix<float> points_for(Metric metric, size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points = random_points(n, dim, seed);
  if (is_binary(metric)) {
    for (float& x : points.flat()) x = x > 0 ? 1.0f : 0.0f;
  }
  return points;
}

// The definition: sort all distances.  distance_test.cc holds distances() against double.
Neighbors naive_knn(MatrixView<const float> queries, MatrixView<const float> points, size_t k,
                    Metric metric, bool skip_self) {
  Neighbors result{Matrix<uint32_t>(queries.rows(), k), Matrix<float>(queries.rows(), k)};
  std::vector<float> values(points.rows());
  for (size_t q = 0; q < queries.rows(); ++q) {
    distances(metric, queries.row(q), points, values);
    std::vector<std::pair<float, uint32_t>> all;
    for (uint32_t i = 0; i < points.rows(); ++i) {
      if (!skip_self || i != q) all.emplace_back(values[i], i);
    }
    std::sort(all.begin(), all.end());
    all.resize(k, {std::numeric_limits<float>::infinity(), kNoNeighbor});
    for (size_t j = 0; j < k; ++j) {
      result.ids(q, j) = all[j].second;
      result.distances(q, j) = all[j].first;
    }
  }
  return result;
}

void expect_equal(const Neighbors& a, const Neighbors& b) {
  ASSERT_EQ(a.ids.rows(), b.ids.rows());
  ASSERT_EQ(a.ids.cols(), b.ids.cols());
  EXPECT_TRUE(std::ranges::equal(a.ids.flat(), b.ids.flat()));
  EXPECT_TRUE(std::ranges::equal(a.distances.flat(), b.distances.flat()));
}

class KnnOfEveryMetric : public ::testing::TestWithParam<Metric> {
 protected:
  ~KnnOfEveryMetric() override { hwy::SetSupportedTargetsForTest(0); }
};
INSTANTIATE_TEST_SUITE_P(Simd, KnnOfEveryMetric,
                         ::testing::Values(Metric::kSquaredL2, Metric::kInnerProduct,
                                           Metric::kCosine, Metric::kHamming, Metric::kJaccard),
                         [](const auto& info) { return std::string(metric_name(info.param)); });

TEST_P(KnnOfEveryMetric, IsWhatSortingAllDistancesGivesOnEveryInstructionSet) {
  for (int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    for (size_t dim = 1; dim <= 70; ++dim) {
      SCOPED_TRACE(dim);
      const Matrix<float> points = points_for(GetParam(), 101 + dim, dim, 1);
      const Matrix<float> queries = points_for(GetParam(), 13, dim, 2);
      for (size_t k : {1, 10}) {
        expect_equal(exact_knn(queries, points, k, GetParam()),
                     naive_knn(queries, points, k, GetParam(), false));
      }
    }
  }
}

TEST_P(KnnOfEveryMetric, HoldsForAllSizesOfQueriesPointsAndK) {
  for (size_t n : {0, 1, 2, 31, 33, 1000, 2500}) {
    for (size_t n_queries : {0, 1, 5, 12, 25}) {
      for (size_t k : {1, 2, 40, 300}) {
        SCOPED_TRACE(fmt::format("{} points, {} queries, k {}", n, n_queries, k));
        const Matrix<float> points = points_for(GetParam(), n, 9, 3),
                            queries = points_for(GetParam(), n_queries, 9, 4);
        expect_equal(exact_knn(queries, points, k, GetParam()),
                     naive_knn(queries, points, k, GetParam(), false));
      }
    }
  }
}

TEST_P(KnnOfEveryMetric, LeavesAPointOutOfItsOwnNeighbours) {
  for (size_t n : {1, 2, 3, 5, 700}) {
    for (size_t k : {1, 3, 30, 701}) {
      SCOPED_TRACE(fmt::format("{} points, k {}", n, k));
      const Matrix<float> points = points_for(GetParam(), n, 6, 5);
      expect_equal(exact_knn_graph(points, k, GetParam()),
                   naive_knn(points, points, k, GetParam(), true));
    }
  }
}

TEST_P(KnnOfEveryMetric, OrdersEqualDistancesById) {
  Matrix<float> points(800, 3);
  Rng rng(6);
  for (float& x : points.flat()) x = static_cast<float>(rng.below(is_binary(GetParam()) ? 2 : 3));
  for (size_t k : {1, 4, 100}) {
    expect_equal(exact_knn(points, points, k, GetParam()),
                 naive_knn(points, points, k, GetParam(), false));
    expect_equal(exact_knn_graph(points, k, GetParam()),
                 naive_knn(points, points, k, GetParam(), true));
  }
}

TEST_P(KnnOfEveryMetric, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = points_for(GetParam(), 3000, 20, 7);
  Neighbors one;
  {
    ThreadLimit limit(1);
    one = exact_knn_graph(points, 7, GetParam());
  }
  for (size_t threads : {2, 8}) {
    ThreadLimit limit(threads);
    expect_equal(exact_knn_graph(points, 7, GetParam()), one);
  }
}

TEST(Knn, IsExactFarFromTheOriginAndForNearDuplicates) {
  for (float offset : {100.0f, 1e5f}) {  // |a|^2 + |b|^2 - 2 a.b alone would lose all digits
    Matrix<float> points = random_points(1500, 24, 8, offset);
    for (size_t i = 1; i < 700; ++i) {
      for (size_t j = 0; j < 24; ++j) points(i, j) = points(0, j) * (1 + 1e-6f * float(i % 7));
    }
    expect_equal(exact_knn_graph(points, 5),
                 naive_knn(points, points, 5, Metric::kSquaredL2, true));
  }
}

TEST(Knn, IsExactBesidePointsOfAnotherScale) {
  Matrix<float> points = random_points(1200, 10, 9);
  for (size_t i = 0; i < 1200; i += 100) {
    for (float& x : points.row(i)) x *= 1e6f;
  }
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    expect_equal(exact_knn_graph(points, 5, metric), naive_knn(points, points, 5, metric, true));
  }
}

TEST(Knn, AnswersWhereSquaresOverflow) {
  Matrix<float> points = random_points(40, 3, 10);
  points(7, 1) = 3e19f;
  expect_equal(exact_knn_graph(points, 3), naive_knn(points, points, 3, Metric::kSquaredL2, true));
}

TEST(Knn, FindsIdenticalVectorsFast) {  // quadratic candidates would take minutes
  const Matrix<float> points = [] {
    Matrix<float> same(20000, 16);
    std::ranges::fill(same.flat(), 0.1f);
    return same;
  }();
  const Neighbors result = exact_knn_graph(points, 3);
  EXPECT_THAT(std::vector(result.ids.row(0).begin(), result.ids.row(0).end()),
              ::testing::ElementsAre(1, 2, 3));
  EXPECT_THAT(std::vector(result.ids.row(19999).begin(), result.ids.row(19999).end()),
              ::testing::ElementsAre(0, 1, 2));
}

TEST(Knn, RefusesBadInputByName) {
  const Matrix<float> a(3, 4), b(3, 5);
  const auto message = [](const auto& call) -> std::string {
    try {
      call();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return error.what();
    }
    return "no error";
  };
  EXPECT_EQ(message([&] { exact_knn(a, a, 0); }), "k is 0: ask for at least one neighbour");
  EXPECT_EQ(message([&] { exact_knn(a, b, 1); }), "the queries have 4 dims, the points 5");
  Matrix<float> bad(3, 4);
  bad(2, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message([&] { exact_knn(a, bad, 1); }), ::testing::HasSubstr("point 2: column 1"));
  EXPECT_THAT(message([&] { exact_knn(bad, a, 1); }), ::testing::HasSubstr("query 2: column 1"));
  EXPECT_THAT(message([&] { exact_knn(bad, a, 1, Metric::kHamming); }),
              ::testing::HasSubstr("query 2: column 1 is nan: hamming and jaccard"));
  EXPECT_THAT(message([&] { exact_knn(a, a, 1, Metric::kUser); }),
              ::testing::HasSubstr("search a FlatIndex instead"));
  bad(2, 1) = 2;
  EXPECT_THAT(message([&] { exact_knn(a, bad, 1, Metric::kJaccard); }),
              ::testing::HasSubstr("point 2: column 1 is 2: hamming and jaccard"));
}

}  // namespace
}  // namespace carya
