#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "carya/tree/hierarchy.h"

namespace carya {

// A Hierarchy without its small branches: clusters of at least min_cluster_size items, and where
// each item falls out of them.  lambda = 1 / height; infinite for height 0.  Campello et al. 2013;
// McInnes & Healy 2017; card 076.
struct CondensedTree {
  struct Cluster {
    uint32_t parent;      // < its own id; kNoCluster for the root, cluster 0
    uint32_t size;        // items in it and below
    double lambda_birth;  // where it splits from its parent; 0 for the root
    double lambda_death;  // where the last of its items falls out or it splits
    double stability;     // sum over its items of lambda_leave - lambda_birth
  };
  static constexpr uint32_t kNoCluster = 0xffffffffu;

  std::vector<Cluster> clusters;       // parents first; siblings by their smallest item
  std::vector<uint32_t> item_cluster;  // [n_items], the deepest cluster that has the item
  std::vector<double> item_lambda;     // [n_items], where the item falls out of it

  size_t n_items() const noexcept { return item_cluster.size(); }
  std::vector<std::vector<uint32_t>> children() const;  // of each cluster
};

// All merges of one height are one split into many parts, so that the result depends on the
// partitions at each height only: not on the order of the items (but for the numbers of the
// clusters), nor on which of several minimum spanning trees was found.  A split counts if two parts
// or more have min_cluster_size items; otherwise the small parts fall out and the large one goes on
// as the same cluster.  min_cluster_size >= 2.  O(n log n).  Throws kInvalidArgument.
CondensedTree condense(const Hierarchy& hierarchy, size_t min_cluster_size);

}  // namespace carya
