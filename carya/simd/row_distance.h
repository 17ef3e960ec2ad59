#pragma once

#include <cstddef>
#include <cstdint>

#include "carya/simd/metric.h"

namespace carya {

// How the numbers of a stored vector lie in memory.
enum class RowFormat : uint32_t {
  kF32 = 0,
  kBf16 = 1,  // the upper half of a float: 8 bits of precision
  kInt8 = 2,  // int8: 0 .. 127 for squared L2, -127 .. 127 for inner products
  kInt4 =
      3,  // two a byte, byte j holding number j low and j + half high: 0 .. 15, or -7 .. 7 as + 8
  kBits = 4,  // 0 or 1, number j in bit j % 8 of byte j / 8: see bit_rows.h
};

// Rows are padded to whole cache lines; what the padding holds adds nothing: 0, or 8 in kInt4 for
// products.
constexpr size_t kRowAlignment = 64;
size_t row_bytes(RowFormat format, size_t dim);

// Distances from a query to rows anywhere: squared L2 or the negative product, of the numbers as
// they are stored, or a binary metric of bits.  Integer sums are exact while dim < 130,000, counts
// of bits while dim <= 2^24, and floats are added in the order that distance.h states, so results
// are the same on every instruction set.  A query is a row of
// the same format, but for kBf16 padded floats [row_bytes / 2].  O(n_ids dim), bound by reads.
using RowKernel = void (*)(const std::byte* query, const std::byte* rows, size_t stride, size_t dim,
                           const uint32_t* ids, size_t n_ids, float* out);
// metric: kHamming or kJaccard for kBits, kSquaredL2 or kInnerProduct for the others.
RowKernel row_kernel(RowFormat format, Metric metric);

inline void prefetch_bytes(const std::byte* row, size_t bytes) {
  for (size_t i = 0; i < bytes; i += kRowAlignment) __builtin_prefetch(row + i);
}

}  // namespace carya
