#include "carya/index/knn_graph.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

Matrix<float> clustered_points(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  for (size_t i = 0; i < n; ++i) {
    Rng rng(seed, i);
    const auto centre = static_cast<double>(rng.below(20));
    for (float& x : points.row(i))
      x = static_cast<float>(rng.normal() + std::sin(centre * (&x - points.row_data(i) + 1)) * 4);
  }
  return points;
}

// The share of the true neighbours that were found.
double recall(const Neighbors& found, const Neighbors& exact) {
  size_t hits = 0;
  for (size_t i = 0; i < exact.ids.rows(); ++i) {
    const std::set<uint32_t> truth(exact.ids.row(i).begin(), exact.ids.row(i).end());
    for (uint32_t id : found.ids.row(i)) hits += truth.contains(id);
  }
  return static_cast<double>(hits) / static_cast<double>(exact.ids.size());
}

TEST(KnnGraph, IsExactForFewPoints) {
  const Matrix<float> points = clustered_points(300, 4, 1);
  const Neighbors exact = exact_knn_graph(points, 5);
  EXPECT_TRUE(std::ranges::equal(knn_graph(points, {.k = 5}).ids.flat(), exact.ids.flat()));
}

TEST(KnnGraph, FindsNearlyAllNeighborsOfManyPoints) {
  const Matrix<float> points = clustered_points(4000, 8, 2);
  const Neighbors exact = exact_knn_graph(points, 10);
  const Neighbors found = knn_graph(points, {.k = 10, .max_exact = 100});
  EXPECT_GT(recall(found, exact), 0.97);
  for (size_t i = 0; i < 4000; ++i) {
    EXPECT_TRUE(std::ranges::is_sorted(found.distances.row(i)));
    EXPECT_EQ(std::ranges::count(found.ids.row(i), static_cast<uint32_t>(i)), 0);
  }
  // With all parts in the surroundings it is exact.
  const Neighbors all = knn_graph(points, {.k = 10, .max_exact = 100, .n_probes = 4000});
  EXPECT_TRUE(std::ranges::equal(all.ids.flat(), exact.ids.flat()));
}

TEST(KnnGraph, DuplicatesAreNeighborsAndThreadsDoNotMatter) {
  const Matrix<float> points(500, 3);  // all the same
  const Neighbors found = knn_graph(points, {.k = 4, .max_exact = 100});
  for (size_t i = 0; i < 500; ++i) {
    const std::set<uint32_t> ids(found.ids.row(i).begin(), found.ids.row(i).end());
    EXPECT_EQ(ids.size(), 4u);
    EXPECT_FALSE(ids.contains(static_cast<uint32_t>(i)));
    EXPECT_EQ(found.distances(i, 3), 0);
  }
  const Matrix<float> other = clustered_points(2000, 6, 3);
  const Neighbors two = knn_graph(other, {.k = 4, .max_exact = 100});
  const ThreadLimit limit(1);
  EXPECT_TRUE(
      std::ranges::equal(knn_graph(other, {.k = 4, .max_exact = 100}).ids.flat(), two.ids.flat()));
}

}  // namespace
}  // namespace carya
