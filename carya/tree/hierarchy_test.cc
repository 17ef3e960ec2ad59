#include "carya/tree/hierarchy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

//       8          height 4
//     7   \        height 2
//   5   6  \       heights 1, 1
//  0 3 1 4  2
Hierarchy example() { return {5, {{0, 3, 2, 1}, {1, 4, 2, 1}, {5, 6, 4, 2}, {2, 7, 5, 4}}}; }

TEST(Hierarchy, CutsIntoClustersNumberedByTheirFirstItem) {
  EXPECT_THAT(example().cut_into(1), ElementsAre(0, 0, 0, 0, 0));
  EXPECT_THAT(example().cut_into(2), ElementsAre(0, 0, 1, 0, 0));
  EXPECT_THAT(example().cut_into(3), ElementsAre(0, 1, 2, 0, 1));
  EXPECT_THAT(example().cut_into(5), ElementsAre(0, 1, 2, 3, 4));
}

TEST(Hierarchy, CutsAtAHeightWithItself) {
  EXPECT_THAT(example().cut_at(0.5), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_THAT(example().cut_at(1), ElementsAre(0, 1, 2, 0, 1));
  EXPECT_THAT(example().cut_at(2), ElementsAre(0, 0, 1, 0, 0));
  EXPECT_THAT(example().cut_at(9), ElementsAre(0, 0, 0, 0, 0));
}

TEST(Hierarchy, LeafOrderKeepsEveryNodeTogether) {
  EXPECT_THAT(example().leaf_order(), ElementsAre(2, 0, 3, 1, 4));
  EXPECT_THAT(example().parents(), ElementsAre(5, 6, 8, 5, 6, 7, 7, 8, 0xffffffffu));
}

TEST(Hierarchy, OneItemHasNoMerges) {
  const Hierarchy one(1, {});
  EXPECT_THAT(one.cut_into(1), ElementsAre(0));
  EXPECT_THAT(one.cut_at(0), ElementsAre(0));
  EXPECT_THAT(one.leaf_order(), ElementsAre(0));
  EXPECT_THAT(one.merges(), IsEmpty());
}

TEST(Hierarchy, RefusesWhatIsNoTree) {
  const auto message = [](size_t n, std::vector<Merge> merges) {
    try {
      Hierarchy(n, std::move(merges));
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THAT(message(0, {}), HasSubstr("at least one item"));
  EXPECT_THAT(message(2, {}), HasSubstr("0 merges cannot join 2 items"));
  EXPECT_THAT(message(3, {{0, 1, 2, 1}, {0, 2, 2, 1}}),
              HasSubstr("merge 1: node 0 is merged twice"));
  EXPECT_THAT(message(3, {{0, 4, 2, 1}, {1, 2, 2, 1}}), HasSubstr("left < right < 3"));
  EXPECT_THAT(message(2, {{1, 0, 2, 1}}), HasSubstr("left < right"));
  EXPECT_THAT(message(2, {{0, 1, 3, 1}}), HasSubstr("size 3"));
  EXPECT_THAT(message(3, {{0, 1, 2, 2}, {2, 3, 3, 1}}), HasSubstr("may not descend"));
  EXPECT_THAT(message(2, {{0, 1, 2, nan}}), HasSubstr("may not descend"));
  EXPECT_THROW(example().cut_into(0), Error);
  EXPECT_THROW(example().cut_into(6), Error);
}

// scipy.cluster.hierarchy.linkage([[0], [1], [3], [7], [7.5]], "single") without its float columns.
TEST(SingleLinkage, IsScipysLinkageMatrix) {
  const std::vector<Edge> edges = {{0, 1, 1}, {2, 1, 2}, {2, 3, 4}, {3, 4, 0.5}};
  EXPECT_THAT(
      single_linkage_of_edges(5, edges).merges(),
      ElementsAre(Merge{3, 4, 2, 0.5}, Merge{0, 1, 2, 1}, Merge{2, 6, 3, 2}, Merge{5, 7, 5, 4}));
}

// The definition: two items are together at height h if a path of edges of at most h joins them.
TEST(SingleLinkage, OfAGraphWithCyclesFollowsTheDefinition) {
  Rng rng(3);
  constexpr size_t kItems = 20;
  std::vector<Edge> edges;
  for (int i = 0; i < 40; ++i) {
    edges.push_back({static_cast<uint32_t>(rng.below(kItems)),
                     static_cast<uint32_t>(rng.below(kItems)), static_cast<double>(rng.below(6))});
  }
  const Hierarchy tree = single_linkage_of_edges(kItems, edges);
  for (double height = 0; height < 7; ++height) {
    std::vector<std::vector<bool>> joined(kItems, std::vector<bool>(kItems, false));
    for (size_t i = 0; i < kItems; ++i) joined[i][i] = true;
    for (const Edge& e : edges) {
      if (e.weight <= height) joined[e.a][e.b] = joined[e.b][e.a] = true;
    }
    for (size_t via = 0; via < kItems; ++via) {
      for (size_t i = 0; i < kItems; ++i) {
        for (size_t j = 0; j < kItems; ++j) {
          if (joined[i][via] && joined[via][j]) joined[i][j] = true;
        }
      }
    }
    const std::vector<int32_t> labels = tree.cut_at(height);
    for (size_t i = 0; i < kItems; ++i) {
      for (size_t j = 0; j < kItems; ++j) EXPECT_EQ(labels[i] == labels[j], joined[i][j]);
    }
  }
}

TEST(SingleLinkage, PartsWithoutEdgesMergeAtInfinity) {
  const std::vector<Edge> edges = {{2, 3, 1}};
  const Hierarchy tree = single_linkage_of_edges(4, edges);
  EXPECT_THAT(tree.cut_at(1e300), ElementsAre(0, 1, 2, 2));
  EXPECT_EQ(tree.merges().back().height, std::numeric_limits<double>::infinity());
  EXPECT_THROW(single_linkage_of_edges(3, edges), Error);
}

}  // namespace
}  // namespace carya
