#pragma once

#include <cstddef>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/knn.h"
#include "carya/tree/hierarchy.h"

namespace carya {

struct MutualReachability {
  size_t min_samples = 5;  // 1 .. n-1: the neighbour whose distance is the core distance
  double alpha = 1;        // > 0
  void validate(size_t n_points) const;  // throws kInvalidArgument
};

// A minimum spanning tree under m(a, b) = max(core(a), core(b), d(a, b) / alpha), where core is the
// Euclidean distance to the min_samples-th neighbour, the point itself not counted.
struct MutualReachabilityTree {
  std::vector<Edge> edges;             // n-1, by weight, then by items (a < b)
  std::vector<double> core_distances;  // [n]
};

// Exact: distances are those of the float coordinates in double, and the tree's weight equals that
// of dense Prim's.  points [n, dim], finite, n >= 1; for n = 1 there are no edges.
//
// k-nearest-neighbour lists by a kd-tree whose leaves of 64 points are compared by SIMD tiles; then
// Boruvka's rounds (McInnes & Healy 2017): each component but the largest looks for its lightest
// edge, first in the lists.  What is outside a point's list cannot be lighter than its end, so only
// points whose bound is below the best of their component walk the tree.  Float tiles are a filter
// with a proven margin, survivors are compared in double.  About n log n distances in few
// dimensions; in many, each point is compared with all others once for its list and on average once
// or twice more.  Memory: 3 copies of the points, 12 bytes for each list entry (16 a point or
// min_samples + 4).  The same for every number of threads.
MutualReachabilityTree mutual_reachability_mst(MatrixView<const float> points,
                                               const MutualReachability& options,
                                               Progress* progress = nullptr);

// Approximate: only the edges of the given lists, and where they leave components apart, the
// nearest outside points of up to n_representatives points of each component (all of it if it is
// smaller), spread evenly.  A joining edge is too long by at most the distance from the true
// edge's end to the nearest representative of its component; core distances come from the
// lists: they are too large where a list misses neighbours.  neighbors [n, k] by Euclidean or
// squared distance (distances are computed anew), k >= min_samples, kNoNeighbor allowed at the end
// of a list. O(n k + representatives n dim).
MutualReachabilityTree knn_graph_mst(MatrixView<const float> points, const Neighbors& neighbors,
                                     const MutualReachability& options,
                                     size_t n_representatives = 16, Progress* progress = nullptr);

}  // namespace carya
