#include "carya/tree/boruvka.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cmath>
#include <memory>
#include <tuple>

#include "carya/core/parallel.h"
#include "carya/tree/union_find.h"

namespace carya {
namespace {

constexpr uint32_t kMixed = 0xffffffffu;  // more than one component below a node
constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr Edge kNoEdge = {kMixed, kMixed, kInfinity};

// A total order, so that the edge found does not depend on who looked first.
bool is_lighter(const Edge& x, const Edge& y) {
  return std::tuple(x.weight, x.a, x.b) < std::tuple(y.weight, y.a, y.b);
}
Edge make_edge(uint32_t a, uint32_t b, double weight) {
  return {std::min(a, b), std::max(a, b), weight};
}

void lower(std::atomic<double>& target, double value) {
  double known = target.load(std::memory_order_relaxed);
  while (value < known && !target.compare_exchange_weak(known, value, std::memory_order_relaxed)) {
  }
}

class Boruvka {
 public:
  Boruvka(const PointTree& tree, const ReachabilityLists& lists, const BoruvkaOptions& options,
          std::vector<Edge>& edges)
      : tree_(tree),
        lists_(lists),
        options_(options),
        edges_(edges),
        n_(tree.size()),
        sets_(n_),
        component_(tree.n_leaves() * kLeafSize, kMixed),
        floors_(tree.n_leaves() * kLeafSize, std::numeric_limits<float>::infinity()),
        lowest_floor_(tree.nodes().size()),
        component_of_node_(tree.nodes().size()),
        bounds_(lists.bounds),
        next_in_list_(n_, 0),
        found_(n_, kNoEdge),
        is_active_(n_, 0),
        best_(n_),
        best_weight_(std::make_unique<std::atomic<double>[]>(n_)) {
    for (size_t p = 0; p < n_; ++p) floors_[p] = floor_of(lists.core[p]);
    fold_nodes(
        lowest_floor_,
        [&](size_t leaf) {
          return *std::min_element(
              floors_.begin() + static_cast<ptrdiff_t>(leaf * kLeafSize),
              floors_.begin() + static_cast<ptrdiff_t>((leaf + 1) * kLeafSize));
        },
        [](float a, float b) { return std::min(a, b); });
    for (const Edge& edge : edges) sets_.unite(edge.a, edge.b);
  }

  void run(Progress* progress) {
    begin_stage(progress, "spanning tree", n_ - 1, "edges");
    advance(progress, edges_.size());
    while (edges_.size() + 1 < n_) {
      const size_t before = edges_.size();
      label_components();
      look_into_lists();
      choose_active();
      seed_bounds();
      parallel_for(0, tree_.n_leaves(), 1, [&](size_t first, size_t last) {
        for (size_t leaf = first; leaf < last; ++leaf) search(leaf);
      });
      collect_found();
      unite();
      CARYA_ASSERT(edges_.size() > before);
      advance(progress, edges_.size() - before);
    }
  }

 private:
  // Squared and in the scale of distances before alpha, with the float margin to the safe side.
  float floor_of(double core) const {
    const double scaled = core * lists_.alpha;
    return static_cast<float>(scaled * scaled * (1 - tree_.margin()));
  }
  float limit_of(double weight) const {
    const double scaled = weight * lists_.alpha;
    return static_cast<float>(scaled * scaled * (1 + 2 * tree_.margin()));
  }

  // values[node] from those of the leaves below.
  template <class T, class OfLeaf, class Join>
  void fold_nodes(std::vector<T>& values, const OfLeaf& of_leaf, const Join& join) const {
    for (size_t node = tree_.nodes().size(); node-- > 0;) {  // children follow their parent
      const PointTree::Node& at = tree_.nodes()[node];
      values[node] =
          at.is_leaf() ? of_leaf(at.first_leaf) : join(values[node + 1], values[at.right]);
    }
  }

  void label_components() {
    largest_ = sets_.find(0);
    for (uint32_t p = 0; p < n_; ++p) {
      component_[p] = sets_.find(p);
      if (sets_.set_size(p) > sets_.set_size(largest_)) largest_ = component_[p];
    }
    const auto join = [](uint32_t a, uint32_t b) { return a == b ? a : kMixed; };
    fold_nodes(
        component_of_node_,
        [&](size_t leaf) {
          uint32_t all = component_[leaf * kLeafSize];
          for (size_t i = 1; i < tree_.leaf_size(leaf); ++i) {
            all = join(all, component_[leaf * kLeafSize + i]);
          }
          return all;
        },
        join);
    std::ranges::fill(best_, kNoEdge);
    for (size_t p = 0; p < n_; ++p) best_weight_[p].store(kInfinity, std::memory_order_relaxed);
  }

