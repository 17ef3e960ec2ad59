#include "carya/tree/mutual_reachability.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <tuple>

#include "carya/core/parallel.h"
#include "carya/tree/boruvka.h"
#include "carya/tree/point_tree.h"
#include "carya/tree/union_find.h"

namespace carya {
namespace {

constexpr size_t kMinListLength = 16;  // shorter lists are exhausted earlier: hdbscan_bench
constexpr size_t kSpareListLength = 4;

// Coordinates times a power of two, which changes no digit, so that squares neither overflow nor
// vanish in float; distances are scaled back.
class Scaled {
 public:
  explicit Scaled(MatrixView<const float> points) : view_(points) {
    float largest = 0;
    for (size_t i = 0; i < points.rows(); ++i) {
      for (const float x : points.row(i)) largest = std::max(largest, std::abs(x));
    }
    const int exponent = largest > 0 ? std::ilogb(largest) : 0;
    if (std::abs(exponent) < 32) return;
    factor_ = std::ldexp(1.0, exponent);
    copy_ = Matrix<float>::copy(points);
    for (float& x : copy_.flat()) x = std::ldexp(x, -exponent);
    view_ = copy_;
  }
  MatrixView<const float> points() const noexcept { return view_; }
  double factor() const noexcept { return factor_; }

