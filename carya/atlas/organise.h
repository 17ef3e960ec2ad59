#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/knn.h"
#include "carya/tree/hierarchy.h"
#include "carya/tree/node_tree.h"

namespace carya {

// What builds the hierarchy.
enum class OrganiseMethod {
  kDiffusion,  // HDBSCAN* clusters of diffusion coordinates, merged by Ward: best (docs/quality.md)
  kHdbscan,    // HDBSCAN* on the vectors as they are: density, many outliers
  kKMeansTree,  // hierarchical k-means: even sizes
};
std::string_view organise_method_name(
    OrganiseMethod method);  // "diffusion", "hdbscan", "kmeans-tree"
// Throws kInvalidArgument naming what is allowed.
OrganiseMethod organise_method_from_name(std::string_view name);

struct OrganiseOptions {
  OrganiseMethod method = OrganiseMethod::kDiffusion;
  // Items that make a topic, >= 2; none: about the root of a tenth of n, 5 .. 50.
  std::optional<size_t> min_cluster_size = std::nullopt;
  size_t n_levels = 0;  // of the readable tree; 0: 2 to 4
  uint64_t seed = 0;
  void validate() const;
  size_t cluster_size_for(size_t n_items) const;
};

struct Organised {
  Hierarchy hierarchy;  // all merges of single items
  NodeTree tree;        // what people browse
  // [n], in (0, 1]: 1 within the usual distance from the centre of its cluster and from its
  // neighbours, else the usual distance over the item's.
  std::vector<float> strength;
  // [n]: 1 for noise to HDBSCAN* more than twice as far from the centre as usual, and for what is
  // more than twice as far from its neighbours.
  std::vector<uint8_t> is_outlier;
};

// Gives every item a place.  vectors [n >= 1, dim]; neighbors: their k-NN graph.
//
// kDiffusion: diffusion coordinates of the neighbour graph (embed/spectrum.h); in them the clusters
// of HDBSCAN* (card 076; by a k-NN graph above 16,384 items); what that calls noise goes to the
// cluster of the nearest centre; Ward merges the items of each cluster, then the clusters. O(n (k +
// 100) 100) time beside merging, about 800 n bytes.  The same for every number of threads.
Organised organise(MatrixView<const float> vectors, const Neighbors& neighbors,
                   const OrganiseOptions& options, Progress* progress = nullptr);

}  // namespace carya
