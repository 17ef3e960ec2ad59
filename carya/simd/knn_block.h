#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "carya/core/matrix.h"
#include "carya/simd/knn.h"
#include "carya/simd/row_distance.h"

namespace carya {

// What all query blocks of one exact_knn share.  See knn_block.cc for the method.
struct KnnTask {
  MatrixView<const float> queries, points;
  size_t k;  // <= number of points
  Metric metric;
  bool skip_self;                      // query i is point i, and not its own neighbour
  std::span<const float> center = {};  // [dim]; subtracted where the metric allows it
  std::span<const float> query_norms = {}, point_norms = {};  // squared, after the centering
  float max_point_norm = 0;
  MatrixView<const std::byte> query_bits = {}, point_bits = {};  // packed; of binary metrics
  Neighbors* result;                                             // rows of k or more columns
};

// out[i] = |row first+i - center|^2 for rows first .. first + out.size() - 1.
void centered_norms(MatrixView<const float> rows, std::span<const float> center, size_t first,
                    std::span<float> out);

// Fills the result rows first .. first + count - 1 by tiles.
void knn_block(const KnnTask& task, size_t first, size_t count);
// The same by one scan per query, for few queries, for numbers whose squares overflow, and for
// bits, which a scan counts faster than a tile multiplies.
void knn_scan(const KnnTask& task, size_t first, size_t count);

constexpr size_t kMaxKnnBlock = 504;  // queries; a multiple of 12 and 6, the rows of a micro-tile

}  // namespace carya
