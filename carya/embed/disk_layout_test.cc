#include "carya/embed/disk_layout.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using std::numbers::pi;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

struct Sample {
  NodeTree tree;
  Matrix<float> vectors;
  Matrix<uint32_t> neighbors;
  std::vector<float> strength;
  std::vector<uint8_t> is_outlier;
  DiskLayout layout() const { return layout_disk(tree, vectors, neighbors, strength, is_outlier); }
};

Sample with_random_data(NodeTree tree, uint64_t seed) {
  const size_t n = tree.n_items();
  Sample sample{std::move(tree), Matrix<float>(n, 4), Matrix<uint32_t>(n, 6), {}, {}};
  Rng rng(seed);
  for (float& x : sample.vectors.flat()) x = static_cast<float>(rng.normal());
  for (uint32_t& id : sample.neighbors.flat()) id = static_cast<uint32_t>(rng.below(n));
  for (size_t i = 0; i < n; ++i) {
    sample.strength.push_back(static_cast<float>(rng.uniform()));
    sample.is_outlier.push_back(rng.below(5) == 0);
  }
  return sample;
}

// Each node hangs at one of the last `reach` before it.
Sample random_sample(size_t n_nodes, size_t n_items, size_t reach, uint64_t seed) {
  Rng rng(seed);
  std::vector<uint32_t> parents = {kNoNode}, node_of_item;
  for (size_t node = 1; node < n_nodes; ++node) {
    parents.push_back(static_cast<uint32_t>(node - 1 - rng.below(std::min(node, reach))));
  }
  for (size_t i = 0; i < n_items; ++i) {
    node_of_item.push_back(static_cast<uint32_t>(rng.below(n_nodes)));
  }
  return with_random_data(NodeTree(std::move(parents), std::move(node_of_item)), seed + 1);
}

// As seen from the parent of `node`: is the point between the rays to the ends of the node's arc?
bool is_in_wedge(const DiskLayout& layout, uint32_t node, const DiskPoint& seen_from_parent) {
  const double turn = seen_from_parent.angle - layout.node_in_parent[node].angle;
  return std::abs(std::remainder(turn, 2 * pi)) < layout.half_arc[node];
}

// What a node sees of its own arc, to each side: a motion along the ray makes it wider.
double half_sky(const DiskLayout& layout, uint32_t node) {
  if (node == NodeTree::kRoot) return pi;
  return 2 * std::atan(std::tan(layout.half_arc[node] / 2) *
                       std::exp(layout.node_in_parent[node].distance));
}

TEST(DiskGeometry, DistancesFollowTheLawOfCosines) {
  Rng rng(1);
  for (int repeat = 0; repeat < 200; ++repeat) {
    const DiskPoint a{rng.uniform() * 6, rng.uniform() * 4},
        b{rng.uniform() * 6, rng.uniform() * 4};
    const double cosine =
        std::cosh(a.distance) * std::cosh(b.distance) -
        std::sinh(a.distance) * std::sinh(b.distance) * std::cos(a.angle - b.angle);
    EXPECT_NEAR(std::cosh(hyperbolic_distance(a, b)), cosine, 1e-9 * cosine);
  }
  EXPECT_NEAR(std::abs(to_poincare({0.3, 2.0})), std::tanh(1.0), 1e-15);
}

TEST(DiskGeometry, MotionsFormAGroup) {
  const DiskMotion a = DiskMotion::to({0.4, 1.5}), b = DiskMotion::to({-2, 0.7});
  const DiskPoint back = (a * b * b.inverse() * a.inverse()).origin();
  EXPECT_NEAR(back.distance, 0, 1e-12);
  // Straight on: two steps along angle 0 are one of both lengths; the parent is straight behind.
  const DiskPoint twice = (DiskMotion::to({1, 2}) * DiskMotion::to({0, 3})).origin();
  EXPECT_NEAR(twice.distance, 5, 1e-12);
  EXPECT_NEAR(twice.angle, 1, 1e-12);
  EXPECT_NEAR(std::abs(DiskMotion::to({1, 2}).inverse().origin().angle), pi, 1e-12);
}

