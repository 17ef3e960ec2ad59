#include "carya/tree/hdbscan.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "carya/simd/knn.h"
#include "carya/tree/mutual_reachability.h"

namespace carya {
namespace {

size_t effective_min_samples(const HdbscanOptions& options, size_t n_items) {
  if (options.min_samples > 0) return options.min_samples;
  return std::clamp<size_t>(n_items - 1, 1, options.min_cluster_size);
}

// Rows of length 1, so that Euclidean distance orders pairs as their cosine does.
Matrix<float> unit_rows(MatrixView<const float> points, const char* what) {
  require_finite(points, what);
  Matrix<float> unit = Matrix<float>::copy(points);
  for (size_t i = 0; i < unit.rows(); ++i) {
    double squared = 0;
    for (const float x : unit.row(i)) squared += static_cast<double>(x) * x;
    require(squared > 0,
            "{} {} is all zeros and has no direction: drop it, or use Euclidean "
            "distances",
            what, i);
    const double length = std::sqrt(squared);
    for (float& x : unit.row(i)) x = static_cast<float>(x / length);
  }
  return unit;
}

// Prim's algorithm.  O(n^2) time.
std::vector<Edge> dense_mst(MatrixView<const double> distances, std::span<const double> core,
                            double alpha) {
  const size_t n = distances.rows();
  std::vector<Edge> edges;
  std::vector<double> lightest(n, std::numeric_limits<double>::infinity());
  std::vector<uint32_t> from(n, 0);
  std::vector<uint32_t> open;
  for (uint32_t i = 1; i < n; ++i) open.push_back(i);
  uint32_t current = 0;
  while (!open.empty()) {
    size_t next = 0;
    for (size_t slot = 0; slot < open.size(); ++slot) {
      const uint32_t i = open[slot];
      const double weight = std::max({distances(current, i) / alpha, core[current], core[i]});
      if (weight < lightest[i]) {
        lightest[i] = weight;
        from[i] = current;
      }
      const auto key = [&](uint32_t item) { return std::pair(lightest[item], item); };
      if (key(i) < key(open[next])) next = slot;
    }
    current = open[next];
    open[next] = open.back();
    open.pop_back();
    edges.push_back(
        {std::min(from[current], current), std::max(from[current], current), lightest[current]});
  }
  return edges;
}

}  // namespace

void HdbscanOptions::validate(size_t n_items) const {
  require(min_cluster_size >= 2, "min_cluster_size is {}: a cluster has at least 2 items",
          min_cluster_size);
  require(min_samples == 0 || min_samples < std::max<size_t>(n_items, 2),
          "min_samples is {}, but {} items have at most {} neighbours: lower it, or leave it 0",
          min_samples, n_items, n_items - 1);
  require(
      metric == Metric::kSquaredL2 || metric == Metric::kCosine,
      "inner products and bits are no distances here: use l2, or cosine for unit vectors, not {}",
      metric_name(metric));
  require(alpha > 0 && std::isfinite(alpha), "alpha is {}: it must be positive", alpha);
  select.validate();
}

HdbscanResult hdbscan(MatrixView<const float> points, const HdbscanOptions& options,
                      Progress* progress) {
  require(points.rows() >= 1, "there are no points to cluster");
  options.validate(points.rows());
  Matrix<float> unit;
  if (options.metric == Metric::kCosine) {
    unit = unit_rows(points, "point");
    points = unit;
  }
  MutualReachabilityTree tree = mutual_reachability_mst(
      points,
      {.min_samples = effective_min_samples(options, points.rows()), .alpha = options.alpha},
      progress);
  return hdbscan_of_mst(tree.edges, std::move(tree.core_distances), options.min_cluster_size,
                        options.select);
}

HdbscanResult hdbscan_precomputed(MatrixView<const double> distances,
                                  const HdbscanOptions& options) {
  const size_t n = distances.rows();
  require(n >= 1 && distances.cols() == n, "distances are {} x {}: expected n x n, n >= 1", n,
          distances.cols());
  options.validate(n);
  require(options.metric == Metric::kSquaredL2,
          "given distances have their own metric: leave metric alone");
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j <= i; ++j) {
      const double d = distances(i, j);
      require(d >= 0 && d == distances(j, i) && (i != j || d == 0),
              "distance ({}, {}) is {} and ({}, {}) is {}: expected a symmetric matrix, zeros on "
              "the diagonal, nothing negative and no NaN",
              i, j, d, j, i, distances(j, i));
    }
  }
  std::vector<double> core(n, 0), row;
  const size_t min_samples = effective_min_samples(options, n);
  for (size_t i = 0; i < n && n > 1; ++i) {
    row.assign(distances.row(i).begin(), distances.row(i).end());
    std::swap(row[i], row.back());
    row.pop_back();  // the item itself
    std::ranges::nth_element(row, row.begin() + static_cast<ptrdiff_t>(min_samples - 1));
    core[i] = row[min_samples - 1];
  }
  const std::vector<Edge> mst = dense_mst(distances, core, options.alpha);
  return hdbscan_of_mst(mst, std::move(core), options.min_cluster_size, options.select);
}

