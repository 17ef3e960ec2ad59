// hdbscan_bench POINTS.npy [MIN_CLUSTER_SIZE [REPEATS [LABELS.txt]]]: seconds of each stage, the
// median of the repeats, as JSON.  bench/hdbscan_peers.py runs it beside the Python libraries and
// compares the labels.  Bound: distances, at 3 flops for each coordinate of a pair compared.
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>

#include "carya/io/vectors.h"
#include "carya/tree/hdbscan.h"
#include "carya/tree/mutual_reachability.h"
#include "carya/tree/point_tree.h"

namespace {

double seconds_of(const std::function<void()>& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    fmt::print(stderr,
               "usage: hdbscan_bench POINTS.npy [MIN_CLUSTER_SIZE [REPEATS [LABELS.txt]]]\n");
    return 2;
  }
  const size_t min_cluster_size = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 5;
  const size_t n_repeats = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 1;
  const carya::Matrix<float> points = carya::read_npy(argv[1]);
  std::vector<double> build, lists, mst, total;
  carya::MutualReachabilityTree tree;
  std::vector<int32_t> labels;
  for (size_t repeat = 0; repeat < n_repeats; ++repeat) {
    build.push_back(seconds_of([&] { carya::PointTree of_points(points); }));
    const carya::PointTree of_points(points);
    lists.push_back(seconds_of([&] { carya::nearest_points(of_points, 16); }));
    mst.push_back(seconds_of(
        [&] { tree = carya::mutual_reachability_mst(points, {.min_samples = min_cluster_size}); }));
    total.push_back(seconds_of(
        [&] { labels = carya::hdbscan(points, {.min_cluster_size = min_cluster_size}).labels; }));
  }
  double weight = 0;
  for (const carya::Edge& edge : tree.edges) weight += edge.weight;
  fmt::print(
      "{{\"n\": {}, \"dim\": {}, \"tree_s\": {:.4f}, \"lists16_s\": {:.4f}, \"mst_s\": {:.4f}, "
      "\"total_s\": {:.4f}, \"clusters\": {}, \"noise\": {:.4f}, \"mst_weight\": {:.15g}}}\n",
      points.rows(), points.cols(), median(build), median(lists), median(mst), median(total),
      *std::ranges::max_element(labels) + 1,
      static_cast<double>(std::ranges::count(labels, -1)) / static_cast<double>(labels.size()),
      weight);
  if (argc > 4) {
    std::ofstream out(argv[4]);
    for (const int32_t label : labels) out << label << '\n';
  }
}
