#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/metric.h"
#include "carya/tree/cluster_selection.h"
#include "carya/tree/condensed_tree.h"
#include "carya/tree/hierarchy.h"

namespace carya {

struct HdbscanOptions {
  size_t min_cluster_size = 5;  // items, >= 2; smaller groups are noise
  // The core distance is that to the min_samples-th neighbour, the item itself not counted: larger
  // is smoother, with more noise.  1 .. n-1; 0: min_cluster_size (or n-1 if there are fewer).
  size_t min_samples = 0;
  Metric metric = Metric::kSquaredL2;  // Euclidean distances; kCosine: those of the unit vectors
  double alpha = 1;                    // distances are divided by it, core distances not; > 0
  SelectionOptions select = {};
  void validate(size_t n_items) const;  // throws kInvalidArgument
};

struct HdbscanResult {
  std::vector<int32_t> labels;         // [n], by their first item; -1 is noise
  std::vector<double> probabilities;   // [n], how deep in its cluster, in [0, 1]; 0 for noise
  std::vector<double> outlier_scores;  // [n], GLOSH, in [0, 1]; large = outlier
  std::vector<double> core_distances;  // [n]
  std::vector<Edge> mst;               // [n-1], of mutual reachability, lightest first
  Hierarchy hierarchy;                 // its single linkage
  CondensedTree condensed;
  std::vector<uint32_t> selected;  // the condensed cluster of each label
};

// Clusters of varying density, and noise.  points [n, dim], finite, n >= 1; with n <=
// min_cluster_size all is noise.  Exact.  Memory: 3 copies of the points and about 400 n bytes;
// about n log n distances in few dimensions, up to O(n^2) in many (see mutual_reachability.h).
// Labels do not depend on the order of the rows or on the number of threads.  Items that coincide
// more than min_samples times have core distance 0 and infinite lambda, and such a group is the
// most stable cluster there can be: remove duplicates first if that is not meant.  Throws
// kInvalidArgument.  Campello, Moulavi & Sander 2013; McInnes & Healy 2017; card 076.
//
//   const HdbscanResult result = hdbscan(points, {.min_cluster_size = 15});
HdbscanResult hdbscan(MatrixView<const float> points, const HdbscanOptions& options = {},
                      Progress* progress = nullptr);

// The same for given distances [n, n]: symmetric, not negative, 0 on the diagonal; infinity where
// two items are not connected.  O(n^2).  `options.metric` must be left alone.
HdbscanResult hdbscan_precomputed(MatrixView<const double> distances,
                                  const HdbscanOptions& options = {});

// What follows the spanning tree.  mst: n-1 edges over core_distances.size() = n items, their
// weights mutual reachabilities (or any heights); from hdbscan() itself, or from a graph.
HdbscanResult hdbscan_of_mst(std::span<const Edge> mst, std::vector<double> core_distances,
                             size_t min_cluster_size, const SelectionOptions& select = {});

// Labels of DBSCAN*: the items of core distance <= eps, joined by mutual reachabilities <= eps; the
// others are noise.  They are the core points of DBSCAN(eps, min_samples + 1), which counts the
// point itself.  O(n).
std::vector<int32_t> dbscan_cut(const HdbscanResult& result, double eps);

struct Prediction {
  std::vector<int32_t> labels;        // [n_queries]
  std::vector<double> probabilities;  // [n_queries]
};
// Where new points would fall, with the clusters as they are: each joins the cluster of the item of
// least mutual reachability, at that height.  points, options: those of the result.
// queries [n_queries, dim], finite.  O(n_queries n dim).  Throws kInvalidArgument.
Prediction approximate_predict(const HdbscanResult& result, MatrixView<const float> points,
                               const HdbscanOptions& options, MatrixView<const float> queries);

}  // namespace carya