  // The edge is a candidate for the components of both its ends.
  void offer(const Edge& edge) {
    for (const uint32_t end : {edge.a, edge.b}) {
      Edge& best = best_[component_[end]];
      if (is_lighter(edge, best)) best = edge;
    }
  }

  bool joins_components(uint32_t a, uint32_t b) const { return component_[a] != component_[b]; }

  void look_into_lists() {
    const size_t k = lists_.positions.cols();
    parallel_for(0, n_, 4096, [&](size_t first, size_t last) {
      for (size_t p = first; p < last; ++p) {
        uint32_t& next = next_in_list_[p];
        while (next < k && !joins_components(static_cast<uint32_t>(p), lists_.positions(p, next))) {
          ++next;  // for good: components only grow
        }
      }
    });
    for (uint32_t p = 0; p < n_; ++p) {
      if (next_in_list_[p] < k) {
        const size_t slot = next_in_list_[p];
        offer(make_edge(p, lists_.positions(p, slot), lists_.weights(p, slot)));
      }
    }
    for (size_t p = 0; p < n_; ++p) {
      best_weight_[p].store(best_[p].weight, std::memory_order_relaxed);
    }
  }

  // Those that may know a lighter edge than the best so far.  The largest component need not look:
  // the others' lightest edges suffice (cut property).
  void choose_active() {
    std::vector<uint32_t> seen(n_, 0);
    for (uint32_t p = 0; p < n_; ++p) {
      const uint32_t own = component_[p];
      is_active_[p] = own != largest_ && bounds_[p] < best_[own].weight;
      if (!is_active_[p] || options_.n_representatives >= n_) continue;
      // Every (size / representatives)-th in tree order, so that they are spread in space.
      const size_t size = sets_.set_size(p);
      const size_t step = (size + options_.n_representatives - 1) / options_.n_representatives;
      is_active_[p] = seen[own]++ % step == 0;
    }
  }

  void search(size_t leaf);
  void compare(size_t leaf, uint32_t other, std::vector<uint32_t>& active, float& limit);

  // What active points found before is found again, or better, so it may bound this walk.
  void seed_bounds() {
    for (uint32_t p = 0; p < n_; ++p) {
      if (!is_active_[p]) continue;
      if (found_[p].a != kMixed && joins_components(found_[p].a, found_[p].b)) {
        lower(best_weight_[component_[p]], found_[p].weight);
      }
      found_[p] = kNoEdge;
    }
  }

  void collect_found() {
    // Only what no walk can have missed: heavier finds depend on what cut the walk short, and an
    // offer goes to the component at the other end too.
    for (uint32_t p = 0; p < n_; ++p) {
      if (is_active_[p] && found_[p].a != kMixed &&
          found_[p].weight <= best_weight_[component_[p]].load(std::memory_order_relaxed)) {
        offer(found_[p]);
      }
    }
    for (uint32_t p = 0; p < n_; ++p) {  // all lighter ones were compared
      if (is_active_[p]) {
        bounds_[p] =
            std::max(bounds_[p], best_weight_[component_[p]].load(std::memory_order_relaxed));
      }
    }
  }

  // In the order of weights: with ties the chosen edges may close cycles, whose last one is left
  // out.
  void unite() {
    std::vector<Edge> chosen;
    for (uint32_t p = 0; p < n_; ++p) {
      if (component_[p] == p && p != largest_ && best_[p].a != kMixed) chosen.push_back(best_[p]);
    }
    std::ranges::sort(chosen, is_lighter);
    for (const Edge& edge : chosen) {
      if (sets_.unite(edge.a, edge.b)) edges_.push_back(edge);
    }
  }

