#include "carya/index/window_tree.h"

#include <gtest/gtest.h>

#include <cmath>

namespace carya {
namespace {

// n, beta, cutoff, shifted
class WindowTreeTest : public testing::TestWithParam<std::tuple<size_t, size_t, size_t, bool>> {
 protected:
  static std::vector<RowRange> some_ranges(size_t n) {
    std::vector<RowRange> ranges;
    for (size_t first = 0; first < n; first += 1 + n / 60) {
      for (size_t last = first + 1; last <= n; last += 1 + n / 60) ranges.push_back({first, last});
      ranges.push_back({first, n});
    }
    return ranges;
  }
  // Each row of `rows` is in one part, and in the part's node.
  static void expect_parted(const RowRange& rows, const std::vector<WindowPart>& parts) {
    std::vector<int> count(rows.last);
    for (const WindowPart& part : parts) {
      ASSERT_FALSE(part.rows.empty());
      ASSERT_TRUE(rows.contains(part.rows));
      ASSERT_TRUE(part.node == nullptr || part.node->rows.contains(part.rows));
      for (size_t row = part.rows.first; row < part.rows.last; ++row) ++count[row];
    }
    for (size_t row = 0; row < rows.last; ++row) ASSERT_EQ(count[row], row >= rows.first);
  }
  size_t n() const { return std::get<0>(GetParam()); }
  size_t beta() const { return std::get<1>(GetParam()); }
  size_t cutoff() const { return std::get<2>(GetParam()); }
  bool is_shifted() const { return std::get<3>(GetParam()); }
  WindowTree tree_{n(), beta(), cutoff(), is_shifted()};
};

TEST_P(WindowTreeTest, NodesAreEqualPartsDownToTheCutoff) {
  // The definition: level by level, sizes within one row of n / beta^level, and above the cutoff.
  size_t at = 0;
  for (size_t count = 1; n() / count > cutoff(); count *= beta()) {
    size_t covered = 0;
    for (size_t i = 0; i < count; ++i, ++at) {
      ASSERT_LT(at, tree_.nodes().size());
      const RowRange rows = tree_.nodes()[at].rows;
      EXPECT_EQ(rows.first, covered);
      EXPECT_LE(std::abs(static_cast<double>(rows.size()) -
                         static_cast<double>(n()) / static_cast<double>(count)),
                1);
      EXPECT_GE(rows.size(), cutoff());
      covered = rows.last;
    }
    EXPECT_EQ(covered, n());
    at += is_shifted() ? count - 1 : 0;
  }
  EXPECT_EQ(at, tree_.nodes().size());
}

TEST_P(WindowTreeTest, CoversAreMaximalNodesAndTheEnds) {
  for (const RowRange& rows : some_ranges(n())) {
    const std::vector<WindowPart> parts = tree_.cover(rows);
    expect_parted(rows, parts);
    size_t n_scanned = 0;
    for (const WindowPart& part : parts) {
      if (part.node == nullptr) {
        n_scanned += part.rows.size();
        continue;
      }
      EXPECT_EQ(part.rows, part.node->rows);
      // No larger one within the window is around it.
      for (const WindowNode& other : tree_.nodes()) {
        if (is_shifted() || other.rows == part.rows) continue;
        EXPECT_FALSE(rows.contains(other.rows) && other.rows.contains(part.rows));
      }
    }
    // Two ends, each less than a node of the last level with a graph.
    if (!tree_.nodes().empty()) {
      EXPECT_LE(n_scanned, 2 * beta() * (cutoff() + 1));
    }
  }
}

TEST_P(WindowTreeTest, ContainingIsTheSmallestNodeAround) {
  for (const RowRange& rows : some_ranges(n())) {
    for (const auto shifted : {WindowTree::Shifted::kWithout, WindowTree::Shifted::kWith}) {
      const WindowNode* const found = tree_.containing(rows, shifted);
      if (tree_.nodes().empty()) {
        EXPECT_EQ(found, nullptr);
        continue;
      }
      ASSERT_NE(found, nullptr);
      EXPECT_TRUE(found->rows.contains(rows));
      if (shifted == WindowTree::Shifted::kWith || !is_shifted()) {  // of all nodes
        for (const WindowNode& other : tree_.nodes()) {
          // Nodes of a level differ by one row.
          EXPECT_FALSE(other.rows.contains(rows) && other.rows.size() + 1 < found->rows.size());
        }
      }
      if (is_shifted() && shifted == WindowTree::Shifted::kWith &&
          rows.size() > cutoff() * beta()) {
        EXPECT_LE(found->rows.size(), 2 * beta() * (rows.size() + 1));
      }
    }
  }
}

TEST_P(WindowTreeTest, ThreeSplitsAndCheapestPlansPartTheWindow) {
  for (const RowRange& rows : some_ranges(n())) {
    expect_parted(rows, tree_.three_split(rows));
    for (const size_t effort : {1, 10}) {
      const WindowCosts costs(100, 1, effort, 1, false);
      const auto sum = [&](const std::vector<WindowPart>& parts) {
        double cost = 0;
        for (const WindowPart& part : parts) cost += costs.part(part);
        return cost;
      };
      const std::vector<WindowPart> plan = tree_.cheapest(rows, costs);
      expect_parted(rows, plan);
      // All that the named strategies would do is among its choices.
      const double least = sum(plan) * (1 - 1e-9);
      EXPECT_LE(least, sum({{rows}}));
      EXPECT_LE(least, sum(tree_.cover(rows)));
      EXPECT_LE(least, sum({{rows, tree_.root()}}));
      for (const auto shifted : {WindowTree::Shifted::kWithout, WindowTree::Shifted::kWith}) {
        EXPECT_LE(least, sum({{rows, tree_.containing(rows, shifted)}}));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, WindowTreeTest,
                         testing::Values(std::tuple(1, 2, 1, false), std::tuple(2, 2, 1, true),
                                         std::tuple(50, 2, 50, false), std::tuple(97, 2, 5, false),
                                         std::tuple(97, 2, 5, true), std::tuple(128, 2, 1, true),
                                         std::tuple(1000, 3, 20, false),
                                         std::tuple(1000, 4, 7, true),
                                         std::tuple(500, 64, 1, false)));

}  // namespace
}  // namespace carya
