#include "carya/tree/point_tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "carya/core/rng.h"

namespace carya {
namespace {

Matrix<float> random_points(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (float& x : points.flat()) x = static_cast<float>(rng.normal());
  return points;
}

TEST(PointTree, EveryPointIsInItsLeafAndInTheBoxesAbove) {
  for (const size_t n : {1, 63, 64, 65, 1000}) {
    const Matrix<float> points = random_points(n, 3, n);
    const PointTree tree(points);
    ASSERT_EQ(tree.nodes().size(), 2 * tree.n_leaves() - 1);
    std::set<uint32_t> items;
    for (size_t p = 0; p < n; ++p) {
      items.insert(tree.item(p));
      for (size_t j = 0; j < 3; ++j) {
        EXPECT_EQ(tree.row(p)[j], points(tree.item(p), j));
        EXPECT_EQ(tree.panel(p / kLeafSize)[j * kLeafSize + p % kLeafSize], tree.row(p)[j]);
      }
    }
    EXPECT_EQ(items.size(), n);
    for (size_t node = 0; node < tree.nodes().size(); ++node) {
      const PointTree::Node& at = tree.nodes()[node];
      for (size_t p = at.first_leaf * kLeafSize; p < std::min(n, at.last_leaf * kLeafSize); ++p) {
        for (size_t j = 0; j < 3; ++j) {
          EXPECT_LE(tree.lo(node)[j], tree.row(p)[j]);
          EXPECT_GE(tree.hi(node)[j], tree.row(p)[j]);
        }
      }
    }
  }
}

TEST(PointTree, WalkVisitsEveryLeafWithinTheLimitAndHomeFirst) {
  const PointTree tree(random_points(2000, 2, 1));
  for (const float limit : {0.01f, 0.5f, 100.0f}) {
    for (size_t from = 0; from < tree.n_leaves(); ++from) {
      std::vector<uint32_t> visited;
      tree.walk(
          from, [&] { return limit; }, [](uint32_t) { return false; },
          [&](uint32_t leaf) { visited.push_back(leaf); });
      EXPECT_EQ(visited.front(), from);
      for (uint32_t leaf = 0; leaf < tree.n_leaves(); ++leaf) {
        const float distance = tree.box_distance(tree.node_of_leaf(from), tree.node_of_leaf(leaf));
        EXPECT_EQ(std::ranges::count(visited, leaf), distance <= limit);
      }
    }
  }
}

TEST(NearestPoints, AreThoseOfTheDefinition) {
  for (const size_t dim : {1, 2, 10, 40}) {
    for (const size_t n : {2, 64, 500}) {
      for (const size_t k : {1, 7, 100}) {
        if (k >= n) continue;
        const PointTree tree(random_points(n, dim, n + dim));
        const PointNeighbors near = nearest_points(tree, k);
        for (size_t p = 0; p < n; ++p) {
          std::vector<double> all;
          for (size_t q = 0; q < n; ++q) {
            if (q != p) all.push_back(tree.squared_distance(p, q));
          }
          std::ranges::sort(all);
          std::set<uint32_t> listed;
          for (size_t i = 0; i < k; ++i) {
            listed.insert(near.positions(p, i));
            EXPECT_NE(near.positions(p, i), p);
            const double margin = all[i] * static_cast<double>(tree.margin());
            EXPECT_NEAR(near.squared(p, i), all[i], margin);
            EXPECT_NEAR(tree.squared_distance(p, near.positions(p, i)), all[i], margin);
          }
          EXPECT_EQ(listed.size(), k);
        }
      }
    }
  }
}

}  // namespace
}  // namespace carya
