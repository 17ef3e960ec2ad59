#include "carya/simd/row_distance.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif
#if defined(__GNUC__) && !defined(__clang__)  // GCC 12 warns of its own intrinsics
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include "carya/core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/row_distance.cc"
#include <hwy/foreach_target.h>
// clang-format off: these must follow foreach_target.h
#include <hwy/highway.h>

#include "carya/simd/distance-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {

template <Metric metric>
void f32_rows(const std::byte* query, const std::byte* rows, size_t stride, size_t dim,
              const uint32_t* ids, size_t n_ids, float* out) {
  each_distance(
      metric, reinterpret_cast<const float*>(query), dim, n_ids,
      [&](size_t i)
          HWY_ATTR { return reinterpret_cast<const float*>(rows + size_t{ids[i]} * stride); },
      out);
}

template <class Step>
void bf16_rows(const std::byte* query_bytes, const std::byte* rows, size_t stride, size_t dim,
               const uint32_t* ids, size_t n_ids, float* out) {
  const FloatTag d;
  const hn::RebindToUnsigned<FloatTag> d32;
  const hn::Rebind<uint16_t, FloatTag> d16;
  const Step step;
  const auto* const query = reinterpret_cast<const float*>(query_bytes);
  for (size_t r = 0; r < n_ids; ++r) {
    const auto* const row = reinterpret_cast<const uint16_t*>(rows + size_t{ids[r]} * stride);
    Floats sums[kSumRegisters];
#pragma GCC unroll 32
    for (Floats& sum : sums) sum = hn::Zero(d);
    for (size_t i = 0; i < dim; i += kPartialSums) {
#pragma GCC unroll 32
      for (size_t s = 0; s < kSumRegisters; ++s) {
        const size_t at = i + s * kFloats;
        const auto x = hn::ShiftLeft<16>(hn::PromoteTo(d32, hn::LoadU(d16, row + at)));
        sums[s] = step(hn::LoadU(d, query + at), hn::BitCast(d, x), sums[s]);
      }
    }
#pragma GCC unroll 32
    for (size_t half = kSumRegisters / 2; half > 0; half /= 2) {
#pragma GCC unroll 32
      for (size_t s = 0; s < half; ++s) sums[s] = hn::Add(sums[s], sums[s + half]);
    }
    out[r] = sum_of_lanes(sums[0]);
    if constexpr (std::is_same_v<Step, Product>) out[r] = -out[r];
  }
}

// Integer rows without a dot product instruction: as 16-bit numbers.
using ShortTag = hn::ScalableTag<int16_t>;
using Shorts = hn::Vec<ShortTag>;
using IntTag = hn::RepartitionToWide<ShortTag>;

// Adds what the numbers q and x contribute.
template <Metric metric>
HWY_INLINE void add_shorts(Shorts q, Shorts x, hn::Vec<IntTag>& sum0, hn::Vec<IntTag>& sum1) {
  const IntTag d32;
  if constexpr (metric == Metric::kSquaredL2) {
    const Shorts difference = hn::Sub(q, x);
    sum0 = hn::ReorderWidenMulAccumulate(d32, difference, difference, sum0, sum1);
  } else {
    sum0 = hn::ReorderWidenMulAccumulate(d32, q, x, sum0, sum1);
  }
}