  const PointTree& tree_;
  const ReachabilityLists& lists_;
  const BoruvkaOptions options_;
  std::vector<Edge>& edges_;
  const size_t n_;
  UnionFind sets_;
  std::vector<uint32_t> component_;          // of each position
  std::vector<float> floors_;                // core distances as floor_of
  std::vector<float> lowest_floor_;          // of each node
  std::vector<uint32_t> component_of_node_;  // or kMixed
  std::vector<double> bounds_;
  std::vector<uint32_t> next_in_list_;
  std::vector<Edge> found_;  // the lightest edge that the walk of each point found last
  std::vector<uint8_t> is_active_;
  std::vector<Edge> best_;  // of each component, at its root's position
  std::unique_ptr<std::atomic<double>[]> best_weight_;
  uint32_t largest_ = 0;
};

// The walk of the active points of a leaf.  Branches are left only if all in them is strictly
// heavier than the component's best, so that among equal edges the choice is the same whatever
// other threads found meanwhile.
void Boruvka::search(size_t leaf) {
  std::vector<uint32_t> active;
  uint32_t own = kMixed;
  bool is_one_component = true;
  for (size_t i = 0; i < tree_.leaf_size(leaf); ++i) {
    const auto p = static_cast<uint32_t>(leaf * kLeafSize + i);
    if (!is_active_[p]) continue;
    is_one_component &= active.empty() || component_[p] == own;
    own = component_[p];
    active.push_back(p);
  }
  if (active.empty()) return;
  float limit = 0;
  for (const uint32_t p : active) {
    limit = std::max(limit, limit_of(best_weight_[component_[p]].load(std::memory_order_relaxed)));
  }
  tree_.walk(
      leaf, [&] { return limit; },
      [&](uint32_t node) {
        return lowest_floor_[node] > limit || (is_one_component && component_of_node_[node] == own);
      },
      [&](uint32_t other) { compare(leaf, other, active, limit); });
}

void Boruvka::compare(size_t leaf, uint32_t other, std::vector<uint32_t>& active, float& limit) {
  std::array<float, kLeafSize> limits, to_box;
  std::array<const float*, kLeafSize> rows;
  std::array<uint32_t, kLeafSize> row_points, row_components;
  std::array<uint64_t, kLeafSize> candidates;
  std::array<float, kLeafSize * kLeafSize> distances;

  const uint32_t node = tree_.node_of_leaf(other);
  leaf_box_distances(tree_.panel(leaf), tree_.dim(), tree_.lo(node), tree_.hi(node), to_box.data());
  const auto best_weight = [&](uint32_t p) {
    return best_weight_[component_[p]].load(std::memory_order_relaxed);
  };
  // A point is done when nothing better than what it has, or than its component has, can exist.
  std::erase_if(active, [&](uint32_t p) {
    return found_[p].weight <= bounds_[p] || bounds_[p] > best_weight(p);
  });
  limit = -1;
  size_t n_rows = 0;
  for (const uint32_t p : active) {
    const float own_limit = limit_of(best_weight(p));
    limit = std::max(limit, own_limit);
    if (to_box[p % kLeafSize] * (1 - 2 * tree_.margin()) > own_limit) continue;
    limits[n_rows] = own_limit;
    rows[n_rows] = tree_.row(p);
    row_components[n_rows] = component_[p];
    row_points[n_rows++] = p;
  }
  leaf_distances({rows.data(), n_rows}, tree_.panel(other), tree_.dim(), distances.data());
  leaf_within_other_group(distances.data(), n_rows, limits.data(), row_components.data(),
                          floors_.data() + other * kLeafSize, component_.data() + other * kLeafSize,
                          candidates.data());
  for (size_t i = 0; i < n_rows; ++i) {
    const uint32_t p = row_points[i];
    for (uint64_t bits = candidates[i]; bits != 0; bits &= bits - 1) {
      const auto col = static_cast<size_t>(std::countr_zero(bits));
      const auto q = static_cast<uint32_t>(other * kLeafSize + col);
      if (q >= n_ || distances[i * kLeafSize + col] > limit_of(best_weight(p))) continue;
      const double distance = std::sqrt(tree_.squared_distance(p, q)) / lists_.alpha;
      const Edge edge = make_edge(p, q, std::max({lists_.core[p], lists_.core[q], distance}));
      if (!is_lighter(edge, found_[p])) continue;
      found_[p] = edge;
      lower(best_weight_[component_[p]], edge.weight);
    }
  }
}

}  // namespace

void complete_spanning_tree(const PointTree& tree, const ReachabilityLists& lists,
                            const BoruvkaOptions& options, std::vector<Edge>& edges,
                            Progress* progress) {
  Boruvka(tree, lists, options, edges).run(progress);
}

}  // namespace carya
