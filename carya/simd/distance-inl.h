// The distance of a query to a few rows, for the SIMD files of this module.
#if defined(CARYA_SIMD_DISTANCE_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CARYA_SIMD_DISTANCE_INL_H_
#undef CARYA_SIMD_DISTANCE_INL_H_
#else
#define CARYA_SIMD_DISTANCE_INL_H_
#endif

#include <hwy/highway.h>

#include <cmath>
#include <cstddef>

#include "carya/simd/metric.h"

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using FloatTag = hn::CappedTag<float, 16>;
using Floats = hn::Vec<FloatTag>;
constexpr size_t kFloats = hn::MaxLanes(FloatTag());
constexpr size_t kPartialSums = 32;  // the contract of distance.h
constexpr size_t kSumRegisters = kPartialSums / kFloats;
// Rows per pass: they share the loads of the query while all sums fit the registers.
constexpr size_t kRowsPerPass = kFloats == 16 ? 4 : kFloats == 8 ? 2 : 1;

// The first `count` < kFloats floats at `from`, then zeros; reads no further.
HWY_INLINE Floats load_first(const float* from, size_t count) {
  const FloatTag d;
#if HWY_TARGET <= HWY_AVX2  // smaller is better; below it a masked load reads the whole vector
  return hn::MaskedLoad(hn::FirstN(d, count), d, from);
#else
  HWY_ALIGN float padded[kFloats] = {};
  for (size_t i = 0; i < count; ++i) padded[i] = from[i];
  return hn::Load(d, padded);
#endif
}

#if HWY_TARGET == HWY_SCALAR
HWY_INLINE float sum_of_lanes(Floats sum) { return hn::GetLane(sum); }
#else
template <class V>
HWY_INLINE float sum_of_lanes(V sum) {  // lane i to lane i + half, halving
  const hn::DFromV<V> d;
  if constexpr (hn::MaxLanes(d) > 4) {
    const hn::Half<hn::DFromV<V> > half;
    return sum_of_lanes(hn::Add(hn::LowerHalf(half, sum), hn::UpperHalf(half, sum)));
  } else {
    const V pair = hn::Add(sum, hn::Shuffle1032(sum));
    return hn::GetLane(hn::Add(pair, hn::Shuffle2301(pair)));
  }
}
#endif

struct SquaredDifference {
  HWY_INLINE Floats operator()(Floats q, Floats x, Floats sum) const {
    const Floats difference = hn::Sub(q, x);
    return hn::MulAdd(difference, difference, sum);
  }
};
struct Product {
  HWY_INLINE Floats operator()(Floats q, Floats x, Floats sum) const {
    return hn::MulAdd(q, x, sum);
  }
};

// out[r] = sum over i of step(query[i], rows[r][i]).
template <size_t kRows, class Step>
HWY_INLINE void sum_rows(const float* HWY_RESTRICT query, const float* const* rows, size_t dim,
                         float* HWY_RESTRICT out) {
  const FloatTag d;
  const Step step;
  Floats sums[kRows][kSumRegisters];
#pragma GCC unroll 32
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 32
    for (size_t s = 0; s < kSumRegisters; ++s) sums[r][s] = hn::Zero(d);
  }
  size_t i = 0;
  for (; i + kPartialSums <= dim; i += kPartialSums) {
#pragma GCC unroll 32
    for (size_t s = 0; s < kSumRegisters; ++s) {
      const Floats q = hn::LoadU(d, query + i + s * kFloats);
#pragma GCC unroll 32
      for (size_t r = 0; r < kRows; ++r) {
        sums[r][s] = step(q, hn::LoadU(d, rows[r] + i + s * kFloats), sums[r][s]);
      }
    }
  }
  if (i < dim) {
#pragma GCC unroll 32
    for (size_t s = 0; s < kSumRegisters; ++s) {
      const size_t at = i + s * kFloats;
      if (at + kFloats <= dim) {
        const Floats q = hn::LoadU(d, query + at);
#pragma GCC unroll 32
        for (size_t r = 0; r < kRows; ++r) {
          sums[r][s] = step(q, hn::LoadU(d, rows[r] + at), sums[r][s]);
        }
      } else if (at < dim) {
        const Floats q = load_first(query + at, dim - at);
#pragma GCC unroll 32
        for (size_t r = 0; r < kRows; ++r) {
          sums[r][s] = step(q, load_first(rows[r] + at, dim - at), sums[r][s]);
        }
      }
    }
  }
#pragma GCC unroll 32
  for (size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 32
    for (size_t half = kSumRegisters / 2; half > 0; half /= 2) {
#pragma GCC unroll 32
      for (size_t s = 0; s < half; ++s) sums[r][s] = hn::Add(sums[r][s], sums[r][s + half]);
    }
    out[r] = sum_of_lanes(sums[r][0]);
  }
}

HWY_INLINE float squared_norm(const float* row, size_t dim) {
  float norm;
  sum_rows<1, Product>(row, &row, dim, &norm);
  return norm;
}

// From the sums of products; 1 if one of the vectors is 0.
HWY_INLINE float cosine_distance(float product, float norm_a, float norm_b) {
  const float scale = std::sqrt(norm_a) * std::sqrt(norm_b);  // one root of the product overflows
  return scale > 0 ? 1.0f - product / scale : 1.0f;
}

// From the sums of products of numbers 0 and 1, which are counts: as row_distance.cc has it of
// bits.
HWY_INLINE float jaccard_distance(float both, float size_a, float size_b) {
  const float either = size_a + size_b - both;
  return either > 0 ? (either - both) / either : 0.0f;
}

template <size_t kRows>
HWY_INLINE void row_distances(Metric metric, const float* query, float query_norm,
                              const float* const* rows, size_t dim, float* out) {
  // A number 0 or 1 that differs adds a square of 1.
  if (metric == Metric::kSquaredL2 || metric == Metric::kHamming)
    return sum_rows<kRows, SquaredDifference>(query, rows, dim, out);
  sum_rows<kRows, Product>(query, rows, dim, out);
  if (metric == Metric::kInnerProduct) {
    for (size_t r = 0; r < kRows; ++r) out[r] = -out[r];
    return;
  }
  for (size_t r = 0; r < kRows; ++r) {
    const float norm = squared_norm(rows[r], dim);
    out[r] = metric == Metric::kCosine ? cosine_distance(out[r], query_norm, norm)
                                       : jaccard_distance(out[r], query_norm, norm);
  }
}

// out[i] = distance to the row at row_of(i), for i < n.
template <class RowOf>
HWY_INLINE void each_distance(Metric metric, const float* query, size_t dim, size_t n,
                              const RowOf& row_of, float* out) {
  const bool has_norm = metric == Metric::kCosine || metric == Metric::kJaccard;
  const float norm = has_norm ? squared_norm(query, dim) : 0;
  size_t i = 0;
  for (; i + kRowsPerPass <= n; i += kRowsPerPass) {
    const float* rows[kRowsPerPass];
    for (size_t r = 0; r < kRowsPerPass; ++r) rows[r] = row_of(i + r);
    row_distances<kRowsPerPass>(metric, query, norm, rows, dim, out + i);
  }
  for (; i < n; ++i) {
    const float* row = row_of(i);
    row_distances<1>(metric, query, norm, &row, dim, out + i);
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif
