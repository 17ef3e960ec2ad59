// hdbscan and hierarchical_kmeans: arrays in, arrays out.
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include "carya/core/error.h"
#include "carya/tree/hdbscan.h"
#include "carya/tree/kmeans_tree.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/hierarchy.h"
#include "python/src/progress.h"

namespace carya::python {
namespace {

SelectionOptions selection(const std::string& method, double epsilon, bool allow_single) {
  require(method == "eom" || method == "leaf",
          "cluster_selection_method is '{}': one of 'eom', 'leaf'", method);
  return {.method = method == "eom" ? ClusterSelection::kExcessOfMass : ClusterSelection::kLeaf,
          .epsilon = epsilon,
          .allow_single = allow_single};
}

Metric hdbscan_metric(const std::string& name) {
  require(name == "euclidean" || name == "cosine",
          "metric is '{}': one of 'euclidean', 'cosine', 'precomputed'", name);
  return name == "cosine" ? Metric::kCosine : Metric::kSquaredL2;
}

// Rows (parent, child, lambda, size), as the hdbscan package has them: clusters are numbered from n
// on, items below.
nb::tuple condensed_rows(const CondensedTree& tree) {
  const auto n = static_cast<int64_t>(tree.n_items());
  std::vector<int64_t> parents, children, sizes;
  std::vector<double> lambdas;
  const auto add = [&](int64_t parent, int64_t child, double lambda, int64_t size) {
    parents.push_back(parent);
    children.push_back(child);
    lambdas.push_back(lambda);
    sizes.push_back(size);
  };
  for (size_t c = 1; c < tree.clusters.size(); ++c) {
    const CondensedTree::Cluster& cluster = tree.clusters[c];
    add(n + cluster.parent, n + static_cast<int64_t>(c), cluster.lambda_birth, cluster.size);
  }
  for (size_t i = 0; i < tree.n_items(); ++i) {
    add(n + tree.item_cluster[i], static_cast<int64_t>(i), tree.item_lambda[i], 1);
  }
  return nb::make_tuple(to_numpy(std::move(parents)), to_numpy(std::move(children)),
                        to_numpy(std::move(lambdas)), to_numpy(std::move(sizes)));
}

Matrix<double> edge_rows(const std::vector<Edge>& edges) {
  Matrix<double> rows(edges.size(), 3);
  for (size_t i = 0; i < edges.size(); ++i) {
    rows(i, 0) = edges[i].a;
    rows(i, 1) = edges[i].b;
    rows(i, 2) = edges[i].weight;
  }
  return rows;
}

nb::dict arrays_of(HdbscanResult result) {
  nb::dict arrays;
  arrays["linkage"] = to_numpy(linkage_matrix(result.hierarchy));
  arrays["mst"] = to_numpy(edge_rows(result.mst));
  arrays["condensed"] = condensed_rows(result.condensed);
  arrays["labels"] = to_numpy(std::move(result.labels));
  arrays["probabilities"] = to_numpy(std::move(result.probabilities));
  arrays["outlier_scores"] = to_numpy(std::move(result.outlier_scores));
  arrays["core_distances"] = to_numpy(std::move(result.core_distances));
  arrays["selected"] = to_numpy(std::move(result.selected));
  return arrays;
}

// The result again, from what Python kept of it.
HdbscanResult result_of(const MatrixIn<double>& mst, const VectorIn<double>& core_distances,
                        size_t min_cluster_size, const SelectionOptions& select) {
  const auto rows = view_of(mst);
  const auto core = view_of(core_distances);
  require(rows.cols() == 3, "the spanning tree has {} columns, not 3", rows.cols());
  std::vector<Edge> edges;
  for (size_t i = 0; i < rows.rows(); ++i) {
    edges.push_back(
        {static_cast<uint32_t>(rows(i, 0)), static_cast<uint32_t>(rows(i, 1)), rows(i, 2)});
  }
  return hdbscan_of_mst(edges, {core.begin(), core.end()}, min_cluster_size, select);
}

}  // namespace

void bind_cluster(nb::module_& module) {
  module.def(
      "hdbscan",
      [](const MatrixIn<float>& points, size_t min_cluster_size, size_t min_samples,
         const std::string& metric, double alpha, const std::string& method, double epsilon,
         bool allow_single, nb::handle progress) {
        const HdbscanOptions options{.min_cluster_size = min_cluster_size,
                                     .min_samples = min_samples,
                                     .metric = hdbscan_metric(metric),
                                     .alpha = alpha,
                                     .select = selection(method, epsilon, allow_single)};
        return arrays_of(
            long_work(progress, [&](Progress* p) { return hdbscan(view_of(points), options, p); }));
      },
      nb::arg("points"), nb::arg("min_cluster_size"), nb::arg("min_samples"), nb::arg("metric"),
      nb::arg("alpha"), nb::arg("method"), nb::arg("epsilon"), nb::arg("allow_single"),
      nb::arg("progress").none());
  module.def(
      "hdbscan_precomputed",
      [](const MatrixIn<double>& distances, size_t min_cluster_size, size_t min_samples,
         double alpha, const std::string& method, double epsilon, bool allow_single) {
        const HdbscanOptions options{.min_cluster_size = min_cluster_size,
                                     .min_samples = min_samples,
                                     .alpha = alpha,
                                     .select = selection(method, epsilon, allow_single)};
        return arrays_of(
            without_gil([&] { return hdbscan_precomputed(view_of(distances), options); }));
      },
      nb::arg("distances"), nb::arg("min_cluster_size"), nb::arg("min_samples"), nb::arg("alpha"),
      nb::arg("method"), nb::arg("epsilon"), nb::arg("allow_single"));
  module.def(
      "hdbscan_predict",
      [](const MatrixIn<double>& mst, const VectorIn<double>& core_distances,
         const MatrixIn<float>& points, size_t min_cluster_size, size_t min_samples,
         const std::string& metric, double alpha, const std::string& method, double epsilon,
         bool allow_single, const MatrixIn<float>& queries) {
        const SelectionOptions select = selection(method, epsilon, allow_single);
        const HdbscanOptions options{.min_cluster_size = min_cluster_size,
                                     .min_samples = min_samples,
                                     .metric = hdbscan_metric(metric),
                                     .alpha = alpha,
                                     .select = select};
        Prediction prediction = without_gil([&] {
          const HdbscanResult result = result_of(mst, core_distances, min_cluster_size, select);
          return approximate_predict(result, view_of(points), options, view_of(queries));
        });
        return std::pair(to_numpy(std::move(prediction.labels)),
                         to_numpy(std::move(prediction.probabilities)));
      },
      nb::arg("mst"), nb::arg("core_distances"), nb::arg("points"), nb::arg("min_cluster_size"),
      nb::arg("min_samples"), nb::arg("metric"), nb::arg("alpha"), nb::arg("method"),
      nb::arg("epsilon"), nb::arg("allow_single"), nb::arg("queries"));
  module.def(
      "dbscan_cut",
      [](const MatrixIn<double>& mst, const VectorIn<double>& core_distances, double eps) {
        return to_numpy(without_gil([&] {
          return dbscan_cut(result_of(mst, core_distances, /*min_cluster_size=*/2, {}), eps);
        }));
      },
      nb::arg("mst"), nb::arg("core_distances"), nb::arg("eps"));
  module.def(
      "hierarchical_kmeans",
      [](const MatrixIn<float>& points, const std::vector<size_t>& n_clusters, size_t n_resamples,
         size_t n_iterations, uint64_t seed, nb::handle progress) {
        std::vector<KMeansLevel> levels;
        for (const size_t n : n_clusters) {
          levels.push_back({.n_clusters = n, .n_resamples = n_resamples});
        }
        KMeansTree tree = long_work(progress, [&](Progress* p) {
          return hierarchical_kmeans(view_of(points), levels,
                                     {.n_iterations = n_iterations, .seed = seed}, p);
        });
        nb::list result;
        for (KMeansTree::Level& level : tree.levels) {
          result.append(nb::make_tuple(to_numpy(std::move(level.centroids)),
                                       to_numpy(std::move(level.parent))));
        }
        return nb::make_tuple(result, to_numpy(std::move(tree.item_distances)));
      },
      nb::arg("points"), nb::arg("n_clusters"), nb::arg("n_resamples"), nb::arg("n_iterations"),
      nb::arg("seed"), nb::arg("progress").none(),
      "([(centroids [k, dim], parents [k of the level below])], squared distances [n])");
}

}  // namespace carya::python