template <RowFormat format, Metric metric>
void code_rows(const std::byte* query, const std::byte* rows, size_t stride, size_t dim,
               const uint32_t* ids, size_t n_ids, float* out) {
  const ShortTag d16;
  const IntTag d32;
  const hn::Rebind<uint8_t, ShortTag> du8;
  const hn::Rebind<int8_t, ShortTag> di8;
  const size_t bytes = row_bytes(format, dim);
  for (size_t r = 0; r < n_ids; ++r) {
    const std::byte* const row = rows + size_t{ids[r]} * stride;
    hn::Vec<IntTag> sum0 = hn::Zero(d32), sum1 = hn::Zero(d32);
    for (size_t i = 0; i < bytes; i += hn::Lanes(d16)) {
      if constexpr (format == RowFormat::kInt8) {
        add_shorts<metric>(
            hn::PromoteTo(d16, hn::LoadU(di8, reinterpret_cast<const int8_t*>(query + i))),
            hn::PromoteTo(d16, hn::LoadU(di8, reinterpret_cast<const int8_t*>(row + i))), sum0,
            sum1);
      } else {
        const auto q =
            hn::PromoteTo(d16, hn::LoadU(du8, reinterpret_cast<const uint8_t*>(query + i)));
        const auto x =
            hn::PromoteTo(d16, hn::LoadU(du8, reinterpret_cast<const uint8_t*>(row + i)));
        const auto low = hn::Set(d16, 15);
        const auto zero = hn::Set(d16, metric == Metric::kSquaredL2 ? 0 : 8);
        add_shorts<metric>(hn::Sub(hn::And(q, low), zero), hn::Sub(hn::And(x, low), zero), sum0,
                           sum1);
        add_shorts<metric>(hn::Sub(hn::ShiftRight<4>(q), zero), hn::Sub(hn::ShiftRight<4>(x), zero),
                           sum0, sum1);
      }
    }
    const auto sum = static_cast<float>(hn::GetLane(hn::SumOfLanes(d32, hn::Add(sum0, sum1))));
    out[r] = metric == Metric::kSquaredL2 ? sum : -sum;
  }
}

// How many bits are set in each 8 bytes.
template <class V>
HWY_INLINE auto bit_counts(V bits) {
#if HWY_TARGET == HWY_SCALAR
  return hn::PopulationCount(bits);
#else
  return hn::SumsOf8(hn::PopulationCount(hn::BitCast(hn::ScalableTag<uint8_t>(), bits)));
#endif
}

// |a ^ b| / |a | b| is 1 - |a & b| / |a | b|, rounded once.
HWY_INLINE float jaccard_of(uint64_t differing, uint64_t either) {
  return either == 0 ? 0.0f : static_cast<float>(differing) / static_cast<float>(either);
}