HdbscanResult hdbscan_of_mst(std::span<const Edge> mst, std::vector<double> core_distances,
                             size_t min_cluster_size, const SelectionOptions& select) {
  const size_t n = core_distances.size();
  require(n >= 1 && mst.size() + 1 == n, "{} edges do not span {} items: {} are needed", mst.size(),
          n, n - 1);
  Hierarchy hierarchy = single_linkage_of_edges(n, mst);
  CondensedTree condensed = condense(hierarchy, min_cluster_size);
  // With n <= min_cluster_size there is no cluster besides the whole: all is noise without it.
  Membership members = assign_items(condensed, select_clusters(condensed, select), select);
  std::vector<Edge> edges(mst.begin(), mst.end());
  std::ranges::stable_sort(edges, {}, &Edge::weight);
  std::vector<double> outliers = outlier_scores(condensed);
  return {.labels = std::move(members.labels),
          .probabilities = std::move(members.probabilities),
          .outlier_scores = std::move(outliers),
          .core_distances = std::move(core_distances),
          .mst = std::move(edges),
          .hierarchy = std::move(hierarchy),
          .condensed = std::move(condensed),
          .selected = std::move(members.selected)};
}

std::vector<int32_t> dbscan_cut(const HdbscanResult& result, double eps) {
  require(eps >= 0, "eps is {}: it is a distance, 0 or more", eps);
  std::vector<int32_t> labels = result.hierarchy.cut_at(eps);
  std::vector<int32_t> number(labels.size(), -1);
  int32_t next = 0;
  for (size_t i = 0; i < labels.size(); ++i) {
    if (result.core_distances[i] > eps) {
      labels[i] = -1;
      continue;
    }
    int32_t& label = number[static_cast<size_t>(labels[i])];
    if (label < 0) label = next++;
    labels[i] = label;
  }
  return labels;
}

Prediction approximate_predict(const HdbscanResult& result, MatrixView<const float> points,
                               const HdbscanOptions& options, MatrixView<const float> queries) {
  options.validate(points.rows());
  require(points.rows() == result.labels.size(), "the result is of {} points, not of these {}",
          result.labels.size(), points.rows());
  require_finite(queries, "query");
  Matrix<float> unit_points, unit_queries;
  if (options.metric == Metric::kCosine) {
    unit_points = unit_rows(points, "point");
    unit_queries = unit_rows(queries, "query");
    points = unit_points;
    queries = unit_queries;
  }
  // The item of least mutual reachability is among the nearest with a core distance that is not
  // much larger: twice min_samples of them, as in the hdbscan package.
  const size_t min_samples = effective_min_samples(options, points.rows());
  const Neighbors near = exact_knn(queries, points, 2 * min_samples);
  const CondensedTree& tree = result.condensed;
  const std::vector<uint32_t> above = selected_above(tree, result.selected);
  const std::vector<double> largest = largest_lambdas(tree);
  std::vector<int32_t> label_of(tree.clusters.size(), -1);
  for (size_t label = 0; label < result.selected.size(); ++label) {
    label_of[result.selected[label]] = static_cast<int32_t>(label);
  }

  Prediction prediction;
  for (size_t q = 0; q < queries.rows(); ++q) {
    const auto distance = [&](size_t i) {
      return std::sqrt(std::max(0.0, static_cast<double>(near.distances(q, i))));
    };
    const double core = distance(std::min(min_samples, points.rows()) - 1);
    std::pair<double, uint32_t> nearest{std::numeric_limits<double>::infinity(), 0};
    for (size_t i = 0; i < near.ids.cols() && near.ids(q, i) != kNoNeighbor; ++i) {
      const uint32_t item = near.ids(q, i);
      nearest = std::min(
          nearest,
          {std::max({core, result.core_distances[item], distance(i) / options.alpha}), item});
    }
    const double lambda = 1 / nearest.first;
    uint32_t cluster = tree.item_cluster[nearest.second];
    while (cluster != 0 && tree.clusters[cluster].lambda_birth > lambda) {
      cluster = tree.clusters[cluster].parent;
    }
    cluster = above[cluster];
    const bool is_noise = cluster == CondensedTree::kNoCluster;
    prediction.labels.push_back(is_noise ? -1 : label_of[cluster]);
    prediction.probabilities.push_back(
        is_noise ? 0 : (lambda >= largest[cluster] ? 1 : lambda / largest[cluster]));
  }
  return prediction;
}

}  // namespace carya
