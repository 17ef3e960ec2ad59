#include "carya/tree/cluster_selection.h"

#include <algorithm>
#include <cmath>

#include "carya/core/error.h"

namespace carya {
namespace {

constexpr uint32_t kNoCluster = CondensedTree::kNoCluster;

// The clusters marked in `is_selected` that have none of them above.
std::vector<uint32_t> topmost(const CondensedTree& tree, const std::vector<bool>& is_selected) {
  std::vector<bool> is_covered(tree.clusters.size(), false);
  std::vector<uint32_t> result;
  for (uint32_t cluster = 0; cluster < tree.clusters.size(); ++cluster) {
    const uint32_t parent = tree.clusters[cluster].parent;
    is_covered[cluster] = parent != kNoCluster && (is_covered[parent] || is_selected[parent]);
    if (is_selected[cluster] && !is_covered[cluster]) result.push_back(cluster);
  }
  return result;
}

std::vector<uint32_t> excess_of_mass(const CondensedTree& tree, bool allow_single) {
  const size_t n = tree.clusters.size();
  std::vector<double> best_below(n, 0);
  std::vector<bool> is_selected(n, false);
  for (size_t cluster = n; cluster-- > 0;) {  // children before parents
    const double stability = tree.clusters[cluster].stability;
    is_selected[cluster] = stability >= best_below[cluster] && (cluster > 0 || allow_single);
    if (cluster == 0) break;
    best_below[tree.clusters[cluster].parent] += std::max(stability, best_below[cluster]);
  }
  return topmost(tree, is_selected);
}

std::vector<uint32_t> leaves(const CondensedTree& tree, bool allow_single) {
  std::vector<bool> is_leaf(tree.clusters.size(), true);
  for (const auto& cluster : tree.clusters) {
    if (cluster.parent != kNoCluster) is_leaf[cluster.parent] = false;
  }
  if (!allow_single) is_leaf[0] = false;
  return topmost(tree, is_leaf);
}

// Each cluster that is born at a smaller distance gives way to its first ancestor that is not.
std::vector<uint32_t> merge_below(const CondensedTree& tree, std::span<const uint32_t> selected,
                                  const SelectionOptions& options) {
  const auto is_below = [&](uint32_t cluster) {
    return 1 / tree.clusters[cluster].lambda_birth < options.epsilon;
  };
  std::vector<bool> is_selected(tree.clusters.size(), false);
  for (uint32_t cluster : selected) {
    while (cluster != 0 && is_below(cluster)) {
      const uint32_t parent = tree.clusters[cluster].parent;
      if (parent == 0 && !options.allow_single) break;
      cluster = parent;
    }
    is_selected[cluster] = true;
  }
  return topmost(tree, is_selected);
}

}  // namespace

void SelectionOptions::validate() const {
  require(epsilon >= 0 && std::isfinite(epsilon),
          "epsilon is {}: it is a distance, 0 or more (0: no floor)", epsilon);
}

std::vector<uint32_t> select_clusters(const CondensedTree& tree, const SelectionOptions& options) {
  options.validate();
  const std::vector<uint32_t> selected = options.method == ClusterSelection::kLeaf
                                             ? leaves(tree, options.allow_single)
                                             : excess_of_mass(tree, options.allow_single);
  return options.epsilon > 0 ? merge_below(tree, selected, options) : selected;
}

std::vector<uint32_t> selected_above(const CondensedTree& tree,
                                     std::span<const uint32_t> selected) {
  std::vector<uint32_t> above(tree.clusters.size(), kNoCluster);
  for (const uint32_t cluster : selected) above[cluster] = cluster;
  for (size_t cluster = 1; cluster < above.size(); ++cluster) {
    if (above[cluster] == kNoCluster) above[cluster] = above[tree.clusters[cluster].parent];
  }
  return above;
}

std::vector<double> largest_lambdas(const CondensedTree& tree) {
  std::vector<double> largest(tree.clusters.size(), 0);
  const auto raise = [&](uint32_t cluster, double lambda) {
    if (std::isfinite(lambda)) largest[cluster] = std::max(largest[cluster], lambda);
  };
  for (size_t i = 0; i < tree.n_items(); ++i) raise(tree.item_cluster[i], tree.item_lambda[i]);
  for (const auto& cluster : tree.clusters) {
    if (cluster.parent != kNoCluster) raise(cluster.parent, cluster.lambda_birth);
  }
  return largest;
}

Membership assign_items(const CondensedTree& tree, std::span<const uint32_t> selected,
                        const SelectionOptions& options) {
  const std::vector<uint32_t> above = selected_above(tree, selected);
  const std::vector<double> largest = largest_lambdas(tree);
  const bool root_splits = tree.clusters.size() > 1;
  const double root_floor =
      options.epsilon > 0 ? 1 / options.epsilon : (root_splits ? largest[0] : 0);

  Membership result;
  result.labels.assign(tree.n_items(), -1);
  result.probabilities.assign(tree.n_items(), 0);
  std::vector<int32_t> label_of(tree.clusters.size(), -1);
  for (size_t i = 0; i < tree.n_items(); ++i) {
    const uint32_t cluster = above[tree.item_cluster[i]];
    const double lambda = tree.item_lambda[i];
    if (cluster == kNoCluster || (cluster == 0 && lambda < root_floor)) continue;
    if (label_of[cluster] < 0) {
      label_of[cluster] = static_cast<int32_t>(result.selected.size());
      result.selected.push_back(cluster);
    }
    result.labels[i] = label_of[cluster];
    result.probabilities[i] = lambda >= largest[cluster] ? 1 : lambda / largest[cluster];
  }
  return result;
}

std::vector<double> outlier_scores(const CondensedTree& tree) {
  std::vector<double> largest = largest_lambdas(tree);
  for (size_t cluster = largest.size(); cluster-- > 1;) {
    double& parent = largest[tree.clusters[cluster].parent];
    parent = std::max(parent, largest[cluster]);
  }
  std::vector<double> scores(tree.n_items(), 0);
  for (size_t i = 0; i < scores.size(); ++i) {
    const double most = largest[tree.item_cluster[i]], lambda = tree.item_lambda[i];
    if (lambda < most) scores[i] = 1 - lambda / most;
  }
  return scores;
}

}  // namespace carya
