#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/tree/hierarchy.h"

namespace carya {

struct WardOfManyOptions {
  size_t max_dense = 2048;  // clusters merged with all their distances at hand; >= 2
  size_t micro_size = 64;   // items a micro-cluster, about; >= 1
  uint64_t seed = 0;
  void validate() const;
};

// Ward's hierarchy of more points than their distances fit into memory: k-means gathers
// micro-clusters, Ward merges the points within each (by the same means, if it is large) and then
// the micro-clusters, weighted by their sizes.  A merge is never lower than those below it: heights
// are raised where the two stages disagree.  Exact up to max_dense points. points [n, dim], finite,
// n >= 1.  O(n sqrt(n) dim) about; 8 max_dense^2 bytes and the merges.  The same for every number
// of threads.  Throws kInvalidArgument.
Hierarchy ward_of_many(MatrixView<const float> points, const WardOfManyOptions& options = {},
                       Progress* progress = nullptr);

// The same with given groups instead of micro-clusters: the points of each group first, then the
// groups by their means.  labels [n]: 0 .. n_groups-1; groups may be empty.
Hierarchy ward_of_groups(MatrixView<const float> points, std::span<const int32_t> labels,
                         size_t n_groups, const WardOfManyOptions& options = {},
                         Progress* progress = nullptr);

}  // namespace carya
