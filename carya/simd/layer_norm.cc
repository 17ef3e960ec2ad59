#include "carya/simd/layer_norm.h"

#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/layer_norm.cc"
#include <hwy/foreach_target.h>  // re-includes this file once per instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void layer_norm_row(float* x, size_t dim, const float* scale, const float* shift, float epsilon) {
  const hn::ScalableTag<float> d;
  const size_t lanes = hn::Lanes(d), whole = dim / lanes * lanes;
  const auto n = static_cast<float>(dim);

  auto sums = hn::Zero(d);
  for (size_t i = 0; i < whole; i += lanes) sums = hn::Add(sums, hn::LoadU(d, x + i));
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (size_t i = whole; i < dim; ++i) sum += x[i];
  const float mean = sum / n;

  const auto means = hn::Set(d, mean);
  auto squares = hn::Zero(d);
  for (size_t i = 0; i < whole; i += lanes) {
    const auto centred = hn::Sub(hn::LoadU(d, x + i), means);
    squares = hn::MulAdd(centred, centred, squares);
  }
  float square = hn::GetLane(hn::SumOfLanes(d, squares));
  for (size_t i = whole; i < dim; ++i) square += (x[i] - mean) * (x[i] - mean);
  const float inverse = 1.0f / std::sqrt(square / n + epsilon);

  const auto inverses = hn::Set(d, inverse);
  for (size_t i = 0; i < whole; i += lanes) {
    const auto normal = hn::Mul(hn::Sub(hn::LoadU(d, x + i), means), inverses);
    hn::StoreU(hn::MulAdd(normal, hn::LoadU(d, scale + i), hn::LoadU(d, shift + i)), d, x + i);
  }
  for (size_t i = whole; i < dim; ++i) x[i] = (x[i] - mean) * inverse * scale[i] + shift[i];
}

void layer_norm_rows(MatrixView<float> x, const float* scale, const float* shift, float epsilon) {
  for (size_t i = 0; i < x.rows(); ++i) {
    layer_norm_row(x.row_data(i), x.cols(), scale, shift, epsilon);
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(layer_norm_rows);

void layer_norm(MatrixView<float> x, std::span<const float> scale, std::span<const float> shift,
                float epsilon) {
  require(scale.size() == x.cols() && shift.size() == x.cols(),
          "layer_norm: {} scales and {} shifts for rows of {}", scale.size(), shift.size(),
          x.cols());
  HWY_DYNAMIC_DISPATCH(layer_norm_rows)(x, scale.data(), shift.data(), epsilon);
}

}  // namespace carya
#endif
