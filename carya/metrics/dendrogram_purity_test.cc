#include "carya/metrics/dendrogram_purity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

// The definition: for each pair of a class climb to the lowest common ancestor, then count there.
double naive_dendrogram_purity(const std::vector<uint32_t>& parents,
                               const std::vector<int32_t>& classes) {
  const auto path = [&](uint32_t node) {
    std::vector<uint32_t> nodes;
    for (; node != kNoParent; node = parents[node]) nodes.push_back(node);
    return nodes;
  };
  double sum = 0, n_pairs = 0;
  for (uint32_t i = 0; i < classes.size(); ++i) {
    for (uint32_t j = 0; j < i; ++j) {
      if (classes[i] != classes[j]) continue;
      const auto up = path(j);
      uint32_t ancestor = i;
      while (std::ranges::find(up, ancestor) == up.end()) ancestor = parents[ancestor];
      double below = 0, same = 0;
      for (uint32_t item = 0; item < classes.size(); ++item) {
        const auto of_item = path(item);
        if (std::ranges::find(of_item, ancestor) == of_item.end()) continue;
        ++below;
        same += classes[item] == classes[i];
      }
      sum += same / below;
      ++n_pairs;
    }
  }
  return n_pairs == 0 ? 1 : sum / n_pairs;
}

TEST(DendrogramPurity, OneIfEachClassIsASubtree) {
  //   6 = (0 1) (2 3), 4 = (0 1), 5 = (2 3)
  EXPECT_DOUBLE_EQ(dendrogram_purity({{4, 4, 5, 5, 6, 6, kNoParent}}, {{0, 0, 9, 9}}), 1);
  EXPECT_DOUBLE_EQ(dendrogram_purity({{4, 4, 5, 5, 6, 6, kNoParent}}, {{0, 9, 0, 9}}), 0.5);
}

TEST(DendrogramPurity, FollowsTheDefinitionOnTreesWithWideNodes) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE(seed);
    Rng rng(seed);
    const uint32_t n = 1 + static_cast<uint32_t>(rng.below(30));
    const uint32_t n_inner = 1 + static_cast<uint32_t>(rng.below(12));
    std::vector<uint32_t> parents(n + n_inner, kNoParent);
    for (uint32_t node = 0; node < n; ++node) {
      parents[node] = n + static_cast<uint32_t>(rng.below(n_inner));
    }
    for (uint32_t inner = 1; inner < n_inner; ++inner) {  // node n is the root, parents first
      parents[n + inner] = n + static_cast<uint32_t>(rng.below(inner));
    }
    std::vector<int32_t> classes;
    for (uint32_t i = 0; i < n; ++i) classes.push_back(static_cast<int32_t>(rng.below(4)) - 1);
    EXPECT_NEAR(dendrogram_purity(parents, classes), naive_dendrogram_purity(parents, classes),
                1e-14);
  }
}

TEST(DendrogramPurity, OneWithoutPairs) {
  EXPECT_EQ(dendrogram_purity({}, {}), 1);
  EXPECT_EQ(dendrogram_purity({{kNoParent}}, {{3}}), 1);
  EXPECT_EQ(dendrogram_purity({{2, 2, kNoParent}}, {{3, 4}}), 1);
}

TEST(DendrogramPurity, RefusesWhatIsNoTree) {
  using Parents = std::vector<uint32_t>;
  const std::vector<int32_t> classes = {0, 0};
  EXPECT_THROW(dendrogram_purity(Parents{2}, classes), Error);                        // too few
  EXPECT_THROW(dendrogram_purity(Parents{2, kNoParent, kNoParent}, classes), Error);  // two roots
  EXPECT_THROW(dendrogram_purity(Parents{2, 7, kNoParent}, classes), Error);        // out of range
  EXPECT_THROW(dendrogram_purity(Parents{1, 2, kNoParent}, classes), Error);        // below an item
  EXPECT_THROW(dendrogram_purity(Parents{2, 2, 3, 2, kNoParent}, classes), Error);  // a cycle
}

}  // namespace
}  // namespace carya
