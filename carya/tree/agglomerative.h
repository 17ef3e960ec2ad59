#pragma once

#include <cstddef>
#include <span>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/tree/hierarchy.h"
#include "carya/tree/linkage.h"

namespace carya {

struct AgglomerativeOptions {
  LinkageKind linkage = LinkageKind::kWard;
  // [n], > 0: how many items each point stands for, so that Ward over k-means centroids with their
  // counts is Ward over the items; empty: 1 each.  Must live during the call.
  std::span<const double> weights = {};
  size_t max_bytes = size_t{8} << 30;   // memory for the n x n distances
  void validate(size_t n_items) const;  // throws kInvalidArgument
};

// Merges the two nearest clusters until one is left.  points [n, dim], finite, n >= 1; for a few
// thousand.  Nearest-neighbour chain (Murtagh 1983): O(n^2 dim) time, 8 n^2 bytes.  Of equally near
// clusters the one with the smaller item is taken.  Throws kInvalidArgument.
//
//   const Hierarchy tree = agglomerate(centroids, {.weights = counts});
Hierarchy agglomerate(MatrixView<const float> points, const AgglomerativeOptions& options = {},
                      Progress* progress = nullptr);

}  // namespace carya
