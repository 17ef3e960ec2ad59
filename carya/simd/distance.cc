#include "carya/simd/distance.h"

#include "carya/core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/distance.cc"
#include <hwy/foreach_target.h>
// clang-format off: these must follow foreach_target.h
#include <hwy/highway.h>

#include "carya/simd/distance-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {

void scan_rows(Metric metric, const float* query, MatrixView<const float> points, float* out) {
  each_distance(
      metric, query, points.cols(), points.rows(),
      [&](size_t i) HWY_ATTR { return points.row_data(i); }, out);
}

template <Metric metric>
HWY_INLINE void gather(const float* query, const float* points, size_t stride, size_t dim,
                       const uint32_t* ids, size_t n_ids, float* out) {
  each_distance(
      metric, query, dim, n_ids, [&](size_t i) HWY_ATTR { return points + ids[i] * stride; }, out);
}
void gather_l2(const float* query, const float* points, size_t stride, size_t dim,
               const uint32_t* ids, size_t n_ids, float* out) {
  gather<Metric::kSquaredL2>(query, points, stride, dim, ids, n_ids, out);
}
void gather_product(const float* query, const float* points, size_t stride, size_t dim,
                    const uint32_t* ids, size_t n_ids, float* out) {
  gather<Metric::kInnerProduct>(query, points, stride, dim, ids, n_ids, out);
}
void gather_cosine(const float* query, const float* points, size_t stride, size_t dim,
                   const uint32_t* ids, size_t n_ids, float* out) {
  gather<Metric::kCosine>(query, points, stride, dim, ids, n_ids, out);
}
void gather_jaccard(const float* query, const float* points, size_t stride, size_t dim,
                    const uint32_t* ids, size_t n_ids, float* out) {
  gather<Metric::kJaccard>(query, points, stride, dim, ids, n_ids, out);
}
GatherKernel kernel_of(Metric metric) {
  switch (metric) {
    case Metric::kSquaredL2:
    case Metric::kHamming:
      return gather_l2;
    case Metric::kInnerProduct:
      return gather_product;
    case Metric::kCosine:
      return gather_cosine;
    case Metric::kJaccard:
      return gather_jaccard;
    case Metric::kUser:
      break;
  }
  CARYA_ASSERT(false);
  return nullptr;
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(scan_rows);
HWY_EXPORT(kernel_of);

void distances(Metric metric, std::span<const float> query, MatrixView<const float> points,
               std::span<float> out) {
  CARYA_ASSERT(metric != Metric::kUser);
  HWY_DYNAMIC_DISPATCH(scan_rows)(metric, query.data(), points, out.data());
}

void distances(Metric metric, std::span<const float> query, MatrixView<const float> points,
               std::span<const uint32_t> ids, std::span<float> out) {
  gather_kernel(metric)(query.data(), points.data(), points.stride(), points.cols(), ids.data(),
                        ids.size(), out.data());
}

GatherKernel gather_kernel(Metric metric) { return HWY_DYNAMIC_DISPATCH(kernel_of)(metric); }
}  // namespace carya
#endif
