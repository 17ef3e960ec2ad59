#pragma once

#include <cstdint>
#include <span>

#include "carya/core/matrix.h"
#include "carya/simd/metric.h"

namespace carya {

// Distances from one query to many rows: what a scan and a graph search call.  Each is a float sum
// of 32 partial sums (element i goes to i % 32) that are added in a fixed order, so a pair has the
// same distance in every function of this module and with every number of threads, and on AVX2 and
// AVX-512 alike.  Binary metrics take floats 0 and 1 here too, and are exact up to 2^23 dims; rows
// of bits (row_distance.h) are 32 times smaller.  O(rows dim), bound by reads.  No checks: these
// run millions of times.

// metric: any but kUser.
// out[i] = distance to row i of points [n, dim]; out [n].
void distances(Metric metric, std::span<const float> query, MatrixView<const float> points,
               std::span<float> out);

// out[i] = distance to row ids[i] of points; out [ids.size()].  Rows may lie far apart: call
// prefetch_row as soon as an id is known.
void distances(Metric metric, std::span<const float> query, MatrixView<const float> points,
               std::span<const uint32_t> ids, std::span<float> out);

// The second function for one metric, resolved for this machine: spares small calls the dispatch.
using GatherKernel = void (*)(const float* query, const float* points, size_t stride, size_t dim,
                              const uint32_t* ids, size_t n_ids, float* out);
GatherKernel gather_kernel(Metric metric);

inline void prefetch_row(const float* row, size_t dim) {
  for (size_t i = 0; i < dim; i += 64 / sizeof(float)) __builtin_prefetch(row + i);
}

}  // namespace carya
