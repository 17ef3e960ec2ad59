// Accelerated HDBSCAN* (McInnes & Healy 2017), card 076: the tree is exact and fast in few
// dimensions, the labels are the reference implementation's and do not depend on the order of the
// rows, and a cut is DBSCAN.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <fstream>
#include <limits>
#include <numeric>

#include "carya/core/rng.h"
#include "carya/io/vectors.h"
#include "carya/metrics/clustering.h"
#include "carya/tree/hdbscan.h"
#include "carya/tree/mutual_reachability.h"
#include "carya/tree/squared_distance.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kMinClusterSize = 15;

double distance(MatrixView<const float> points, size_t i, size_t j) {
  return std::sqrt(squared_distance(points.row_data(i), points.row_data(j), points.cols()));
}

Matrix<float> clustered_points(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) {
    const auto cluster = static_cast<double>(i % 10);
    for (size_t j = 0; j < dim; ++j) {
      const double center = std::fmod(cluster * (static_cast<double>(j) + 1.7), 10);
      points(i, j) = static_cast<float>(center + (0.1 + 0.1 * cluster) * rng.normal());
    }
  }
  return points;
}

// The weight of Prim's tree over all mutual reachabilities.
double dense_weight(MatrixView<const float> points, std::span<const double> core) {
  const size_t n = points.rows();
  std::vector<double> lightest(n, std::numeric_limits<double>::infinity());
  std::vector<bool> done(n, false);
  double total = 0;
  size_t current = 0;
  for (size_t step = 1; step < n; ++step) {
    done[current] = true;
    size_t next = n;
    for (size_t i = 0; i < n; ++i) {
      if (done[i]) continue;
      lightest[i] =
          std::min(lightest[i], std::max({distance(points, current, i), core[current], core[i]}));
      if (next == n || lightest[i] < lightest[next]) next = i;
    }
    total += lightest[next];
    current = next;
  }
  return total;
}

std::vector<double> naive_core_distances(MatrixView<const float> points, size_t min_samples) {
  std::vector<double> core, row(points.rows());
  for (size_t i = 0; i < points.rows(); ++i) {
    for (size_t j = 0; j < points.rows(); ++j) row[j] = distance(points, i, j);
    std::ranges::nth_element(row, row.begin() + static_cast<ptrdiff_t>(min_samples));
    core.push_back(row[min_samples]);  // row holds the point itself, at 0
  }
  return core;
}

ClaimRow tree_is_exact(bool quick) {
  double worst = 0;
  for (const size_t dim : {2, 5, 10}) {
    const Matrix<float> points = clustered_points(quick ? 1500 : 5000, dim, dim);
    const MutualReachabilityTree tree = mutual_reachability_mst(points, {.min_samples = 5});
    const double dense = dense_weight(points, naive_core_distances(points, 5));
    double total = 0;
    for (const Edge& edge : tree.edges) total += edge.weight;
    worst = std::max(worst, std::abs(total / dense - 1));
  }
  return {"tree weight against dense Prim, 2, 5, 10 dims, relative", "exact", worst, "<= 1e-9",
          worst <= 1e-9};
}

std::vector<int32_t> package_labels() {
  const auto path = std::filesystem::path(CARYA_REPRODUCE_TESTDATA) / "clusterable_hdbscan.csv";
  std::ifstream in(path);
  if (!in) {
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("{} is missing: scripts/make-hdbscan-fixture.py writes it", path.string()));
  }
  std::string line;
  std::getline(in, line);
  std::vector<int32_t> labels;
  while (std::getline(in, line)) labels.push_back(std::stoi(line));
  return labels;
}

