#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"

namespace carya {

struct KMeansOptions {
  size_t n_clusters = 8;     // 1 .. n
  size_t n_iterations = 50;  // at most; it stops when no point changes its cluster
  size_t n_init = 1;         // starts, >= 1; the one of least inertia is kept
  uint64_t seed = 0;
  // > 0: clusters of like size.  A point goes to the centroid of least |x - c|^2 + penalty(c), and
  // iteration i adds balance / i * spread * (size / mean size - 1) to the penalties, spread being
  // the mean squared distance at the start: ascent on the dual of an assignment to equal sizes.
  // Too little changes nothing, too much makes sizes sway: try 1e-3, 1e-2, .. 10.  After Chen et
  // al. 2021 (SPANN; card 162), whose penalty is balance * size, without memory, and sways more.
  double balance = 0;
  void validate(size_t n_points) const;  // throws kInvalidArgument
};

struct KMeansResult {
  Matrix<float> centroids;      // [n_clusters, dim], the means of their points
  std::vector<int32_t> labels;  // [n], the nearest centroid (with penalty); of equal ones the lower
  std::vector<float> distances;  // [n], squared, to it
  double inertia = 0;            // their sum
  std::vector<float>
      penalties;  // [n_clusters], >= 0, that labels were found with; of balanced ones
};

// Clusters of least squared distance: k-means++ starts (Arthur & Vassilvitskii 2007), Lloyd's
// iterations (1982).  points [n, dim], finite.  O(n n_clusters dim) time an iteration, by tiles;
// memory: the result and 16 n bytes.  A cluster that loses all points is seeded again with the
// point farthest from its centroid; only with fewer distinct points than clusters do some stay
// empty.  The same for every number of threads.  Throws kInvalidArgument.
//
//   const KMeansResult result = kmeans(points, {.n_clusters = 57, .seed = 1});
KMeansResult kmeans(MatrixView<const float> points, const KMeansOptions& options,
                    Progress* progress = nullptr);

// [n] the centroid of least |x - c|^2 + penalty(c); of equal ones the lower.  penalties
// [n_clusters], >= 0.  Exact: the root of a penalty is one more coordinate.  A copy of the points.
std::vector<int32_t> assign_with_penalties(MatrixView<const float> points,
                                           MatrixView<const float> centroids,
                                           std::span<const float> penalties);

// Items by their label: item_of[first[c] .. first[c + 1]) are those of label c, by rising id.
struct LabelGroups {
  std::vector<size_t> first;      // [n_labels + 1]
  std::vector<uint32_t> item_of;  // [n]
};
LabelGroups group_by_label(std::span<const int32_t> labels, size_t n_labels);

// The rows with these ids, one after the other.
Matrix<float> gather_rows(MatrixView<const float> points, std::span<const uint32_t> ids);

}  // namespace carya
