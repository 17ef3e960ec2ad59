#include "carya/embed/disk_layout.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <tuple>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/embed/spectrum.h"
#include "carya/graph/csr_graph.h"
#include "carya/tree/squared_distance.h"

namespace carya {
namespace {

using std::numbers::pi;

constexpr double kNarrowestSky = pi / 4;      // what a node sees of its own, to each side, at least
constexpr double kNearest = 0.6;              // a child is to its parent
constexpr double kWidestHalfArc = 0.44 * pi;  // of a child: wedges are convex below pi / 2
constexpr double kFilled = 0.92;              // of a share; the rest is a gap between siblings
constexpr double kFilledDisk = 0.9;           // of what the items of a node may use
constexpr size_t kMaxTwoOpt = 512;            // beyond so many siblings the first path is kept

// The mean vector of all items at or below each node [n_nodes, dim].
Matrix<float> mean_vectors(const NodeTree& tree, MatrixView<const float> vectors) {
  Matrix<float> means(tree.n_nodes(), vectors.cols());
  // Sums of own items, then of children by falling number: a parent has the smaller one.
  parallel_for(0, tree.n_nodes(), 64, [&](size_t first, size_t last) {
    for (size_t node = first; node < last; ++node) {
      for (const uint32_t item : tree.own_items(static_cast<uint32_t>(node))) {
        for (size_t j = 0; j < vectors.cols(); ++j) means(node, j) += vectors(item, j);
      }
    }
  });
  for (size_t node = tree.n_nodes(); node-- > 1;) {
    const uint32_t parent = tree.parent(static_cast<uint32_t>(node));
    for (size_t j = 0; j < vectors.cols(); ++j) means(parent, j) += means(node, j);
  }
  for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
    const auto size = static_cast<float>(std::max<size_t>(tree.size(node), 1));
    for (float& x : means.row(node)) x /= size;
  }
  return means;
}

// The nodes whose branches lie beside that of a node, on its right (smaller angles) and left.
struct Beside {
  uint32_t right = kNoNode, left = kNoNode;
};

// Orders nodes along a short path from beside.right to beside.left; without them, around a circle.
class PathOrder {
 public:
  PathOrder(const Matrix<float>& means, std::span<const uint32_t> nodes, Beside beside)
      : nodes_(nodes), n_(nodes.size()), lengths_(n_ + 2, n_ + 2) {
    const bool is_circle = beside.right == kNoNode;
    const auto mean = [&](size_t i) {
      const uint32_t node = i < n_ ? nodes[i] : i == n_ ? beside.right : beside.left;
      return means.row_data(node);
    };
    // A circle begins and ends at its first node.
    const size_t n_points = is_circle ? n_ : n_ + 2;
    for (size_t i = 0; i < n_points; ++i) {
      for (size_t j = 0; j < i; ++j) {
        lengths_(i, j) = lengths_(j, i) =
            std::sqrt(squared_distance(mean(i), mean(j), means.cols()));
      }
    }
    path_.push_back(is_circle ? 0 : n_);
    std::vector<bool> is_left(n_, true);
    if (is_circle) is_left[0] = false;
    for (size_t step = is_circle ? 1 : 0; step < n_; ++step) {
      size_t next = n_;
      for (size_t i = 0; i < n_; ++i) {
        if (is_left[i] && (next == n_ || length(path_.back(), i) < length(path_.back(), next))) {
          next = i;
        }
      }
      is_left[next] = false;
      path_.push_back(next);
    }
    path_.push_back(is_circle ? 0 : n_ + 1);
    bool may_be_shorter = n_ <= kMaxTwoOpt;
    while (may_be_shorter) may_be_shorter = shorten();
  }

  std::vector<uint32_t> nodes() const {
    std::vector<uint32_t> ordered;
    for (size_t i = 0; i < path_.size(); ++i) {
      const bool closes = i > 0 && path_[i] == path_[0];
      if (path_[i] < n_ && !closes) ordered.push_back(nodes_[path_[i]]);
    }
    return ordered;
  }

 private:
  double length(size_t i, size_t j) const { return lengths_(i, j); }

  // 2-opt: reverses stretches while that shortens the path. Each gain is real, so it ends.
  bool shorten() {
    bool is_shorter = false;
    for (size_t i = 1; i + 2 < path_.size(); ++i) {
      for (size_t j = i + 1; j + 1 < path_.size(); ++j) {
        const double before = length(path_[i - 1], path_[i]) + length(path_[j], path_[j + 1]);
        const double after = length(path_[i - 1], path_[j]) + length(path_[i], path_[j + 1]);
        if (after >= before * (1 - 1e-9)) continue;
        std::reverse(path_.begin() + static_cast<ptrdiff_t>(i),
                     path_.begin() + static_cast<ptrdiff_t>(j) + 1);
        is_shorter = true;
      }
    }
    return is_shorter;
  }