TEST(DiskGeometry, CountsPointsThatFloatsCannotTellApart) {
  EXPECT_EQ(count_coincident({}), 0u);
  const std::vector<DiskPoint> points = {{0, 1}, {0, 40}, {0, 41}, {0, 42}, {1, 1}};
  EXPECT_EQ(count_coincident(points), 3u);
}

TEST(DiskLayout, ChildrenShareTheSkyWithoutOverlap) {
  const Sample sample = random_sample(200, 3000, 30, 3);
  const DiskLayout layout = sample.layout();
  for (uint32_t node = 0; node < sample.tree.n_nodes(); ++node) {
    const double sky = half_sky(layout, node);
    EXPECT_GE(sky, pi / 4 * (1 - 1e-9));
    std::vector<std::pair<double, double>> arcs;
    for (const uint32_t child : sample.tree.children(node)) {
      const double angle = layout.node_in_parent[child].angle, half = layout.half_arc[child];
      arcs.emplace_back(angle - half, angle + half);
    }
    std::ranges::sort(arcs);
    for (size_t i = 0; i < arcs.size(); ++i) {
      EXPECT_GE(arcs[i].first, i == 0 ? -sky : arcs[i - 1].second);
      EXPECT_LE(arcs[i].second, sky);
    }
  }
}

TEST(DiskLayout, WhatIsBelowANodeStaysInItsWedgeAndNothingElseDoes) {
  const Sample sample = random_sample(60, 1500, 12, 5);
  const NodeTree& tree = sample.tree;
  const DiskLayout layout = sample.layout();
  for (uint32_t node = 1; node < tree.n_nodes(); ++node) {
    const uint32_t parent = tree.parent(node);
    const DiskView view = view_from(layout, tree, parent);
    size_t n_wrong = 0;
    for (uint32_t item = 0; item < tree.n_items(); ++item) {
      const uint32_t at = tree.node_of(item);  // the parent's own lie around where wedges begin
      n_wrong +=
          at != parent && is_in_wedge(layout, node, view.items[item]) != tree.is_below(at, node);
    }
    for (uint32_t other = 0; other < tree.n_nodes(); ++other) {
      n_wrong += other != parent &&
                 is_in_wedge(layout, node, view.nodes[other]) != tree.is_below(other, node);
    }
    EXPECT_EQ(n_wrong, 0u) << "node " << node;
  }
}

TEST(DiskLayout, TheDisksOfItemsDoNotMeet) {
  for (const size_t reach : {1, 3, 12, 60}) {
    const Sample sample = random_sample(60, 1500, reach, 5);
    const DiskLayout layout = sample.layout();
    for (uint32_t a = 0; a < 60; ++a) {
      const DiskView view = view_from(layout, sample.tree, a);
      for (uint32_t b = 0; b < 60; ++b) {
        if (a == b) continue;
        EXPECT_GT(view.nodes[b].distance, layout.item_radius[a] + layout.item_radius[b])
            << a << " and " << b;
      }
    }
  }
}

TEST(DiskLayout, AllFociSeeTheSameDistances) {
  const Sample sample = random_sample(40, 100, 6, 9);
  const DiskLayout layout = sample.layout();
  const DiskView root = view_from(layout, sample.tree), other = view_from(layout, sample.tree, 21);
  EXPECT_EQ(other.nodes[21].distance, 0);
  EXPECT_EQ(root.nodes[0].distance, 0);
  for (uint32_t i = 0; i < 40; i += 3) {
    for (uint32_t j = 0; j < 100; j += 7) {
      const double expected = hyperbolic_distance(root.nodes[i], root.items[j]);
      EXPECT_NEAR(hyperbolic_distance(other.nodes[i], other.items[j]), expected, 1e-3);
    }
  }
}

