#include "carya/index/recall_curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::HasSubstr;

class RecallCurveTest : public testing::Test {
 protected:
  static constexpr size_t kItems = 3000, kDim = 24, kQueries = 40;
  RecallCurveTest() { index_.add(ids_from(kFirst, kItems), points_); }
  static constexpr ItemId kFirst = 100;
  Matrix<float> points_ = random_points(kItems, kDim, 1);
  Matrix<float> queries_ = random_points(kQueries, kDim, 2);
  Hnsw index_ = Hnsw(kDim, Metric::kSquaredL2, {.m = 4, .ef_construction = 20});
};

TEST_F(RecallCurveTest, TrueNeighborsAreExact) {
  const Matrix<int64_t> truth = true_neighbors(index_, queries_, {.k = 10});
  const Neighbors exact = exact_knn(queries_, points_, 10);
  for (size_t i = 0; i < kQueries; ++i) {
    for (size_t j = 0; j < 10; ++j) ASSERT_EQ(truth(i, j), int64_t{kFirst} + exact.ids(i, j));
  }
  FlatIndex few(kDim, Metric::kSquaredL2);
  few.add(ids_from(0, 2), points_.view().slice(0, 2));
  EXPECT_THAT(true_neighbors(few, queries_, {.k = 3}).row(0)[2], -1);
}

TEST_F(RecallCurveTest, RecallIsTheShareFound) {
  const SearchOptions options{.k = 10, .effort = 10};
  const Matrix<int64_t> truth = true_neighbors(index_, queries_, options);
  const RecallPoint point = measure_recall(index_, queries_, truth, options);
  size_t found = 0;
  for (size_t i = 0; i < kQueries; ++i) {
    for (const Hit& hit : index_.search(queries_.row(i), options)) {
      found += std::ranges::count(truth.row(i), static_cast<int64_t>(hit.id)) > 0;
    }
  }
  EXPECT_DOUBLE_EQ(point.recall, static_cast<double>(found) / (10 * kQueries));
  EXPECT_LT(point.recall, 1);
  EXPECT_GT(point.n_distances, 10);
  EXPECT_GE(point.slow_seconds, 0);
  EXPECT_GT(point.seconds, 0);
}

TEST_F(RecallCurveTest, RisesToTheEnd) {
  const Matrix<int64_t> truth = true_neighbors(index_, queries_, {.k = 10});
  const auto curve = recall_curve(index_, queries_, truth, {.k = 10});
  ASSERT_GE(curve.size(), 3u);
  EXPECT_GE(curve.back().recall, 0.9999);
  for (size_t i = 1; i < curve.size(); ++i) {
    EXPECT_GT(curve[i].effort, curve[i - 1].effort);
    EXPECT_GE(curve[i].recall + 0.02, curve[i - 1].recall);
  }
}

TEST_F(RecallCurveTest, TheLeastEffortReachesTheTargetAndNoMuchSmallerOneDoes) {
  const Matrix<int64_t> truth = true_neighbors(index_, queries_, {.k = 10});
  const auto point = least_effort(index_, queries_, truth, {.k = 10}, 0.9);
  ASSERT_TRUE(point);
  EXPECT_GE(point->recall, 0.9);
  const size_t smaller = point->effort * 85 / 100;
  EXPECT_LT(measure_recall(index_, queries_, truth, {.k = 10, .effort = smaller}).recall, 0.9);
}

TEST_F(RecallCurveTest, AnUnreachableTargetIsToldApart) {
  Matrix<int64_t> truth(kQueries, 10);
  std::ranges::fill(truth.flat(), 5);  // no such item
  EXPECT_FALSE(least_effort(index_, queries_, truth, {.k = 10}, 0.5));
  // The last is a scan, whatever the effort.
  EXPECT_EQ(recall_curve(index_, queries_, truth, {.k = 10}).back().n_distances, kItems);
}

TEST_F(RecallCurveTest, ChecksItsArguments) {
  const Matrix<int64_t> truth(kQueries, 10);
  const auto measured = [&](const Matrix<float>& queries, const Matrix<int64_t>& known, size_t k) {
    return message([&] { measure_recall(index_, queries, known, {.k = k, .effort = 10}); });
  };
  EXPECT_THAT(measured(Matrix<float>(0, kDim), Matrix<int64_t>(0, 10), 10),
              HasSubstr("no queries"));
  EXPECT_THAT(measured(queries_, Matrix<int64_t>(3, 10), 10), HasSubstr("neighbours of 3"));
  EXPECT_THAT(measured(queries_, truth, 11), HasSubstr("only 10 true neighbours"));
  EXPECT_THAT(measured(queries_, truth, 0), HasSubstr("k is 0"));
  EXPECT_THAT(message([&] { least_effort(index_, queries_, truth, {.k = 10}, 1.5); }),
              HasSubstr("a recall of 1.5"));
}

}  // namespace
}  // namespace carya