void add_label_rows(MatrixView<const float> points, std::vector<ClaimRow>& rows) {
  const HdbscanResult result = hdbscan(points, {.min_cluster_size = kMinClusterSize});
  const double agreement = adjusted_rand_index(result.labels, package_labels());
  rows.push_back({"ARI with the hdbscan package (exact tree), 2,309 points", "same method",
                  agreement, ">= 0.99", agreement >= 0.99});
  const auto n_clusters = static_cast<double>(result.selected.size());
  rows.push_back({"clusters", "6 (package)", n_clusters, "= 6", n_clusters == 6});
  const double noise = static_cast<double>(std::ranges::count(result.labels, -1)) /
                       static_cast<double>(points.rows());
  rows.push_back(
      {"share of noise", "0.25 (package)", noise, "0.23 .. 0.27", noise >= 0.23 && noise <= 0.27});

  std::vector<uint32_t> order(points.rows());
  std::iota(order.begin(), order.end(), 0u);
  Rng rng(1);
  double least = 1;
  for (int repeat = 0; repeat < 3; ++repeat) {
    for (size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
    Matrix<float> shuffled(points.rows(), points.cols());
    for (size_t i = 0; i < order.size(); ++i) {
      std::ranges::copy(points.row(order[i]), shuffled.row_data(i));
    }
    const auto labels = hdbscan(shuffled, {.min_cluster_size = kMinClusterSize}).labels;
    std::vector<int32_t> back(labels.size());
    for (size_t i = 0; i < order.size(); ++i) back[order[i]] = labels[i];
    least = std::min(least, adjusted_rand_index(back, result.labels));
  }
  rows.push_back(
      {"ARI with itself after shuffling the rows, least of 3", "-", least, "= 1", least == 1});
}

// DBSCAN's core points and their components, from all distances.
ClaimRow cut_is_dbscan(MatrixView<const float> points) {
  const HdbscanResult result = hdbscan(points, {.min_cluster_size = kMinClusterSize});
  double least = 1;
  for (const double eps : {0.01, 0.02, 0.03, 0.05}) {
    std::vector<Edge> edges;
    std::vector<size_t> n_near(points.rows(), 0);
    for (uint32_t i = 0; i < points.rows(); ++i) {
      for (uint32_t j = 0; j <= i; ++j) {
        if (distance(points, i, j) > eps) continue;
        ++n_near[i];
        if (i != j) ++n_near[j];
        edges.push_back({j, i, 1});
      }
    }
    const auto is_core = [&](uint32_t i) { return n_near[i] >= kMinClusterSize + 1; };
    std::erase_if(edges, [&](const Edge& e) { return !is_core(e.a) || !is_core(e.b); });
    std::vector<int32_t> dbscan = single_linkage_of_edges(points.rows(), edges).cut_at(1);
    for (uint32_t i = 0; i < points.rows(); ++i) {
      if (!is_core(i)) dbscan[i] = -1;
    }
    least = std::min(least, adjusted_rand_index(dbscan_cut(result, eps), dbscan));
  }
  return {"ARI of cuts with DBSCAN(eps, min_samples + 1) core points, least of 4", "equal", least,
          "= 1", least == 1};
}

double median_seconds(size_t n) {
  Matrix<float> points(n, 2);
  Rng rng(n);
  for (float& x : points.flat()) x = static_cast<float>(rng.uniform());
  std::vector<double> seconds;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const auto start = std::chrono::steady_clock::now();
    hdbscan(points, {.min_cluster_size = kMinClusterSize});
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::ranges::sort(seconds);
  return seconds[1];
}

}  // namespace

std::vector<ClaimRow> reproduce_076(const ClaimContext& context) {
  const auto path = context.data / "clusterable/clusterable_data.npy";
  if (!std::filesystem::exists(path)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{} is missing: name the data folder with --data", path.string()));
  }
  const Matrix<float> points = read_npy(path);
  std::vector<ClaimRow> rows = {tree_is_exact(context.quick)};
  add_label_rows(points, rows);
  rows.push_back(cut_is_dbscan(points));
  const double exponent = std::log10(median_seconds(200'000) / median_seconds(20'000));
  rows.push_back({"exponent of time in n, 20k to 200k points in 2-D", "about n log n", exponent,
                  "< 1.4", exponent < 1.4});
  return rows;
}

}  // namespace carya
