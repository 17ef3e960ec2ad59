#include "carya/atlas/organise.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <utility>

#include "carya/core/error.h"
#include "carya/embed/spectrum.h"
#include "carya/graph/csr_graph.h"
#include "carya/index/knn_graph.h"
#include "carya/tree/hdbscan.h"
#include "carya/tree/kmeans_tree.h"
#include "carya/tree/mutual_reachability.h"
#include "carya/tree/ward_of_many.h"

namespace carya {
namespace {

constexpr std::string_view kMethodNames[] = {"diffusion", "hdbscan", "kmeans-tree"};
constexpr size_t kDiffusionDims =
    48;                            // 45 to 60 are equal within noise, 100 is worse: docs/quality.md
constexpr size_t kMinSamples = 5;  // neighbours that make an item part of the density
constexpr size_t kDensityNeighbors =
    15;                               // of the graph that the density's spanning tree is taken from
constexpr double kUsualShare = 0.75;  // of a cluster's items are within its usual distance
constexpr float kOutlierStrength = 0.5f;  // an outlier is more than twice as far out
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

// The mean of the points with each label; negative labels do not count.
Matrix<float> means_of(MatrixView<const float> points, std::span<const int32_t> labels,
                       size_t n_labels) {
  Matrix<double> sums(n_labels, points.cols());
  std::vector<size_t> sizes(n_labels, 0);
  for (size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 0) continue;
    const auto label = static_cast<size_t>(labels[i]);
    ++sizes[label];
    for (size_t j = 0; j < points.cols(); ++j) sums(label, j) += points(i, j);
  }
  Matrix<float> means(n_labels, points.cols());
  for (size_t label = 0; label < n_labels; ++label) {
    const double size = static_cast<double>(std::max<size_t>(sizes[label], 1));
    for (size_t j = 0; j < points.cols(); ++j)
      means(label, j) = static_cast<float>(sums(label, j) / size);
  }
  return means;
}

// HDBSCAN* in points, as labels [n] that leave no item out, and who was noise.
struct Density {
  std::vector<int32_t> labels;
  std::vector<uint8_t> is_noise;
  Hierarchy hierarchy;  // single linkage of mutual reachability
  size_t n_clusters = 0;
};

// Labels of noise become those of the nearest centre.  With no cluster at all, all are one.
Density find_density(MatrixView<const float> points, const Neighbors& neighbors,
                     size_t min_cluster_size) {
  const size_t min_samples = std::min({kMinSamples, points.rows() - 1, neighbors.ids.cols()});
  MutualReachabilityTree spanning = knn_graph_mst(points, neighbors, {.min_samples = min_samples});
  const HdbscanResult found =
      hdbscan_of_mst(spanning.edges, std::move(spanning.core_distances), min_cluster_size);
  Density density{found.labels, std::vector<uint8_t>(points.rows(), 0), found.hierarchy,
                  found.selected.size()};
  for (size_t i = 0; i < density.labels.size(); ++i) density.is_noise[i] = density.labels[i] < 0;
  if (density.n_clusters == 0) {
    density.n_clusters = 1;
    std::ranges::fill(density.labels, 0);
    std::ranges::fill(density.is_noise, 0);
    return density;
  }
  const Matrix<float> centres = means_of(points, density.labels, density.n_clusters);
  const Neighbors nearest = exact_knn(points, centres, 1);
  for (size_t i = 0; i < density.labels.size(); ++i) {
    if (density.labels[i] < 0) density.labels[i] = static_cast<int32_t>(nearest.ids(i, 0));
  }
  return density;
}

// The distance within which kUsualShare of some items are; 0 for none.
float usual_distance(std::vector<float> distances) {
  if (distances.empty()) return 0;
  const auto at = distances.begin() +
                  static_cast<ptrdiff_t>(kUsualShare * static_cast<double>(distances.size() - 1));
  std::nth_element(distances.begin(), at, distances.end());
  return *at;
}

// [n], in (0, 1]: the usual distance in an item's cluster, at least `least`, over its own.
std::vector<float> how_usual(std::span<const float> distances, const Density& density,
                             float least) {
  std::vector<std::vector<float>> of_cluster(density.n_clusters);
  for (size_t i = 0; i < distances.size(); ++i) {
    if (!density.is_noise[i]) {
      of_cluster[static_cast<size_t>(density.labels[i])].push_back(distances[i]);
    }
  }
  std::vector<float> usual;
  for (std::vector<float>& own : of_cluster)
    usual.push_back(std::max(usual_distance(std::move(own)), least));
  std::vector<float> result;
  for (size_t i = 0; i < distances.size(); ++i) {
    const float radius = usual[static_cast<size_t>(density.labels[i])];
    result.push_back(distances[i] <= radius ? 1.0f : std::max(radius / distances[i], 1e-3f));
  }
  return result;
}

// Strength and outliers, from the distances to the centres of the clusters, and to the neighbours:
// in diffusion coordinates a lone item is where the walk from it leads, however far that is.
void judge(MatrixView<const float> points, const Density& density, const Neighbors& neighbors,
           Organised& result) {
  const Matrix<float> centres = means_of(points, density.labels, density.n_clusters);
  const size_t n = points.rows(), last = std::min(kMinSamples, neighbors.ids.cols()) - 1;
  std::vector<float> to_centre(n), to_neighbor(n);
  for (size_t i = 0; i < n; ++i) {
    const auto cluster = static_cast<size_t>(density.labels[i]);
    double squares = 0;
    for (size_t j = 0; j < points.cols(); ++j) {
      const double difference = points(i, j) - centres(cluster, j);
      squares += difference * difference;
    }
    to_centre[i] = static_cast<float>(std::sqrt(squares));
    to_neighbor[i] = std::sqrt(neighbors.distances(i, last));
  }
  const std::vector<float> central = how_usual(to_centre, density, 0);
  const std::vector<float> crowded = how_usual(to_neighbor, density, usual_distance(to_neighbor));
  for (size_t i = 0; i < n; ++i) {
    result.strength.push_back(std::min(central[i], crowded[i]));
    result.is_outlier.push_back((density.is_noise[i] != 0 && central[i] < kOutlierStrength) ||
                                crowded[i] < kOutlierStrength);
  }
}

// Clusters of clusters down to leaves of about 40 items.
KMeansTree kmeans_tree(MatrixView<const float> vectors, const OrganiseOptions& options,
                       Progress* progress) {
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
  for (size_t level = n_levels;
       level-- > 0;) {  // node_above: the node of each cluster one level up
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
  for (int32_t label : means.labels(0))
    node_of_item.push_back(node_above[static_cast<size_t>(label)]);
  return NodeTree(std::move(parents), std::move(node_of_item));
}

// A tree's nodes as binary merges, the deepest first: the height is the number of levels below.
Hierarchy merges_of(const NodeTree& tree) {
  const auto n = static_cast<uint32_t>(tree.n_items());
  std::vector<Merge> merges;
  std::vector<uint32_t> made(tree.n_nodes(), kNoNode);
  std::vector<uint32_t> nodes(tree.n_nodes());
  std::iota(nodes.begin(), nodes.end(), 0u);
  std::ranges::stable_sort(nodes,
                           [&](uint32_t a, uint32_t b) { return tree.depth(a) > tree.depth(b); });
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

// Items that were left at an inner node move to the leaf below it where most of their neighbours
// are, the nearer ones counting more; an item none of whose neighbours is there stays.
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
      moves.emplace_back(
          item, std::ranges::max_element(votes, {}, [](const auto& v) { return v.second; })->first);
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
  require(found != std::end(kMethodNames),
          "'{}' organises nothing: use diffusion, hdbscan or kmeans-tree", name);
  return static_cast<OrganiseMethod>(found - std::begin(kMethodNames));
}

void OrganiseOptions::validate() const {
  require(!min_cluster_size || *min_cluster_size >= 2,
          "--min-cluster-size is {}: a topic has 2 items or more", min_cluster_size.value_or(0));
  require(n_levels <= 10, "--levels is {}: 1 to 10, or 0 to choose", n_levels);
}

size_t OrganiseOptions::cluster_size_for(size_t n_items) const {
  if (min_cluster_size) return *min_cluster_size;
  const double root = std::sqrt(static_cast<double>(n_items) / 10);
  return static_cast<size_t>(std::clamp(root / 4, 5.0, 50.0));
}

Organised organise(MatrixView<const float> vectors, const Neighbors& neighbors,
                   const OrganiseOptions& options, Progress* progress) {
  options.validate();
  const size_t n = vectors.rows();
  require(n >= 1, "there are no items to organise");
  if (n == 1) return {Hierarchy(1, {}), NodeTree({kNoNode}, {0}), {1.0f}, {0}};

  const size_t cluster_size = options.cluster_size_for(n);
  const BrowseOptions browse{.n_levels = options.n_levels, .min_cluster_size = cluster_size};
  // The space in which items are near: where clusters are looked for, and what strength is measured
  // in.
  Matrix<float> coordinates;
  Neighbors near;
  if (options.method == OrganiseMethod::kDiffusion) {
    coordinates = diffusion_coordinates(connected_graph(vectors, neighbors),
                                        {.n_dims = kDiffusionDims, .seed = options.seed}, progress);
    near = knn_graph(coordinates, {.k = std::min(kDensityNeighbors, n - 1), .seed = options.seed},
                     progress);
  }
  const MatrixView<const float> space = coordinates.empty() ? vectors : coordinates.view();
  const Density density = find_density(space, coordinates.empty() ? neighbors : near, cluster_size);
  Organised result = [&]() -> Organised {
    switch (options.method) {
      case OrganiseMethod::kDiffusion: {
        Hierarchy hierarchy = ward_of_groups(space, density.labels, density.n_clusters,
                                             {.seed = options.seed}, progress);
        NodeTree tree = settle(browse_tree(hierarchy, browse), neighbors);
        return {std::move(hierarchy), std::move(tree), {}, {}};
      }
      case OrganiseMethod::kHdbscan: {
        NodeTree tree = settle(browse_tree(density.hierarchy, browse), neighbors);
        return {density.hierarchy, std::move(tree), {}, {}};
      }
      case OrganiseMethod::kKMeansTree:
        break;
    }
    NodeTree tree = nodes_of(kmeans_tree(vectors, options, progress));
    Hierarchy hierarchy = merges_of(tree);
    return {std::move(hierarchy), std::move(tree), {}, {}};
  }();
  judge(space, density, neighbors, result);
  return result;
}

}  // namespace carya
