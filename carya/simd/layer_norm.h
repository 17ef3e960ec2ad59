#pragma once

#include <span>

#include "carya/core/matrix.h"

namespace carya {

// Each row minus its mean, over sqrt(variance + epsilon), times `scale`, plus `shift` (Ba et al.
// 2016).  x [m, dim] in place; scale, shift [dim].  Bound by reading; runs on the caller's thread.
void layer_norm(MatrixView<float> x, std::span<const float> scale, std::span<const float> shift,
                float epsilon);

}  // namespace carya
