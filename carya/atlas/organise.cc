#include "carya/atlas/organise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "carya/core/error.h"
#include "carya/embed/spectrum.h"
#include "carya/graph/csr_graph.h"
#include "carya/tree/hdbscan.h"
#include "carya/tree/kmeans_tree.h"
#include "carya/tree/mutual_reachability.h"
#include "carya/tree/ward_of_many.h"

namespace carya {
namespace {

constexpr std::string_view kMethodNames[] = {"diffusion", "hdbscan", "kmeans-tree"};
constexpr size_t kDiffusionDims = 48;  // 45 to 60 are equal within noise, 100 is worse: docs/quality.md
constexpr size_t kDenseMinSamples = 5;  // neighbours that make an item part of the density
constexpr size_t kItemsPerLeaf = 40;
constexpr size_t kBranching = 12;
constexpr size_t kSettlingRounds = 3;

// The neighbour graph, made connected: walks must reach every item, or its coordinates are empty.
CsrGraph connected_graph(MatrixView<const float> vectors, const Neighbors& neighbors) {
  std::vector<GraphEdge> edges;
  edges.reserve(2 * neighbors.ids.size());
  const auto join = [&](uint32_t a, uint32_t b) {
    edges.push_back({a, b, 1});
    edges.push_back({b, a, 1});
  };
  for (uint32_t i = 0; i < neighbors.ids.rows(); ++i) {
    for (uint32_t j : neighbors.ids.row(i)) {
      if (j != kNoNeighbor) join(i, j);
    }
  }
  size_t n_components = 0;
  const std::vector<uint32_t> component =
      connected_components(CsrGraph::from_edges(vectors.rows(), edges), &n_components);
  if (n_components > 1) {
    // Single linkage over the lists, and over the nearest outside points of a few items of each
    // component, has one edge for each gap.
    const MutualReachabilityTree tree = knn_graph_mst(vectors, neighbors, {.min_samples = 1});
    for (const Edge& edge : tree.edges) {
      if (component[edge.a] != component[edge.b]) join(edge.a, edge.b);
    }
  }
  return CsrGraph::from_edges(vectors.rows(), edges);
}

Hierarchy diffusion_hierarchy(MatrixView<const float> vectors, const Neighbors& neighbors, uint64_t seed,
                              Progress* progress) {
  const Matrix<float> coordinates = diffusion_coordinates(
      connected_graph(vectors, neighbors), {.n_dims = kDiffusionDims, .seed = seed}, progress);
  return ward_of_many(coordinates, {.seed = seed}, progress);
}

// Clusters of clusters down to leaves of about 40 items.
KMeansTree kmeans_tree(MatrixView<const float> vectors, const OrganiseOptions& options, Progress* progress) {
  const size_t leaf_size = std::max(kItemsPerLeaf, 2 * options.cluster_size_for(vectors.rows()));
  std::vector<KMeansLevel> levels;
  for (size_t k = vectors.rows() / leaf_size; k >= 2; k /= kBranching) {
    levels.push_back({.n_clusters = k, .n_resamples = 2});
    if (options.n_levels != 0 && levels.size() == options.n_levels) break;
  }
  if (levels.empty()) levels.push_back({.n_clusters = 1, .n_resamples = 0});
  return hierarchical_kmeans(vectors, levels, {.seed = options.seed}, progress);
}

// The levels of a k-means tree as nodes, the root first; clusters without items are left out.
NodeTree nodes_of(const KMeansTree& means) {
  const size_t n_levels = means.levels.size();
  std::vector<uint32_t> parents = {kNoNode}, node_above = {NodeTree::kRoot};
  for (size_t level = n_levels; level-- > 0;) {  // node_above: the node of each cluster one level up
    const size_t k = means.levels[level].centroids.rows();
    std::vector<uint8_t> used(k, 0);
    const std::vector<int32_t> labels = means.labels(level);
    for (int32_t label : labels) used[static_cast<size_t>(label)] = 1;
    std::vector<uint32_t> nodes(k, NodeTree::kRoot);
    for (size_t c = 0; c < k && k > 1; ++c) {
      if (!used[c]) continue;
      nodes[c] = static_cast<uint32_t>(parents.size());
      parents.push_back(level + 1 == n_levels ? NodeTree::kRoot
                                              : node_above[means.levels[level + 1].parent[c]]);
    }
    node_above = std::move(nodes);
  }
  std::vector<uint32_t> node_of_item;
  for (int32_t label : means.labels(0)) node_of_item.push_back(node_above[static_cast<size_t>(label)]);
  return NodeTree(std::move(parents), std::move(node_of_item));
}

// A tree's nodes as binary merges, the deepest first: the height is the number of levels below.
Hierarchy merges_of(const NodeTree& tree) {
  const auto n = static_cast<uint32_t>(tree.n_items());
  std::vector<Merge> merges;
  std::vector<uint32_t> made(tree.n_nodes(), kNoNode);
  std::vector<uint32_t> nodes(tree.n_nodes());
  std::iota(nodes.begin(), nodes.end(), 0u);
  std::ranges::stable_sort(nodes, [&](uint32_t a, uint32_t b) { return tree.depth(a) > tree.depth(b); });
  const auto size_of = [&](uint32_t node) { return node < n ? 1 : merges[node - n].size; };
  for (uint32_t node : nodes) {
    std::vector<uint32_t> parts(tree.own_items(node).begin(), tree.own_items(node).end());
    for (uint32_t child : tree.children(node)) {
      if (made[child] != kNoNode) parts.push_back(made[child]);
    }
    if (parts.empty()) continue;
    uint32_t whole = parts[0];
    for (size_t i = 1; i < parts.size(); ++i) {
      merges.push_back({std::min(whole, parts[i]), std::max(whole, parts[i]),
                        size_of(whole) + size_of(parts[i]),
                        static_cast<double>(tree.max_depth() + 1 - tree.depth(node))});
      whole = static_cast<uint32_t>(n + merges.size() - 1);
    }
    made[node] = whole;
  }
  return Hierarchy(n, std::move(merges));
}

// Items that were left at an inner node move to the leaf below it where most of their neighbours are,
// the nearer ones counting more; an item none of whose neighbours is there stays.
NodeTree settle(const NodeTree& tree, const Neighbors& neighbors) {
  std::vector<uint32_t> node_of(tree.nodes_of_items().begin(), tree.nodes_of_items().end());
  for (size_t round = 0; round < kSettlingRounds; ++round) {
    std::vector<std::pair<uint32_t, uint32_t>> moves;
    for (uint32_t item = 0; item < node_of.size(); ++item) {
      if (tree.is_leaf(node_of[item])) continue;
      std::map<uint32_t, double> votes;
      double weight = 1;
      for (uint32_t other : neighbors.ids.row(item)) {
        if (other == kNoNeighbor) break;
        const uint32_t leaf = node_of[other];
        if (tree.is_leaf(leaf) && tree.is_below(leaf, node_of[item])) votes[leaf] += weight;
        weight *= 0.9;
      }
      if (votes.empty()) continue;
      moves.emplace_back(item, std::ranges::max_element(votes, {}, [](const auto& v) { return v.second; })->first);
    }
    if (moves.empty()) break;
    for (const auto& [item, leaf] : moves) node_of[item] = leaf;
  }
  return NodeTree({tree.parents().begin(), tree.parents().end()}, std::move(node_of));
}

}  // namespace

std::string_view organise_method_name(OrganiseMethod method) {
  return kMethodNames[static_cast<size_t>(method)];
}

OrganiseMethod organise_method_from_name(std::string_view name) {
  const auto found = std::ranges::find(kMethodNames, name);
  require(found != std::end(kMethodNames), "'{}' organises nothing: use diffusion, hdbscan or kmeans-tree",
          name);
  return static_cast<OrganiseMethod>(found - std::begin(kMethodNames));
}

void OrganiseOptions::validate() const {
  require(!min_cluster_size || *min_cluster_size >= 2, "--min-cluster-size is {}: a topic has 2 items or more",
          min_cluster_size.value_or(0));
  require(n_levels <= 10, "--levels is {}: 1 to 10, or 0 to choose", n_levels);
}

size_t OrganiseOptions::cluster_size_for(size_t n_items) const {
  if (min_cluster_size) return *min_cluster_size;
  const double root = std::sqrt(static_cast<double>(n_items) / 10);
  return static_cast<size_t>(std::clamp(root / 4, 5.0, 50.0));
}

Organised organise(MatrixView<const float> vectors, const Neighbors& neighbors, const OrganiseOptions& options,
                   Progress* progress) {
  options.validate();
  const size_t n = vectors.rows();
  require(n >= 1, "there are no items to organise");
  if (n == 1) return {Hierarchy(1, {}), NodeTree({kNoNode}, {0}), {1.0f}, {0}};

  const size_t cluster_size = options.cluster_size_for(n);
  const BrowseOptions browse{.n_levels = options.n_levels, .min_cluster_size = cluster_size};
  const size_t min_samples = std::min({kDenseMinSamples, n - 1, neighbors.ids.cols()});
  MutualReachabilityTree spanning = knn_graph_mst(vectors, neighbors, {.min_samples = min_samples});
  const HdbscanResult density = hdbscan_of_mst(spanning.edges, std::move(spanning.core_distances), cluster_size,
                                               {.method = ClusterSelection::kLeaf});
  Organised result = [&]() -> Organised {
    switch (options.method) {
      case OrganiseMethod::kDiffusion: {
        Hierarchy hierarchy = diffusion_hierarchy(vectors, neighbors, options.seed, progress);
        NodeTree tree = settle(browse_tree(hierarchy, browse), neighbors);
        return {std::move(hierarchy), std::move(tree), {}, {}};
      }
      case OrganiseMethod::kHdbscan: {
        NodeTree tree = settle(browse_tree(density.hierarchy, browse), neighbors);
        return {density.hierarchy, std::move(tree), {}, {}};
      }
      case OrganiseMethod::kKMeansTree: break;
    }
    NodeTree tree = nodes_of(kmeans_tree(vectors, options, progress));
    Hierarchy hierarchy = merges_of(tree);
    return {std::move(hierarchy), std::move(tree), {}, {}};
  }();
  result.strength.resize(n);
  result.is_outlier.resize(n);
  for (size_t i = 0; i < n; ++i) {
    result.strength[i] = static_cast<float>(density.probabilities[i]);
    result.is_outlier[i] = density.labels[i] < 0;
  }
  return result;
}

}  // namespace carya
