#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "carya/tree/condensed_tree.h"

namespace carya {

enum class ClusterSelection {
  kExcessOfMass,  // the clusters that last longest: of varying density, few and large
  kLeaf,          // the clusters that do not split further: many, small and homogeneous
};

// Which clusters of a condensed tree become labels.
struct SelectionOptions {
  ClusterSelection method = ClusterSelection::kExcessOfMass;
  double epsilon = 0;         // clusters are not split below this distance; >= 0, 0: no such floor
  bool allow_single = false;  // whether the whole may be the only cluster
  void validate() const;      // throws kInvalidArgument
};

// Disjoint clusters, by rising id.  Excess of mass keeps a cluster, and drops those below it, if
// its stability is at least the sum of the best below it.  Epsilon replaces a cluster born below
// that distance by its first ancestor born above it (Malzer & Baum 2020).  O(clusters).
std::vector<uint32_t> select_clusters(const CondensedTree& tree, const SelectionOptions& options);

struct Membership {
  std::vector<int32_t> labels;        // [n_items], by the first item of each cluster; -1 is noise
  std::vector<double> probabilities;  // [n_items], lambda over the largest of the cluster, <= 1
  std::vector<uint32_t> selected;     // the cluster of each label
};

// The items of the selected clusters and of those below them.  If the root is selected but splits,
// the items that fell out of it before that (or above epsilon, if there is one) are noise.
Membership assign_items(const CondensedTree& tree, std::span<const uint32_t> selected,
                        const SelectionOptions& options);

// For each cluster the selected one that is it or is above it; kNoCluster if there is none.
std::vector<uint32_t> selected_above(const CondensedTree& tree, std::span<const uint32_t> selected);

// The largest finite lambda at which items leave each cluster itself; 0 if there is none.
std::vector<double> largest_lambdas(const CondensedTree& tree);

// GLOSH: 1 - lambda of the item over the largest of its cluster and those below, in [0, 1]; large =
// outlier.  Campello et al. 2015.
std::vector<double> outlier_scores(const CondensedTree& tree);

}  // namespace carya
