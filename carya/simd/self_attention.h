#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"

namespace carya {

// Full attention within each sequence of a ragged batch: out = softmax(q k^T) v per head.
// qkv [total, 3 dim] holds q, k, v side by side, a head's dim / n_heads columns together; q is
// scaled already.  Sequence s is the rows offsets[s] .. offsets[s + 1] - 1; out [total, dim].
// O(sum of length^2 dim) on the caller's thread.  A sequence's result depends on it only.
// `scratch` grows to (dim / n_heads + 4) times the greatest length.
void self_attention(MatrixView<const float> qkv, std::span<const uint32_t> offsets, size_t n_heads,
                    MatrixView<float> out, Matrix<float>& scratch);

}  // namespace carya