  std::span<const uint32_t> nodes_;
  size_t n_;
  Matrix<double> lengths_;  // also to the nodes beside, numbers n and n + 1
  std::vector<size_t> path_;
};

class DiskLayouter {
 public:
  DiskLayouter(const NodeTree& tree, MatrixView<const float> vectors,
               MatrixView<const uint32_t> neighbors, std::span<const float> strength,
               std::span<const uint8_t> is_outlier)
      : tree_(tree),
        vectors_(vectors),
        neighbors_(neighbors),
        strength_(strength),
        is_outlier_(is_outlier),
        means_(mean_vectors(tree, vectors)),
        half_sky_(tree.n_nodes(), pi),
        beside_(tree.n_nodes()),
        slot_(tree.n_items()) {
    const size_t n_nodes = tree.n_nodes();
    layout_.node_in_parent.resize(n_nodes);
    layout_.half_arc.assign(n_nodes, pi);
    layout_.item_radius.assign(n_nodes, kNearest);
    layout_.item_in_node.resize(tree.n_items());
    for (uint32_t node = 0; node < n_nodes; ++node) {
      const auto own = tree.own_items(node);
      for (size_t i = 0; i < own.size(); ++i) slot_[own[i]] = static_cast<uint32_t>(i);
    }
  }

  DiskLayout run() {
    for (uint32_t node = 0; node < tree_.n_nodes(); ++node) place_children(node);
    parallel_for(0, tree_.n_nodes(), 4, [&](size_t first, size_t last) {
      for (size_t node = first; node < last; ++node) place_items(static_cast<uint32_t>(node));
    });
    return std::move(layout_);
  }

 private:
  void place_children(uint32_t node) {
    const auto children = tree_.children(node);
    if (children.empty()) return;
    const std::vector<uint32_t> order = PathOrder(means_, children, beside_[node]).nodes();
    double all = 0;
    for (const uint32_t child : order) all += share(child);
    const double half_sky = half_sky_[node];
    double angle = -half_sky;
    for (size_t i = 0; i < order.size(); ++i) {
      const uint32_t child = order[i];
      const double half_share = half_sky * share(child) / all;
      const double half_arc = std::min(kFilled * half_share, kWidestHalfArc);
      // A step towards an arc widens it: the tangents of half of what one sees grow as exp(step).
      const double tangent = std::tan(half_arc / 2);
      const double distance = std::max(std::log(std::tan(kNarrowestSky / 2) / tangent), kNearest);
      half_sky_[child] = 2 * std::atan(std::exp(distance) * tangent);
      layout_.half_arc[child] = half_arc;
      layout_.node_in_parent[child] = {angle + half_share, distance};
      // Within the rays to the ends of the arc, and half way to parent and children at most.
      layout_.item_radius[child] =
          kFilledDisk *
          std::min(std::asinh(std::sinh(distance) * std::sin(half_arc)), distance / 2);
      layout_.item_radius[node] = std::min(layout_.item_radius[node], kFilledDisk * distance / 2);
      angle += 2 * half_share;
      beside_[child] = beside_[node];
      if (i > 0) beside_[child].right = order[i - 1];
      if (i + 1 < order.size()) beside_[child].left = order[i + 1];
      if (node == NodeTree::kRoot && order.size() > 1) {
        beside_[child] = {order[(i + order.size() - 1) % order.size()],
                          order[(i + 1) % order.size()]};
      }
    }
  }

  double share(uint32_t node) const {
    return std::sqrt(static_cast<double>(std::max<size_t>(tree_.size(node), 1)));
  }

  void place_items(uint32_t node) {
    const auto own = tree_.own_items(node);
    const size_t m = own.size();
    if (m < 2) return;  // one item is where its node is
    const std::vector<double> angles = angles_around(node);
    std::vector<uint32_t> order(m);
    std::iota(order.begin(), order.end(), 0u);
    const auto strength = [&](uint32_t item) {
      return std::isnan(strength_[item]) ? 0.0f : strength_[item];
    };
    std::ranges::sort(order, {}, [&](uint32_t i) {
      return std::tuple(is_outlier_[own[i]] != 0, -strength(own[i]), own[i]);
    });
    const double room = std::cosh(layout_.item_radius[node]) - 1;  // areas go with cosh - 1
    for (size_t rank = 0; rank < m; ++rank) {
      const double share = (static_cast<double>(rank) + 0.5) / static_cast<double>(m);
      layout_.item_in_node[own[order[rank]]] = {angles[order[rank]], std::acosh(1 + share * room)};
    }
  }

  // Evenly spread angles for the own items of a node, in the order of the slow modes of a walk.
  std::vector<double> angles_around(uint32_t node) const {
    const auto own = tree_.own_items(node);
    const size_t m = own.size();
    std::vector<GraphEdge> edges;
    for (uint32_t i = 0; i < m; ++i) {
      for (const uint32_t other : neighbors_.row(own[i])) {
        if (other == kNoNeighbor || tree_.node_of(other) != node || slot_[other] == i) continue;
        edges.push_back({i, slot_[other], 1});
        edges.push_back({slot_[other], i, 1});
      }
    }
    // Column 0 is the resting state.
    const Matrix<float> modes =
        diffusion_coordinates(CsrGraph::from_edges(m, edges), {.n_dims = 3, .time = 1});
    std::vector<double> around(m);
    for (size_t i = 0; i < m; ++i) around[i] = std::atan2(modes(i, 2), modes(i, 1));
    std::vector<uint32_t> order(m);
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, {}, [&](uint32_t i) { return around[i]; });
    std::vector<double> angles(m);
    for (size_t rank = 0; rank < m; ++rank) {
      angles[order[rank]] = 2 * pi * (static_cast<double>(rank) + 0.5) / static_cast<double>(m);
    }
    turn(node, angles);
    return angles;
  }

