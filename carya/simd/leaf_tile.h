#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace carya {

// Kernels over leaves: blocks of kLeafSize points stored as a panel [dim, kLeafSize], coordinate
// by coordinate, so that one register holds the same coordinate of many points.  A leaf of 64 gives
// one bit per point in a word, and 64 x 64 distances fill half of the L1 cache.
constexpr size_t kLeafSize = 64;

// out [rows.size(), kLeafSize]: squared Euclidean distances of the rows, pointers to `dim` floats,
// to the points of the panel.  Direct differences, no cancellation: each is within a relative
// (dim + 2) 2^-24 of the exact value.  3 rows.size() kLeafSize dim flops, bound by their
// throughput.
void leaf_distances(std::span<const float* const> rows, const float* panel, size_t dim, float* out);

// out [kLeafSize]: squared distances of the points of the panel to the box lo .. hi, [dim] each.
void leaf_box_distances(const float* panel, size_t dim, const float* lo, const float* hi,
                        float* out);

// Bit j of out[i]: distances[i, j] <= limits[i], for n_rows rows of kLeafSize.
void leaf_within(const float* distances, size_t n_rows, const float* limits, uint64_t* out);

// The same, and moreover floors[j] <= limits[i] and groups[j] != row_groups[i].
// floors, groups [kLeafSize].
void leaf_within_other_group(const float* distances, size_t n_rows, const float* limits,
                             const uint32_t* row_groups, const float* floors,
                             const uint32_t* groups, uint64_t* out);

}  // namespace carya