 private:
  MatrixView<const float> view_;
  Matrix<float> copy_;
  double factor_ = 1;
};

// The k-th smallest distance of a point, given one that is at least that: from all points within.
double exact_core_distance(const PointTree& tree, size_t p, size_t k, double at_least) {
  const auto limit = static_cast<float>(at_least * at_least * (1 + 2 * tree.margin()));
  const float* row = tree.row(p);
  std::vector<double> squared;
  std::array<float, kLeafSize> distances;
  tree.walk(
      p / kLeafSize, [&] { return limit; }, [](uint32_t) { return false; },
      [&](uint32_t leaf) {
        uint64_t near = 0;
        leaf_distances({&row, 1}, tree.panel(leaf), tree.dim(), distances.data());
        leaf_within(distances.data(), 1, &limit, &near);
        for (; near != 0; near &= near - 1) {
          const size_t q = leaf * kLeafSize + static_cast<size_t>(std::countr_zero(near));
          if (q < tree.size() && q != p) squared.push_back(tree.squared_distance(p, q));
        }
      });
  std::ranges::nth_element(squared, squared.begin() + static_cast<ptrdiff_t>(k - 1));
  return std::sqrt(squared[k - 1]);
}

// Exact distances of the float lists, core distances, and then mutual reachabilities.
ReachabilityLists reachability_lists(const PointTree& tree, PointNeighbors neighbors,
                                     const MutualReachability& options) {
  const size_t n = tree.size(), k = neighbors.positions.cols();
  ReachabilityLists lists;
  lists.alpha = options.alpha;
  lists.core.resize(n);
  lists.bounds.resize(n);
  lists.weights = Matrix<double>::uninitialized(n, k);
  parallel_for(0, n, 1024, [&](size_t first, size_t last) {
    std::vector<double> sorted(k);
    for (size_t p = first; p < last; ++p) {
      for (size_t i = 0; i < k; ++i) {
        const double squared = tree.squared_distance(p, neighbors.positions(p, i));
        lists.weights(p, i) = sorted[i] = std::sqrt(squared);
      }
      std::ranges::sort(sorted);
      double core = sorted[options.min_samples - 1];
      double beyond = std::numeric_limits<double>::infinity();  // what is not listed is not nearer
      if (k + 1 < n) {
        const double last_squared = neighbors.squared(p, k - 1);
        beyond = std::sqrt(last_squared * (1 - 2 * tree.margin()));
        if (core > beyond) core = exact_core_distance(tree, p, options.min_samples, core);
      }
      lists.core[p] = core;
      lists.bounds[p] = std::max(core, beyond / options.alpha);
    }
  });
  lists.positions = std::move(neighbors.positions);
  parallel_for(0, n, 1024, [&](size_t first, size_t last) {
    std::vector<std::pair<double, uint32_t>> sorted(k);
    for (size_t p = first; p < last; ++p) {
      for (size_t i = 0; i < k; ++i) {
        const uint32_t q = lists.positions(p, i);
        const double distance = lists.weights(p, i) / options.alpha;
        sorted[i] = {std::max({distance, lists.core[p], lists.core[q]}), q};
      }
      std::ranges::sort(sorted);
      for (size_t i = 0; i < k; ++i)
        std::tie(lists.weights(p, i), lists.positions(p, i)) = sorted[i];
    }
  });
  return lists;
}

// By items instead of positions, in the scale of the input, sorted.
MutualReachabilityTree by_items(const PointTree& tree, std::vector<Edge> edges,
                                std::span<const double> core, double factor) {
  MutualReachabilityTree result{std::move(edges), std::vector<double>(tree.size())};
  for (size_t p = 0; p < tree.size(); ++p) result.core_distances[tree.item(p)] = core[p] * factor;
  for (Edge& edge : result.edges) {
    const uint32_t a = tree.item(edge.a), b = tree.item(edge.b);
    edge = {std::min(a, b), std::max(a, b), edge.weight * factor};
  }
  std::ranges::sort(result.edges, {}, [](const Edge& e) { return std::tuple(e.weight, e.a, e.b); });
  return result;
}

void check(MatrixView<const float> points, const MutualReachability& options) {
  require(points.rows() >= 1, "there are no points");
  require(points.rows() < 0xffffffffu - kLeafSize, "{} points: at most 2^32 can be numbered",
          points.rows());
  require_finite(points, "point");
  if (points.rows() > 1) options.validate(points.rows());
}

}  // namespace

void MutualReachability::validate(size_t n_points) const {
  require(min_samples >= 1 && min_samples < n_points,
          "min_samples is {}, but {} points have 1 .. {} neighbours each", min_samples, n_points,
          n_points - 1);
  require(alpha > 0 && std::isfinite(alpha), "alpha is {}: it must be positive", alpha);
}

MutualReachabilityTree mutual_reachability_mst(MatrixView<const float> points,
                                               const MutualReachability& options,
                                               Progress* progress) {
  check(points, options);
  if (points.rows() == 1) return {{}, {0.0}};
  const Scaled scaled(points);
  const PointTree tree(scaled.points());
  const size_t k =
      std::min(std::max(kMinListLength, options.min_samples + kSpareListLength), points.rows() - 1);
  const ReachabilityLists lists =
      reachability_lists(tree, nearest_points(tree, k, progress), options);
  std::vector<Edge> edges;
  complete_spanning_tree(tree, lists, {}, edges, progress);
  return by_items(tree, std::move(edges), lists.core, scaled.factor());
}

MutualReachabilityTree knn_graph_mst(MatrixView<const float> points, const Neighbors& neighbors,
                                     const MutualReachability& options, size_t n_representatives,
                                     Progress* progress) {
  check(points, options);
  const size_t n = points.rows();
  require(neighbors.ids.rows() == n, "{} neighbour lists for {} points", neighbors.ids.rows(), n);
  require(n_representatives >= 1, "n_representatives is 0: components could not be joined");
  if (n == 1) return {{}, {0.0}};
  require(neighbors.ids.cols() >= options.min_samples,
          "lists of {} neighbours have no core distances for min_samples {}: ask for more",
          neighbors.ids.cols(), options.min_samples);
  const Scaled scaled(points);
  const PointTree tree(scaled.points());
  std::vector<uint32_t> position_of(n);
  for (size_t p = 0; p < n; ++p) position_of[tree.item(p)] = static_cast<uint32_t>(p);

  ReachabilityLists lists;
  lists.alpha = options.alpha;
  lists.core.resize(n);
  std::vector<std::vector<Edge>> edges_of(n);
  parallel_for(0, n, 1024, [&](size_t first, size_t last) {
    std::vector<double> distances;
    for (size_t item = first; item < last; ++item) {
      const uint32_t p = position_of[item];
      distances.clear();
      for (const uint32_t neighbor : neighbors.ids.row(item)) {
        if (neighbor == kNoNeighbor || neighbor >= n || neighbor == item) continue;
        const uint32_t q = position_of[neighbor];
        distances.push_back(std::sqrt(tree.squared_distance(p, q)));
        edges_of[p].push_back({std::min(p, q), std::max(p, q), distances.back() / options.alpha});
      }
      std::ranges::sort(distances);
      const bool is_long_enough = distances.size() >= options.min_samples;
      lists.core[p] = is_long_enough ? distances[options.min_samples - 1]
                                     : std::numeric_limits<double>::infinity();
    }
  });
  std::vector<Edge> graph, forest;
  for (size_t p = 0; p < n; ++p) {
    require(std::isfinite(lists.core[p]),
            "point {}: its list has fewer than min_samples = {} "
            "neighbours",
            tree.item(p), options.min_samples);
    for (const Edge& e : edges_of[p]) {
      graph.push_back({e.a, e.b, std::max({e.weight, lists.core[e.a], lists.core[e.b]})});
    }
  }
  std::ranges::sort(graph, {}, [](const Edge& e) { return std::tuple(e.weight, e.a, e.b); });
  UnionFind sets(n);
  for (const Edge& edge : graph) {
    if (sets.unite(edge.a, edge.b)) forest.push_back(edge);
  }
  lists.bounds = lists.core;
  complete_spanning_tree(tree, lists, {.n_representatives = n_representatives}, forest, progress);
  return by_items(tree, std::move(forest), lists.core, scaled.factor());
}

}  // namespace carya
