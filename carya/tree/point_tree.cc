#include "carya/tree/point_tree.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>

#include "carya/core/parallel.h"

namespace carya {

PointTree::PointTree(MatrixView<const float> points)
    : items_(points.rows()),
      rows_(Matrix<float>::uninitialized(points.rows(), points.cols())),
      margin_((static_cast<float>(points.cols()) + 8) * 0x1.0p-23f) {
  CARYA_ASSERT(points.rows() >= 1);
  const size_t n_leaves = this->n_leaves();
  panels_ = Matrix<float>::uninitialized(n_leaves * dim(), kLeafSize);
  lo_ = Matrix<float>::uninitialized(2 * n_leaves - 1, dim());
  hi_ = Matrix<float>::uninitialized(2 * n_leaves - 1, dim());
  nodes_.reserve(2 * n_leaves - 1);
  node_of_leaf_.resize(n_leaves);
  std::iota(items_.begin(), items_.end(), 0u);
  build(points, 0, static_cast<uint32_t>(n_leaves));

  parallel_for(0, n_leaves, 16, [&](size_t first, size_t last) {
    for (size_t leaf = first; leaf < last; ++leaf) {
      float* panel = panels_.row_data(leaf * dim());
      for (size_t i = 0; i < kLeafSize; ++i) {
        const size_t position = leaf * kLeafSize + std::min(i, leaf_size(leaf) - 1);
        const float* from = points.row_data(items_[position]);
        if (i < leaf_size(leaf)) std::copy_n(from, dim(), rows_.row_data(position));
        for (size_t j = 0; j < dim(); ++j) panel[j * kLeafSize + i] = from[j];
      }
    }
  });
}

uint32_t PointTree::build(MatrixView<const float> points, uint32_t first_leaf, uint32_t last_leaf) {
  const auto node = static_cast<uint32_t>(nodes_.size());
  nodes_.push_back({first_leaf, last_leaf, 0});
  const auto begin = items_.begin() + static_cast<ptrdiff_t>(first_leaf * kLeafSize);
  const auto end = items_.begin() + static_cast<ptrdiff_t>(std::min(size(), last_leaf * kLeafSize));
  float *lo = lo_.row_data(node), *hi = hi_.row_data(node);
  std::copy_n(points.row_data(*begin), dim(), lo);
  std::copy_n(lo, dim(), hi);
  for (auto it = begin; it != end; ++it) {
    const float* row = points.row_data(*it);
    for (size_t j = 0; j < dim(); ++j) {
      lo[j] = std::min(lo[j], row[j]);
      hi[j] = std::max(hi[j], row[j]);
    }
  }
  if (last_leaf - first_leaf == 1) {
    node_of_leaf_[first_leaf] = node;
    return node;
  }
  size_t widest = 0;
  for (size_t j = 1; j < dim(); ++j) {
    if (hi[j] - lo[j] > hi[widest] - lo[widest]) widest = j;
  }
  const uint32_t middle = first_leaf + (last_leaf - first_leaf) / 2;
  if (dim() > 0) {
    const auto key = [&](uint32_t item) { return std::pair(points(item, widest), item); };
    std::ranges::nth_element(begin, items_.begin() + static_cast<ptrdiff_t>(middle * kLeafSize),
                             end, {}, key);
  }
  build(points, first_leaf, middle);
  const uint32_t right = build(points, middle, last_leaf);
  nodes_[node].right = right;
  return node;
}

float PointTree::box_distance(size_t node_a, size_t node_b) const noexcept {
  const float *lo_a = lo(node_a), *hi_a = hi(node_a), *lo_b = lo(node_b), *hi_b = hi(node_b);
  float sum = 0;
  for (size_t j = 0; j < dim(); ++j) {
    const float gap = std::max({lo_a[j] - hi_b[j], lo_b[j] - hi_a[j], 0.0f});
    sum += gap * gap;
  }
  return sum * (1 - 2 * margin_);
}

namespace {

// The k nearest so far of the points of one leaf, each list sorted by distance.
class LeafLists {
 public:
  LeafLists(PointNeighbors& result, size_t first_position, size_t n_rows)
      : result_(result), first_(first_position), n_rows_(n_rows) {
    limits_.fill(std::numeric_limits<float>::infinity());
  }
  float limit(size_t row) const { return limits_[row]; }
  // Just below the largest, because what equals it is not inserted: duplicates end the walk.
  float wanted() const {
    const float largest =
        *std::max_element(limits_.begin(), limits_.begin() + static_cast<ptrdiff_t>(n_rows_));
    return std::nextafter(largest, -1.0f);
  }
  void insert(size_t row, uint32_t position, float squared) {
    const size_t k = result_.positions.cols();
    float* distances = result_.squared.row_data(first_ + row);
    uint32_t* positions = result_.positions.row_data(first_ + row);
    if (squared >= distances[k - 1]) return;
    size_t slot = k - 1;
    for (; slot > 0 && distances[slot - 1] > squared; --slot) {
      distances[slot] = distances[slot - 1];
      positions[slot] = positions[slot - 1];
    }
    distances[slot] = squared;
    positions[slot] = position;
    limits_[row] = distances[k - 1];
  }

