#include "carya/tree/node_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

//        0
//      1   2 (items 1, 4)
//    3  4        item 0 at 3, item 3 at 4, item 2 at 1 itself
NodeTree small_tree() { return NodeTree({kNoNode, 0, 0, 1, 1}, {3, 2, 1, 4, 2}); }

TEST(NodeTree, KnowsItsShape) {
  const NodeTree tree = small_tree();
  EXPECT_THAT(tree.children(0), ElementsAre(1, 2));
  EXPECT_THAT(tree.children(1), ElementsAre(3, 4));
  EXPECT_TRUE(tree.is_leaf(2));
  EXPECT_EQ(tree.depth(4), 2u);
  EXPECT_EQ(tree.n_leaves(), 3u);
  EXPECT_EQ(tree.max_depth(), 2u);
  EXPECT_THAT(tree.path(4), ElementsAre(0, 1, 4));
  EXPECT_TRUE(tree.is_below(4, 1));
  EXPECT_TRUE(tree.is_below(1, 1));
  EXPECT_FALSE(tree.is_below(2, 1));
}

TEST(NodeTree, ItemsOfASubtreeAreContiguousAndOwnItemsComeFirst) {
  const NodeTree tree = small_tree();
  EXPECT_THAT(tree.items(0), ElementsAre(2, 0, 3, 1, 4));
  EXPECT_THAT(tree.items(1), ElementsAre(2, 0, 3));
  EXPECT_THAT(tree.own_items(1), ElementsAre(2));
  EXPECT_THAT(tree.items(2), ElementsAre(1, 4));
  EXPECT_THAT(tree.own_items(0), IsEmpty());
}

TEST(NodeTree, RefusesWhatIsNoTree) {
  EXPECT_THAT([] { NodeTree({}, {}); }, ThrowsMessage<Error>(HasSubstr("needs a root")));
  EXPECT_THAT(
      [] {
        NodeTree({kNoNode, 1}, {});
      },
      ThrowsMessage<Error>(HasSubstr("node 1 has parent 1")));
  EXPECT_THAT([] { NodeTree({kNoNode}, {1}); }, ThrowsMessage<Error>(HasSubstr("hangs at node 1")));
}

// Merges numbers on a line, nearest first: single linkage of `values`, which rise.
Hierarchy line_hierarchy(const std::vector<double>& values) {
  const size_t n = values.size();
  std::vector<size_t> gaps(n - 1);
  for (size_t i = 0; i + 1 < n; ++i) gaps[i] = i;
  const auto gap = [&](size_t i) { return values[i + 1] - values[i]; };
  std::ranges::stable_sort(gaps, {}, gap);
  std::vector<uint32_t> node(n), size(n, 1);
  std::vector<size_t> root(n);
  for (size_t i = 0; i < n; ++i) node[i] = static_cast<uint32_t>(root[i] = i);
  const auto find = [&](size_t i) {
    while (root[i] != i) i = root[i];
    return i;
  };
  std::vector<Merge> merges;
  for (size_t i : gaps) {
    const size_t a = find(i), b = find(i + 1);
    const uint32_t total = size[a] + size[b];
    merges.push_back({std::min(node[a], node[b]), std::max(node[a], node[b]), total, gap(i)});
    root[b] = a;
    size[a] = total;
    node[a] = static_cast<uint32_t>(n + merges.size() - 1);
  }
  return Hierarchy(n, std::move(merges));
}

TEST(BrowseTree, FindsTheGroupsAndHangsLonersAtTheParent) {
  std::vector<double> values;
  for (double centre : {0.0, 100.0, 200.0}) {
    for (int i = 0; i < 30; ++i) values.push_back(centre + i * (1 + 0.001 * i));
  }
  values.push_back(1000);  // item 90, alone
  const NodeTree tree = browse_tree(line_hierarchy(values), {.n_levels = 1, .min_cluster_size = 5});
  EXPECT_EQ(tree.n_nodes(), 4u);
  EXPECT_THAT(tree.own_items(0), ElementsAre(90));
  std::set<size_t> sizes;
  for (uint32_t child : tree.children(0)) {
    EXPECT_EQ(tree.size(child), 30u);
    const auto items = tree.items(child);
    EXPECT_EQ(*std::ranges::max_element(items) - *std::ranges::min_element(items), 29u);
  }
}

TEST(BrowseTree, KeepsItsPromisesOnRandomHierarchies) {
  for (size_t n : {1, 2, 3, 50, 3000}) {
    Rng rng(n);
    std::vector<double> values(n);
    for (double& value : values) value = rng.normal();
    std::ranges::sort(values);
    const BrowseOptions options{.min_cluster_size = 8, .max_children = 12};
    const NodeTree tree = browse_tree(line_hierarchy(values), options);
    EXPECT_EQ(tree.items(0).size(), n);
    EXPECT_LE(tree.max_depth(), 4u);
    for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
      EXPECT_LE(tree.children(node).size(), options.max_children);
      EXPECT_NE(tree.children(node).size(), 1u);
      if (node > 0) {
        EXPECT_GE(tree.size(node), options.min_cluster_size);
      }
    }
  }
}

}  // namespace
}  // namespace carya