TEST(DiskLayout, DepthCostsNoPrecisionNearTheFocus) {
  // A chain of 200 nodes, each with a small sister that holds ten items.
  std::vector<uint32_t> parents = {kNoNode}, node_of_item;
  for (uint32_t level = 0; level < 200; ++level) {
    const uint32_t above = level == 0 ? 0 : 2 * level - 1;
    parents.insert(parents.end(), {above, above});
    node_of_item.insert(node_of_item.end(), 10, 2 * level + 2);
  }
  const Sample sample = with_random_data(NodeTree(parents, node_of_item), 2);
  const DiskLayout layout = sample.layout();
  const DiskView from_root = view_from(layout, sample.tree);
  EXPECT_GT(count_coincident(from_root.items), 500u);  // they are reported, not hidden
  const uint32_t deepest = 400;
  const DiskView near = view_from(layout, sample.tree, deepest);
  std::vector<DiskPoint> own;
  for (const uint32_t item : sample.tree.own_items(deepest)) {
    own.push_back(near.items[item]);
    EXPECT_NEAR(near.items[item].distance, layout.item_in_node[item].distance, 1e-9);
  }
  EXPECT_EQ(own.size(), 10u);
  EXPECT_EQ(count_coincident(own), 0u);
  for (const DiskPoint& point : near.items) EXPECT_TRUE(std::isfinite(point.distance));
}

// Topics whose vectors lie around a circle, numbered in disorder.
TEST(DiskLayout, SiblingsFollowTheirMeaningAroundTheRim) {
  constexpr uint32_t kTopics = 12;
  std::vector<uint32_t> parents(kTopics + 1, 0), node_of_item;
  parents[0] = kNoNode;
  for (uint32_t i = 0; i < kTopics; ++i) node_of_item.push_back(i + 1);
  Sample sample = with_random_data(NodeTree(parents, node_of_item), 2);
  const auto place = [](uint32_t topic) { return topic * 5 % kTopics; };
  for (uint32_t i = 0; i < kTopics; ++i) {
    sample.vectors(i, 0) = static_cast<float>(std::cos(2 * pi * place(i) / kTopics));
    sample.vectors(i, 1) = static_cast<float>(std::sin(2 * pi * place(i) / kTopics));
    sample.vectors(i, 2) = sample.vectors(i, 3) = 0;
  }
  const DiskLayout layout = sample.layout();
  std::vector<std::pair<double, uint32_t>> around;
  for (uint32_t i = 0; i < kTopics; ++i) {
    around.emplace_back(layout.node_in_parent[i + 1].angle, place(i));
  }
  std::ranges::sort(around);
  for (uint32_t i = 0; i < kTopics; ++i) {
    const uint32_t step = (around[(i + 1) % kTopics].second + kTopics - around[i].second) % kTopics;
    EXPECT_TRUE(step == 1 || step == kTopics - 1) << "at " << i;
  }
}

// Three topics on a line, the middle one with two parts and items of its own: each part, and each
// item, is on the side of the topic that it resembles.
TEST(DiskLayout, PartsAndItemsTurnTowardsWhatTheyResemble) {
  std::vector<uint32_t> node_of_item = {1, 2, 3, 4, 5};
  for (int i = 0; i < 40; ++i) node_of_item.push_back(2);
  Sample sample = with_random_data(NodeTree({kNoNode, 0, 0, 0, 2, 2}, node_of_item), 4);
  std::ranges::fill(sample.vectors.flat(), 0.0f);
  const float xs[] = {-10, 0, 10, 4, -4};
  for (size_t i = 0; i < 45; ++i) {
    sample.vectors(i, 0) = i < 5 ? xs[i] : static_cast<float>(i) * 0.1f - 2.5f;
    for (size_t k = 0; k < 6; ++k) {  // neighbours on the line
      const size_t other = i + k < 8 ? 5 + k : std::min<size_t>(i + k - 3, 44);
      sample.neighbors(i, k) = static_cast<uint32_t>(other);
    }
  }
  const DiskLayout layout = sample.layout();
  const DiskView view = view_from(layout, sample.tree, 2);
  const auto direction = [](const DiskPoint& p) { return std::polar(1.0, p.angle); };
  const std::complex<double> low = direction(view.nodes[1]), high = direction(view.nodes[3]);
  const auto likes_high = [&](const DiskPoint& p) {
    return std::abs(direction(p) - high) < std::abs(direction(p) - low);
  };
  EXPECT_TRUE(likes_high(view.nodes[4]));
  EXPECT_FALSE(likes_high(view.nodes[5]));
  size_t n_right = 0;
  for (size_t i = 5; i < 45; ++i) n_right += likes_high(view.items[i]) == (i > 25);
  EXPECT_GE(n_right, 36u);
}

