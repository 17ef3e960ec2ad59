#pragma once

#include <cstdint>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"

namespace carya {

// Local intrinsic dimensionality of each point, by maximum likelihood from its k nearest others at
// distances r_1 <= ... <= r_k: -1 / mean of ln(r_i / r_k) over those with r_i > 0 (Levina & Bickel
// 2004; Elliott & Clark 2024, card 125).  [n]; 0 where all k are duplicates of the point, infinity
// where all are equally far.  Reads low in high dimensions, as every finite sample does.  points
// [n, dim], finite; Euclidean.  Exact neighbours: O(n^2 dim).  Throws kInvalidArgument if k < 2 or
// k >= n.
std::vector<float> local_intrinsic_dimension(MatrixView<const float> points, size_t k = 100,
                                             Progress* progress = nullptr);

// In which order items enter an index: recall depends on it.
enum class InsertionOrder { kAsIs, kRandom, kLidAscending, kLidDescending };

// A permutation of the rows; ties of LID by rising row.  lid [n], as above; only its size counts
// for the orders that do not use it.
std::vector<uint32_t> insertion_order(InsertionOrder order, const std::vector<float>& lid,
                                      uint64_t seed = 0);

}  // namespace carya