template <Metric metric>
void bit_rows(const std::byte* query, const std::byte* rows, size_t stride, size_t dim,
              const uint32_t* ids, size_t n_ids, float* out) {
  const hn::ScalableTag<uint64_t> d;
  const size_t n_words = row_bytes(RowFormat::kBits, dim) / sizeof(uint64_t);
  const auto* const from = reinterpret_cast<const uint64_t*>(query);
  for (size_t r = 0; r < n_ids; ++r) {
    const auto* const row = reinterpret_cast<const uint64_t*>(rows + size_t{ids[r]} * stride);
    auto differing = hn::Zero(d), either = hn::Zero(d);
    for (size_t i = 0; i < n_words; i += hn::Lanes(d)) {
      const auto q = hn::LoadU(d, from + i), x = hn::LoadU(d, row + i);
      differing = hn::Add(differing, bit_counts(hn::Xor(q, x)));
      if constexpr (metric == Metric::kJaccard) either = hn::Add(either, bit_counts(hn::Or(q, x)));
    }
    const uint64_t n_differing = hn::GetLane(hn::SumOfLanes(d, differing));
    out[r] = metric == Metric::kJaccard
                 ? jaccard_of(n_differing, hn::GetLane(hn::SumOfLanes(d, either)))
                 : static_cast<float>(n_differing);
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#undef CARYA_ROW_DOT
#if HWY_TARGET == HWY_AVX3
#define CARYA_ROW_DOT 1
// An instruction more than Highway 1.0.3 has a target for; kernel_of() asks the CPU.
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni")
namespace carya::HWY_NAMESPACE {

// Four sums of 16 numbers: the sum of a in lane 0, of b in lane 1 ...
HWY_INLINE __m128i sums_of(__m512i a, __m512i b, __m512i c, __m512i d) {
  const auto half = [](__m512i v) HWY_ATTR {
    return _mm256_add_epi32(_mm512_castsi512_si256(v), _mm512_extracti64x4_epi64(v, 1));
  };
  const __m256i pairs =
      _mm256_hadd_epi32(_mm256_hadd_epi32(half(a), half(b)), _mm256_hadd_epi32(half(c), half(d)));
  return _mm_add_epi32(_mm256_castsi256_si128(pairs), _mm256_extracti128_si256(pairs, 1));
}

// The query's side of 64 numbers, and adding a row's: 8-bit unsigned times signed products, four to
// a sum.
template <Metric metric>
struct DotStep;
template <>
struct DotStep<Metric::kSquaredL2> {
  explicit HWY_INLINE DotStep(__m512i q) : query(q) {}
  HWY_INLINE void add(__m512i x, __m512i& sum) const {
    const __m512i size = _mm512_abs_epi8(_mm512_sub_epi8(query, x));  // at most 127
    asm("vpdpbusd %1, %1, %0" : "+v"(sum) : "v"(size));
  }
  __m512i query;
};
template <>
struct DotStep<Metric::kInnerProduct> {
  explicit HWY_INLINE DotStep(__m512i q)
      : size(_mm512_abs_epi8(q)), negative(_mm512_movepi8_mask(q)) {}
  HWY_INLINE void add(__m512i x, __m512i& sum) const {  // the query's sign goes to x
    x = _mm512_mask_sub_epi8(x, negative, _mm512_setzero_si512(), x);
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(size), "v"(x));
  }
  __m512i size;
  __mmask64 negative;
};

template <Metric metric, bool kHigh>
HWY_INLINE __m512i nibbles(__m512i packed) {
  if constexpr (kHigh) packed = _mm512_srli_epi16(packed, 4);
  packed = _mm512_and_si512(packed, _mm512_set1_epi8(15));
  return metric == Metric::kSquaredL2 ? packed : _mm512_sub_epi8(packed, _mm512_set1_epi8(8));
}

template <RowFormat format, Metric metric, size_t kRows>
HWY_INLINE void add_rows(const std::byte* query, const std::byte* const* row, size_t bytes,
                         __m512i* sums) {
  for (size_t i = 0; i < bytes; i += kRowAlignment) {
    const __m512i q = _mm512_loadu_si512(query + i);
    if constexpr (format == RowFormat::kInt8) {
      const DotStep<metric> step(q);
#pragma GCC unroll 8
      for (size_t r = 0; r < kRows; ++r) step.add(_mm512_loadu_si512(row[r] + i), sums[r]);
    } else {
      const DotStep<metric> low(nibbles<metric, false>(q)), high(nibbles<metric, true>(q));
#pragma GCC unroll 8
      for (size_t r = 0; r < kRows; ++r) {
        const __m512i x = _mm512_loadu_si512(row[r] + i);
        low.add(nibbles<metric, false>(x), sums[r]);
        high.add(nibbles<metric, true>(x), sums[r]);
      }
    }
  }
}

template <RowFormat format, Metric metric>
void dot_rows(const std::byte* query, const std::byte* rows, size_t stride, size_t dim,
              const uint32_t* ids, size_t n_ids, float* out) {
  constexpr size_t kRows = 4;  // they share the query's loads; more gain nothing
  const size_t bytes = row_bytes(format, dim);
  const __m512i zero = _mm512_setzero_si512();
  for (size_t i = 0; i < n_ids; i += kRows) {
    const size_t n = n_ids - i < kRows ? n_ids - i : kRows;
    const std::byte* row[kRows];
    for (size_t r = 0; r < kRows; ++r) row[r] = rows + size_t{ids[i + (r < n ? r : 0)]} * stride;
    __m512i sums[kRows] = {zero, zero, zero, zero};
    if (n == 1) {
      add_rows<format, metric, 1>(query, row, bytes, sums);
    } else {
      add_rows<format, metric, kRows>(query, row, bytes, sums);
    }
    __m128 result = _mm_cvtepi32_ps(sums_of(sums[0], sums[1], sums[2], sums[3]));
    if constexpr (metric == Metric::kInnerProduct) result = _mm_sub_ps(_mm_setzero_ps(), result);
    _mm_mask_storeu_ps(out + i, static_cast<__mmask8>((1u << n) - 1), result);
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_POP_ATTRIBUTES

HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512vnni,avx512vpopcntdq")
namespace carya::HWY_NAMESPACE {

template <Metric metric, size_t kRows>
HWY_INLINE void add_bit_counts(const std::byte* query, const std::byte* const* row, size_t bytes,
                               __m512i* differing, __m512i* either) {
  for (size_t i = 0; i < bytes; i += kRowAlignment) {
    const __m512i q = _mm512_loadu_si512(query + i);
#pragma GCC unroll 8
    for (size_t r = 0; r < kRows; ++r) {
      const __m512i x = _mm512_loadu_si512(row[r] + i);
      differing[r] = _mm512_add_epi32(differing[r], _mm512_popcnt_epi32(_mm512_xor_si512(q, x)));
      if constexpr (metric == Metric::kJaccard) {
        either[r] = _mm512_add_epi32(either[r], _mm512_popcnt_epi32(_mm512_or_si512(q, x)));
      }
    }
  }
}

template <Metric metric>
void popcount_rows(const std::byte* query, const std::byte* rows, size_t stride, size_t dim,
                   const uint32_t* ids, size_t n_ids, float* out) {
  constexpr size_t kRows = 4;
  const size_t bytes = row_bytes(RowFormat::kBits, dim);
  const __m512i zero = _mm512_setzero_si512();
  for (size_t i = 0; i < n_ids; i += kRows) {
    const size_t n = n_ids - i < kRows ? n_ids - i : kRows;
    const std::byte* row[kRows];
    for (size_t r = 0; r < kRows; ++r) row[r] = rows + size_t{ids[i + (r < n ? r : 0)]} * stride;
    __m512i differing[kRows] = {zero, zero, zero, zero}, either[kRows] = {zero, zero, zero, zero};
    if (n == 1) {
      add_bit_counts<metric, 1>(query, row, bytes, differing, either);
    } else {
      add_bit_counts<metric, kRows>(query, row, bytes, differing, either);
    }
    __m128 result =
        _mm_cvtepi32_ps(sums_of(differing[0], differing[1], differing[2], differing[3]));
    if constexpr (metric == Metric::kJaccard) {
      const __m128i sets = sums_of(either[0], either[1], either[2], either[3]);
      result = _mm_div_ps(result, _mm_cvtepi32_ps(_mm_max_epi32(sets, _mm_set1_epi32(1))));
    }
    _mm_mask_storeu_ps(out + i, static_cast<__mmask8>((1u << n) - 1), result);
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_POP_ATTRIBUTES
#else
#define CARYA_ROW_DOT 0
#endif

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {

template <RowFormat format, Metric metric>
RowKernel code_kernel() {
#if CARYA_ROW_DOT
  if (__builtin_cpu_supports("avx512vnni")) return dot_rows<format, metric>;
#endif
  return code_rows<format, metric>;
}

template <Metric metric>
RowKernel bit_kernel() {
#if CARYA_ROW_DOT
  if (__builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vpopcntdq")) {
    return popcount_rows<metric>;
  }
#endif
  return bit_rows<metric>;
}

RowKernel kernel_of(RowFormat format, Metric metric) {
  CARYA_ASSERT(metric != Metric::kCosine && is_binary(metric) == (format == RowFormat::kBits));
  const bool l2 = metric == Metric::kSquaredL2;
  switch (format) {
    case RowFormat::kF32:
      return l2 ? f32_rows<Metric::kSquaredL2> : f32_rows<Metric::kInnerProduct>;
    case RowFormat::kBf16:
      return l2 ? bf16_rows<SquaredDifference> : bf16_rows<Product>;
    case RowFormat::kInt8:
      return l2 ? code_kernel<RowFormat::kInt8, Metric::kSquaredL2>()
                : code_kernel<RowFormat::kInt8, Metric::kInnerProduct>();
    case RowFormat::kInt4:
      return l2 ? code_kernel<RowFormat::kInt4, Metric::kSquaredL2>()
                : code_kernel<RowFormat::kInt4, Metric::kInnerProduct>();
    case RowFormat::kBits:
      return metric == Metric::kHamming ? bit_kernel<Metric::kHamming>()
                                        : bit_kernel<Metric::kJaccard>();
  }
  CARYA_ASSERT(false);
  return nullptr;
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(kernel_of);

RowKernel row_kernel(RowFormat format, Metric metric) {
  return HWY_DYNAMIC_DISPATCH(kernel_of)(format, metric);
}

size_t row_bytes(RowFormat format, size_t dim) {
  size_t bytes = 0;
  switch (format) {
    case RowFormat::kF32:
      bytes = 4 * dim;
      break;
    case RowFormat::kBf16:
      bytes = 2 * dim;
      break;
    case RowFormat::kInt8:
      bytes = dim;
      break;
    case RowFormat::kInt4:
      bytes = (dim + 1) / 2;
      break;
    case RowFormat::kBits:
      bytes = (dim + 7) / 8;
      break;
  }
  return (bytes + kRowAlignment - 1) / kRowAlignment * kRowAlignment;
}
}  // namespace carya
#endif
