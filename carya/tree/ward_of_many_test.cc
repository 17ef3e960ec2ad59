#include "carya/tree/ward_of_many.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/metrics/clustering.h"
#include "carya/tree/agglomerative.h"

namespace carya {
namespace {

// `n` points around `n_blobs` far centres; point i belongs to blob i % n_blobs.
Matrix<float> blobs(size_t n, size_t n_blobs) {
  Matrix<float> points(n, 3);
  for (size_t i = 0; i < n; ++i) {
    Rng rng(9, i);
    for (size_t j = 0; j < 3; ++j) {
      points(i, j) = static_cast<float>(rng.normal() +
                                        40.0 * static_cast<double>((i % n_blobs) * (j + 1) % 7));
    }
  }
  return points;
}

TEST(WardOfMany, IsWardForFewPoints) {
  const Matrix<float> points = blobs(60, 3);
  const Hierarchy many = ward_of_many(points), exact = agglomerate(points);
  for (size_t i = 0; i + 1 < 60; ++i) EXPECT_EQ(many.merges()[i], exact.merges()[i]);
}

TEST(WardOfMany, FindsTheBlobsOfManyPoints) {
  const size_t n = 3000;
  const Hierarchy tree = ward_of_many(blobs(n, 5), {.max_dense = 100, .micro_size = 20});
  std::vector<int32_t> truth(n);
  for (size_t i = 0; i < n; ++i) truth[i] = static_cast<int32_t>(i % 5);
  EXPECT_EQ(adjusted_rand_index(tree.cut_into(5), truth), 1);
  EXPECT_EQ(tree.merges().back().size, n);
}

TEST(WardOfGroups, MergesGroupsAsWholes) {
  const Matrix<float> points = blobs(90, 3);
  std::vector<int32_t> halves(90);  // not the blobs
  for (size_t i = 0; i < 90; ++i) halves[i] = i < 45 ? 0 : 2;
  const Hierarchy tree = ward_of_groups(points, halves, 3);
  EXPECT_EQ(adjusted_rand_index(tree.cut_into(2), halves), 1);
  EXPECT_THAT([&] { ward_of_groups(points, halves, 2); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("label 2 is not in 0 .. 1")));
}

TEST(WardOfMany, PointsThatAreAllAlikeMergeAtZero) {
  const Hierarchy tree = ward_of_many(Matrix<float>(500, 2), {.max_dense = 50});
  EXPECT_EQ(tree.merges().back().height, 0);
  EXPECT_EQ(tree.merges().back().size, 500u);
}

TEST(WardOfMany, OnePointAndNone) {
  EXPECT_EQ(ward_of_many(Matrix<float>(1, 2)).n_items(), 1u);
  EXPECT_THAT([] { ward_of_many(Matrix<float>(0, 2)); },
              testing::ThrowsMessage<Error>(testing::HasSubstr("no points")));
}

TEST(WardOfMany, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = blobs(1000, 4);
  const WardOfManyOptions options{.max_dense = 100, .micro_size = 10};
  const Hierarchy two = ward_of_many(points, options);
  const ThreadLimit limit(1);
  EXPECT_TRUE(std::ranges::equal(ward_of_many(points, options).merges(), two.merges()));
}

}  // namespace
}  // namespace carya