 private:
  PointNeighbors& result_;
  size_t first_, n_rows_;
  std::array<float, kLeafSize> limits_;
};

void search_leaf(const PointTree& tree, size_t leaf, PointNeighbors& result) {
  const size_t n_rows = tree.leaf_size(leaf), first = leaf * kLeafSize;
  LeafLists lists(result, first, n_rows);
  std::array<const float*, kLeafSize> rows;
  std::array<float, kLeafSize> limits, to_box;
  std::array<size_t, kLeafSize> row_of;
  std::array<uint64_t, kLeafSize> near;
  std::array<float, kLeafSize * kLeafSize> distances;
  const auto visit = [&](uint32_t other) {
    const uint32_t node = tree.node_of_leaf(other);
    leaf_box_distances(tree.panel(leaf), tree.dim(), tree.lo(node), tree.hi(node), to_box.data());
    size_t n_active = 0;
    for (size_t i = 0; i < n_rows; ++i) {
      if (to_box[i] * (1 - 2 * tree.margin()) >= lists.limit(i)) continue;
      rows[n_active] = tree.row(first + i);
      limits[n_active] = lists.limit(i);
      row_of[n_active++] = i;
    }
    leaf_distances({rows.data(), n_active}, tree.panel(other), tree.dim(), distances.data());
    leaf_within(distances.data(), n_active, limits.data(), near.data());
    const size_t n_cols = tree.leaf_size(other);
    const uint64_t valid = ~uint64_t{0} >> (kLeafSize - n_cols);
    for (size_t i = 0; i < n_active; ++i) {
      uint64_t bits = near[i] & valid;
      if (other == leaf) bits &= ~(uint64_t{1} << row_of[i]);
      for (; bits != 0; bits &= bits - 1) {
        const auto col = static_cast<size_t>(std::countr_zero(bits));
        lists.insert(row_of[i], static_cast<uint32_t>(other * kLeafSize + col),
                     distances[i * kLeafSize + col]);
      }
    }
  };
  tree.walk(
      leaf, [&] { return lists.wanted(); }, [](uint32_t) { return false; }, visit);
}

}  // namespace

PointNeighbors nearest_points(const PointTree& tree, size_t k, Progress* progress) {
  CARYA_ASSERT(k >= 1 && k < tree.size());
  PointNeighbors result{Matrix<uint32_t>(tree.size(), k),
                        Matrix<float>::uninitialized(tree.size(), k)};
  std::ranges::fill(result.squared.flat(), std::numeric_limits<float>::infinity());
  begin_stage(progress, "nearest neighbours", tree.n_leaves(), "leaves");
  parallel_for(0, tree.n_leaves(), 4, [&](size_t first, size_t last) {
    for (size_t leaf = first; leaf < last; ++leaf) search_leaf(tree, leaf, result);
    advance(progress, last - first);
  });
  return result;
}

}  // namespace carya
