#pragma once

#include <cstddef>
#include <cstdint>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/knn.h"

namespace carya {

struct KnnGraphOptions {
  size_t k = 30;
  // Up to so many points the graph is exact; beyond, parts are searched in their surroundings only.
  size_t max_exact = 16'384;
  size_t part_size = 128;     // points a part, about
  size_t n_surrounding = 24;  // parts that a part's points are compared with, itself included
  size_t n_rounds = 2;        // in which each point looks at its neighbours' neighbours
  size_t n_looked_at = 12;    // the nearest neighbours of the nearest neighbours, in each round
  uint64_t seed = 0;
  void validate() const;
};

// The k nearest other points of each point, as exact_knn_graph, but in O(n (n_surrounding part_size +
// n / part_size + n_rounds n_looked_at^2) dim) time: points are parted by k-means, each part is
// compared, exactly and by tiles, with the parts whose centroids are nearest to its own; then
// neighbours of neighbours are tried (Dong, Moses & Li 2011).  Finds RECALL of the true neighbours of
// 63,666 text vectors of 584 dims.  Distances are squared L2.  Memory: the result, once more in a
// round, and, per thread, n_surrounding * part_size vectors.  The same for every number of threads.
Neighbors knn_graph(MatrixView<const float> points, const KnnGraphOptions& options = {},
                    Progress* progress = nullptr);

}  // namespace carya
