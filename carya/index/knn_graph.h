#pragma once

#include <cstddef>
#include <cstdint>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/knn.h"

namespace carya {

struct KnnGraphOptions {
  size_t k = 30;
  size_t max_exact = 16'384;  // up to so many points the graph is exact
  size_t part_size = 128;     // points a part, about
  size_t n_probes = 24;       // parts that a point is compared with: the nearest by their centroids
  size_t n_rounds = 1;        // in which each point looks at its neighbours' neighbours
  size_t n_looked_at = 12;    // the nearest neighbours of the nearest, either way, in each round
  uint64_t seed = 0;
  void validate() const;
};

// The k nearest other points of each point, as exact_knn_graph, but in
// O(n (n_probes part_size + n / part_size + n_rounds n_looked_at^2) dim) time: points are parted by
// k-means, and each is compared with the points of the parts that it is nearest to, by tiles of
// products; then neighbours of neighbours are tried (Dong, Moses & Li 2011).  A neighbour may be
// missed, but distances are exact, squared L2.  Memory: the points once more (in bf16 where that is
// fast), 4 n n_probes bytes, and the result, twice in a round.  The same for every number of
// threads.
Neighbors knn_graph(MatrixView<const float> points, const KnnGraphOptions& options = {},
                    Progress* progress = nullptr);

}  // namespace carya
