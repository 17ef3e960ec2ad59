#pragma once

#include <cstddef>
#include <limits>
#include <vector>

#include "carya/core/progress.h"
#include "carya/tree/hierarchy.h"
#include "carya/tree/point_tree.h"

namespace carya {

// What Boruvka's rounds know about each point at the start, by position in the tree.
struct ReachabilityLists {
  std::vector<double> core;    // [n] core distances
  Matrix<double> weights;      // [n, k] mutual reachabilities of the listed points, rising; may be
  Matrix<uint32_t> positions;  // [n, k] empty
  std::vector<double> bounds;  // [n] no point that is not listed has a lower one
  double alpha = 1;
};

struct BoruvkaOptions {
  // How many points of a component may walk the tree in a round; fewer than all is approximate.
  size_t n_representatives = std::numeric_limits<size_t>::max();
};

// Completes `edges` (a forest, by positions) to a minimum spanning tree that contains it.
void complete_spanning_tree(const PointTree& tree, const ReachabilityLists& lists,
                            const BoruvkaOptions& options, std::vector<Edge>& edges,
                            Progress* progress);

}  // namespace carya