  // The mean direction, around the node, of the items nearer to mean vector `towards` than to
  // `from`.
  std::complex<double> direction(uint32_t node, std::span<const double> angles,
                                 const float* towards, const float* from) const {
    const auto own = tree_.own_items(node);
    std::complex<double> sum = 0;
    for (size_t i = 0; i < own.size(); ++i) {
      const float* row = vectors_.row_data(own[i]);
      const double pull = squared_distance(row, from, vectors_.cols()) -
                          squared_distance(row, towards, vectors_.cols());
      sum += pull * std::polar(1.0, angles[i]);
    }
    return sum;
  }

  // Modes have no direction of their own: what is near the branch on the left comes to the left,
  // then what is near the parent comes behind.
  void turn(uint32_t node, std::vector<double>& angles) const {
    const Beside beside = beside_[node];
    if (beside.left == kNoNode) return;
    const float* own_mean = means_.row_data(node);
    const std::complex<double> left =
        direction(node, angles, means_.row_data(beside.left), means_.row_data(beside.right));
    for (double& angle : angles) angle += pi / 2 - std::arg(left);
    const std::complex<double> back =
        direction(node, angles, means_.row_data(tree_.parent(node)), own_mean);
    if (back.real() <= 0) return;
    for (double& angle : angles) angle = pi - angle;  // left stays left
  }

  const NodeTree& tree_;
  const MatrixView<const float> vectors_;
  const MatrixView<const uint32_t> neighbors_;
  const std::span<const float> strength_;
  const std::span<const uint8_t> is_outlier_;
  const Matrix<float> means_;
  std::vector<double> half_sky_;  // what each node sees, to each side, of its own arc
  std::vector<Beside> beside_;    // of each node
  std::vector<uint32_t> slot_;    // of each item among the own items of its node
  DiskLayout layout_;
};

}  // namespace

DiskLayout layout_disk(const NodeTree& tree, MatrixView<const float> vectors,
                       MatrixView<const uint32_t> neighbors, std::span<const float> strength,
                       std::span<const uint8_t> is_outlier) {
  const size_t n = tree.n_items();
  const auto fits = [&](std::string_view what, size_t rows) {
    require(rows == n, "{} are of {} items, the tree is of {}", what, rows, n);
  };
  fits("vectors", vectors.rows());
  fits("neighbors", neighbors.rows());
  fits("strengths", strength.size());
  fits("outlier marks", is_outlier.size());
  for (size_t i = 0; i < n; ++i) {
    for (const uint32_t neighbor : neighbors.row(i)) {
      require(neighbor < n || neighbor == kNoNeighbor,
              "item {} has neighbor {}, but there are {} items", i, neighbor, n);
    }
  }
  return DiskLayouter(tree, vectors, neighbors, strength, is_outlier).run();
}

DiskView view_from(const DiskLayout& layout, const NodeTree& tree, uint32_t focus) {
  const size_t n_nodes = tree.n_nodes();
  require(focus < n_nodes, "there is no node {}: the tree has nodes 0 to {}", focus, n_nodes - 1);
  require(layout.node_in_parent.size() == n_nodes && layout.item_in_node.size() == tree.n_items(),
          "the layout is of {} nodes and {} items, the tree of {} and {}",
          layout.node_in_parent.size(), layout.item_in_node.size(), n_nodes, tree.n_items());
  // The frames of the nodes above the focus lie behind each other; all others are below one.
  std::vector<DiskMotion> frames(n_nodes);
  std::vector<bool> is_known(n_nodes, false);
  is_known[focus] = true;
  for (uint32_t node = focus; node != NodeTree::kRoot; node = tree.parent(node)) {
    const DiskMotion to_child = DiskMotion::to(layout.node_in_parent[node]);
    frames[tree.parent(node)] = frames[node] * to_child.inverse();
    is_known[tree.parent(node)] = true;
  }
  DiskView view;
  view.nodes.resize(n_nodes);
  view.items.resize(tree.n_items());
  for (uint32_t node = 0; node < n_nodes; ++node) {
    if (!is_known[node]) {
      frames[node] = frames[tree.parent(node)] * DiskMotion::to(layout.node_in_parent[node]);
    }
    view.nodes[node] = frames[node].origin();
  }
  parallel_for(0, tree.n_items(), 4096, [&](size_t first, size_t last) {
    for (size_t item = first; item < last; ++item) {
      const DiskMotion& frame = frames[tree.node_of(static_cast<uint32_t>(item))];
      view.items[item] = (frame * DiskMotion::to(layout.item_in_node[item])).origin();
    }
  });
  return view;
}

}  // namespace carya
