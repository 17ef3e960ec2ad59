#include "carya/tree/condensed_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "carya/core/error.h"
#include "carya/core/rng.h"
#include "carya/tree/union_find.h"

namespace carya {
namespace {

using ::testing::ElementsAre;

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The definition, on sets of items: lower the height, take the heaviest edges out together.
struct NaiveCondensed {
  std::vector<double> lambda;                   // of each item
  std::vector<std::vector<uint32_t>> clusters;  // sorted items
  std::vector<double> stability;

  NaiveCondensed(const std::vector<Edge>& edges, uint32_t n, size_t min_size) : lambda(n, 0) {
    std::vector<uint32_t> all(n);
    for (uint32_t i = 0; i < n; ++i) all[i] = i;
    follow(edges, all, 0, min_size);
  }

  void follow(const std::vector<Edge>& edges, std::vector<uint32_t> items, double birth,
              size_t min_size) {
    const size_t id = clusters.size();
    clusters.push_back(items);
    stability.push_back(0);
    while (items.size() > 1) {
      const auto inside = [&](const Edge& e) {
        return std::ranges::binary_search(items, e.a) && std::ranges::binary_search(items, e.b);
      };
      double height = 0;
      for (const Edge& e : edges) {
        if (inside(e)) height = std::max(height, e.weight);
      }
      UnionFind sets(lambda.size());
      for (const Edge& e : edges) {
        if (inside(e) && e.weight < height) sets.unite(e.a, e.b);
      }
      std::map<uint32_t, std::vector<uint32_t>> parts;
      for (const uint32_t item : items) parts[sets.find(item)].push_back(item);
      std::vector<std::vector<uint32_t>> large;
      for (const auto& [root, part] : parts) {
        if (part.size() >= min_size) large.push_back(part);
      }
      const double here = height > 0 ? 1 / height : kInfinity;
      for (const auto& [root, part] : parts) {
        if (part.size() >= min_size && large.size() == 1) continue;
        for (const uint32_t item : part) {
          stability[id] += here - birth;
          lambda[item] = here;
        }
        if (part.size() >= min_size) follow(edges, part, here, min_size);
      }
      if (large.size() != 1) return;
      items = large[0];
    }
  }
};

// The items of each cluster of a condensed tree, those below included.
std::map<std::vector<uint32_t>, double> stability_by_items(const CondensedTree& tree) {
  std::vector<std::vector<uint32_t>> items(tree.clusters.size());
  for (uint32_t i = 0; i < tree.n_items(); ++i) {
    for (uint32_t c = tree.item_cluster[i]; c != CondensedTree::kNoCluster;
         c = tree.clusters[c].parent) {
      items[c].push_back(i);
    }
  }
  std::map<std::vector<uint32_t>, double> result;
  for (size_t c = 0; c < items.size(); ++c) {
    EXPECT_EQ(items[c].size(), tree.clusters[c].size);
    result[items[c]] = tree.clusters[c].stability;
  }
  return result;
}

TEST(CondensedTree, FollowsTheDefinitionWithTiesAndDuplicates) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const auto n = static_cast<uint32_t>(2 + rng.below(60));
    const size_t min_size = 2 + rng.below(5);
    const uint64_t n_heights = seed % 2 == 0 ? 4 : 1000;  // few: many ties
    std::vector<Edge> edges;                              // a random tree
    for (uint32_t i = 1; i < n; ++i) {
      edges.push_back(
          {static_cast<uint32_t>(rng.below(i)), i, static_cast<double>(rng.below(n_heights))});
    }
    const CondensedTree tree = condense(single_linkage_of_edges(n, edges), min_size);
    const NaiveCondensed naive(edges, n, min_size);
    EXPECT_EQ(tree.item_lambda, naive.lambda);
    const auto stability = stability_by_items(tree);
    ASSERT_EQ(stability.size(), naive.clusters.size());
    for (size_t c = 0; c < naive.clusters.size(); ++c) {
      ASSERT_TRUE(stability.contains(naive.clusters[c]));
      const double got = stability.at(naive.clusters[c]), expected = naive.stability[c];
      if (std::isinf(expected)) {
        EXPECT_EQ(got, expected);
      } else {
        EXPECT_NEAR(got, expected, 1e-10);
      }
    }
  }
}

TEST(CondensedTree, TwoPairsSplitAndAStrayFallsOut) {
  //  0 1 at 0.5, 2 3 at 0.25, joined at 2; 4 joins at 4
  const std::vector<Edge> edges = {{0, 1, 0.5}, {2, 3, 0.25}, {1, 2, 2}, {3, 4, 4}};
  const CondensedTree tree = condense(single_linkage_of_edges(5, edges), 2);
  ASSERT_EQ(tree.clusters.size(), 3u);
  EXPECT_THAT(tree.item_cluster, ElementsAre(1, 1, 2, 2, 0));
  EXPECT_THAT(tree.item_lambda, ElementsAre(2, 2, 4, 4, 0.25));
  EXPECT_EQ(tree.clusters[0].stability, 0.25 + 4 * 0.5);
  EXPECT_EQ(tree.clusters[1].stability, 2 * 1.5);
  EXPECT_EQ(tree.clusters[2].stability, 2 * 3.5);
  EXPECT_EQ(tree.clusters[0].lambda_death, 0.5);
  EXPECT_THAT(tree.children()[0], ElementsAre(1, 2));
}

TEST(CondensedTree, DoesNotDependOnWhichSpanningTreeWasFound) {
  // Unit weights along a path and along a star: the same partitions at each height.
  std::vector<Edge> path, star;
  for (uint32_t i = 1; i < 9; ++i) {
    path.push_back({i - 1, i, 1});
    star.push_back({0, i, 1});
  }
  const auto a = condense(single_linkage_of_edges(9, path), 3);
  const auto b = condense(single_linkage_of_edges(9, star), 3);
  EXPECT_EQ(a.item_lambda, b.item_lambda);
  EXPECT_EQ(a.clusters.size(), 1u);
  EXPECT_EQ(b.clusters.size(), 1u);
}

TEST(CondensedTree, OneItemIsTheRootAlone) {
  const CondensedTree tree = condense(Hierarchy(1, {}), 2);
  EXPECT_EQ(tree.clusters.size(), 1u);
  EXPECT_THAT(tree.item_cluster, ElementsAre(0));
  EXPECT_THROW(condense(Hierarchy(1, {}), 1), Error);
}

}  // namespace
}  // namespace carya
