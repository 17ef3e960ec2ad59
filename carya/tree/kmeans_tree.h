#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"

namespace carya {

// One level of a KMeansTree, the finest first.
struct KMeansLevel {
  size_t n_clusters = 0;    // 1 .. the clusters (or points) of the level below
  size_t n_resamples = 10;  // rounds of resampling: more flattens the density further
  // Points each cluster gives to a round, >= 1; half the mean size of the clusters by default.
  std::optional<size_t> per_cluster = std::nullopt;
  // > 0: k-means into so many parts first, each of which is then split into n_clusters / n_coarse:
  // for levels whose k-means would be too dear.  1 .. n_clusters; resampling then is per part.
  size_t n_coarse = 0;
};

struct KMeansTreeOptions {
  size_t n_iterations = 50;  // of each k-means
  uint64_t seed = 0;
  // A file to which each finished level is saved, and from which a run with the same points, levels
  // and options goes on; empty: none.  A file of another run is an error.
  std::filesystem::path checkpoint = {};
};

// Clusters of clusters: items hang under the centroids of level 0, those under level 1, and so on;
// the centroids of the last level under one root.  Immutable once built.
struct KMeansTree {
  struct Level {
    Matrix<float> centroids;       // [n_clusters, dim]
    std::vector<uint32_t> parent;  // of each item, or cluster of the level below: its cluster here
  };
  std::vector<Level> levels;
  std::vector<float> item_distances;  // [n_items], squared, to the centroid in level 0

  size_t n_items() const noexcept { return item_distances.size(); }
  // The cluster of each item in a level.
  std::vector<int32_t> labels(size_t level) const;
  // The tree as parents of nodes: items, then clusters level by level, then the root, whose parent
  // is 0xffffffff.  For dendrogram_purity and for export.
  std::vector<uint32_t> parents() const;
  // Atomic.  Throws kIo.
  void save(const std::filesystem::path& path) const;
  // Throws kNotFound, kCorrupt.
  static KMeansTree open(const std::filesystem::path& path);
};

// k-means of the points, then of the centroids, and so on, each with resampling: from each cluster
// the points nearest to its centroid, k-means on those alone, all points assigned anew.  Centroids
// of plain k-means follow density^(dim / (dim + 2)); resampling and levels flatten that towards
// uniform. points [n, dim], finite; at least one level.  O(n k dim) a k-means iteration, by tiles.
// The same for every number of threads.  Throws kInvalidArgument.  Vo et al. 2024; card 110.
//
//   const KMeansLevel levels[] = {{.n_clusters = 1000}, {.n_clusters = 300}};
//   const KMeansTree tree = hierarchical_kmeans(points, levels, {.seed = 1});
//   const std::vector<uint32_t> subset = balanced_sample(tree, 5000);
KMeansTree hierarchical_kmeans(MatrixView<const float> points, std::span<const KMeansLevel> levels,
                               const KMeansTreeOptions& options = {}, Progress* progress = nullptr);

}  // namespace carya