TEST(DiskLayout, StrongItemsAreInTheMiddleAndOutliersAtTheRim) {
  const Sample sample = random_sample(5, 400, 5, 8);
  const DiskLayout layout = sample.layout();
  for (uint32_t node = 0; node < 5; ++node) {
    const auto own = sample.tree.own_items(node);
    for (const uint32_t a : own) {
      EXPECT_LE(layout.item_in_node[a].distance, layout.item_radius[node]);
      for (const uint32_t b : own) {
        const auto before = std::pair(sample.is_outlier[a], -sample.strength[a]);
        if (before < std::pair(sample.is_outlier[b], -sample.strength[b])) {
          EXPECT_LT(layout.item_in_node[a].distance, layout.item_in_node[b].distance);
        }
      }
    }
  }
}

TEST(DiskLayout, DoesNotDependOnTheNumberOfThreads) {
  const Sample sample = random_sample(300, 5000, 20, 6);
  const auto run = [&](size_t n) {
    const ThreadLimit limit(n);
    return view_from(sample.layout(), sample.tree);
  };
  const DiskView one = run(1), eight = run(8);
  for (size_t i = 0; i < one.items.size(); ++i) {
    EXPECT_EQ(one.items[i].angle, eight.items[i].angle);
    EXPECT_EQ(one.items[i].distance, eight.items[i].distance);
  }
}

TEST(DiskLayout, TakesTheSmallestTreesAndEqualItems) {
  const DiskLayout empty = layout_disk(NodeTree({kNoNode}, {}), {}, {}, {}, {});
  EXPECT_EQ(empty.node_in_parent.size(), 1u);
  Sample one = with_random_data(NodeTree({kNoNode}, {0}), 1);
  EXPECT_EQ(one.layout().item_in_node[0].distance, 0);
  Sample chain = with_random_data(NodeTree({kNoNode, 0, 1}, {2, 2, 2}), 1);  // only children
  EXPECT_GT(view_from(chain.layout(), chain.tree).nodes[2].distance, 1);
  Sample equal = random_sample(10, 300, 4, 2);
  std::ranges::fill(equal.vectors.flat(), 1.0f);
  std::ranges::fill(equal.strength, std::nanf(""));
  std::ranges::fill(equal.neighbors.flat(), kNoNeighbor);
  EXPECT_EQ(count_coincident(view_from(equal.layout(), equal.tree).items), 0u);
}

TEST(DiskLayout, RefusesWhatDoesNotFitTheTree) {
  Sample sample = random_sample(10, 50, 4, 2);
  const DiskLayout layout = sample.layout();
  EXPECT_THAT([&] { view_from(layout, sample.tree, 10); },
              ThrowsMessage<Error>(HasSubstr("there is no node 10")));
  EXPECT_THAT([&] { view_from(layout, NodeTree({kNoNode}, {0})); },
              ThrowsMessage<Error>(HasSubstr("the layout is of 10 nodes")));
  sample.neighbors(7, 2) = 50;
  EXPECT_THAT([&] { sample.layout(); }, ThrowsMessage<Error>(HasSubstr("item 7 has neighbor 50")));
  sample.strength.pop_back();
  EXPECT_THAT([&] { sample.layout(); }, ThrowsMessage<Error>(HasSubstr("strengths are of 49")));
}

}  // namespace
}  // namespace carya
