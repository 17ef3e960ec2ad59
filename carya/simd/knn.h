#pragma once

#include <cstddef>
#include <cstdint>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/metric.h"

namespace carya {

// For each query its k nearest points, nearest first, equal distances by rising id.  Where fewer
// than k exist, the rest has id kNoNeighbor and distance infinity.
struct Neighbors {
  Matrix<uint32_t> ids;     // [n_queries, k]
  Matrix<float> distances;  // [n_queries, k]
};
constexpr uint32_t kNoNeighbor = 0xffffffffu;

// Exact nearest neighbours by tiles of distances that never leave the registers.
// queries [n_queries, dim], points [n, dim], finite; any k >= 1.  O(n_queries n dim) time, bound by
// FMA throughput; memory: the result, 4 bytes per row and, per thread, 0.5 MB + 504 (4 dim + 16 k).
//
// Guarantee: ids and distances are what sorting all distances() (distance.h) gives, bit for bit,
// duplicates, large offsets and near ties included: tiles compute lower bounds only, and whatever
// may be among the k nearest is computed directly.  So the number of threads does not matter.
// Binary metrics scan rows of bits instead: O(n_queries n dim / 512) instructions, dim / 8 bytes
// more per row.  Throws kInvalidArgument if the dims differ, k is 0, a number is not finite, the
// metric is binary and a number is neither 0 nor 1, or the metric is kUser.
Neighbors exact_knn(MatrixView<const float> queries, MatrixView<const float> points, size_t k,
                    Metric metric = Metric::kSquaredL2, Progress* progress = nullptr);

// The same among the points themselves, where a point is not its own neighbour (duplicates of it
// are).  Half the distances by symmetry are not saved: selection would need a lock.
Neighbors exact_knn_graph(MatrixView<const float> points, size_t k,
                          Metric metric = Metric::kSquaredL2, Progress* progress = nullptr);

}  // namespace carya
