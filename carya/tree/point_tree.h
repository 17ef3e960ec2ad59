#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/leaf_tile.h"
#include "carya/tree/squared_distance.h"

namespace carya {

// A kd-tree whose leaves hold 64 points in the layout of carya/simd/leaf_tile.h.  Points are named
// by their position in tree order; item() gives the row they came from.  In few dimensions the
// boxes prune; in many they do not, and a walk becomes brute force by tiles.  Immutable.
class PointTree {
 public:
  struct Node {
    uint32_t first_leaf, last_leaf;  // the leaves below: first_leaf .. last_leaf - 1
    uint32_t right;                  // of an inner node; its left child is the next node
    bool is_leaf() const noexcept { return last_leaf - first_leaf == 1; }
  };

  // points [n, dim], finite, n >= 1.  O(n log n dim); copies the points twice.
  explicit PointTree(MatrixView<const float> points);

  size_t size() const noexcept { return rows_.rows(); }
  size_t dim() const noexcept { return rows_.cols(); }
  size_t n_leaves() const noexcept { return (size() + kLeafSize - 1) / kLeafSize; }
  uint32_t item(size_t position) const noexcept { return items_[position]; }
  const float* row(size_t position) const noexcept { return rows_.row_data(position); }
  // [dim, kLeafSize]; the last leaf repeats its last point.
  const float* panel(size_t leaf) const noexcept {
    return panels_.data() + leaf * dim() * kLeafSize;
  }
  size_t leaf_size(size_t leaf) const noexcept {
    return leaf + 1 < n_leaves() ? kLeafSize : size() - leaf * kLeafSize;
  }
  std::span<const Node> nodes() const noexcept { return nodes_; }  // 0 is the root
  const float* lo(size_t node) const noexcept { return lo_.row_data(node); }
  const float* hi(size_t node) const noexcept { return hi_.row_data(node); }
  uint32_t node_of_leaf(size_t leaf) const noexcept { return node_of_leaf_[leaf]; }

  // The definition of distance, to which all float results are only a filter.
  double squared_distance(size_t a, size_t b) const noexcept {
    return carya::squared_distance(row(a), row(b), dim());
  }
  // A float result x of leaf_distances or of boxes is within x (1 +- margin()) of that.
  float margin() const noexcept { return margin_; }
  // Squared distance of the boxes of two nodes, at most.
  float box_distance(size_t node_a, size_t node_b) const noexcept;

  // Visits leaves near the box of leaf `from`, nearer branches first.  limit(): squared distance
  // beyond which nothing is wanted, may shrink meanwhile; skip(node): nothing is wanted below.
  template <class Limit, class Skip, class Visit>
  void walk(size_t from, const Limit& limit, const Skip& skip, const Visit& visit) const {
    const uint32_t home = node_of_leaf_[from];
    std::vector<std::pair<float, uint32_t>> stack = {{0.0f, 0u}};
    while (!stack.empty()) {
      const auto [distance, node] = stack.back();
      stack.pop_back();
      if (distance > limit() || skip(node)) continue;
      if (nodes_[node].is_leaf()) {
        visit(nodes_[node].first_leaf);
        continue;
      }
      std::pair<float, uint32_t> near{box_distance(home, node + 1), node + 1};
      std::pair<float, uint32_t> far{box_distance(home, nodes_[node].right), nodes_[node].right};
      // Home is at distance 0 as are neighbours that touch it: it goes first.
      const bool home_is_right = nodes_[far.second].first_leaf <= from;
      const bool has_home = nodes_[node].first_leaf <= from && from < nodes_[node].last_leaf;
      if (has_home ? home_is_right : far.first < near.first) std::swap(near, far);
      stack.push_back(far);
      stack.push_back(near);
    }
  }

 private:
  uint32_t build(MatrixView<const float> points, uint32_t first_leaf, uint32_t last_leaf);

  std::vector<uint32_t> items_;
  Matrix<float> rows_;    // [n, dim], in tree order
  Matrix<float> panels_;  // [n_leaves * dim, kLeafSize]
  std::vector<Node> nodes_;
  std::vector<uint32_t> node_of_leaf_;
  Matrix<float> lo_, hi_;  // [n_nodes, dim]
  float margin_;
};

// The k nearest of each point, by position: exact up to the rounding of float.
struct PointNeighbors {
  Matrix<uint32_t> positions;  // [n, k], nearest first
  Matrix<float> squared;       // [n, k]
};
// 1 <= k < n.  Each leaf walks the tree once with all its points.
PointNeighbors nearest_points(const PointTree& tree, size_t k, Progress* progress = nullptr);

}  // namespace carya
