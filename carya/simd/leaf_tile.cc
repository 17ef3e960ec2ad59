#include "carya/simd/leaf_tile.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/leaf_tile.cc"
#include <hwy/foreach_target.h>  // re-includes this file once per instruction set
#include <hwy/highway.h>         // must follow foreach_target.h
HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

// At most 16 lanes, so that the vectors of a leaf's row are a whole number, of 2 or more.
using FloatTag = hn::CappedTag<float, 16>;
using WordTag = hn::CappedTag<uint32_t, 16>;

// kRows x 2 vectors of sums stay in registers: 12 chains cover the FMA latency, 15 registers suit
// AVX2's 16.
constexpr size_t kRowsAtOnce = 6;

template <size_t kRows>
HWY_INLINE void distances_of_rows(const float* const* rows, const float* panel, size_t dim,
                                  float* out) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  for (size_t col = 0; col < kLeafSize; col += 2 * lanes) {
    auto sum00 = hn::Zero(d), sum01 = sum00, sum10 = sum00, sum11 = sum00, sum20 = sum00,
         sum21 = sum00, sum30 = sum00, sum31 = sum00, sum40 = sum00, sum41 = sum00, sum50 = sum00,
         sum51 = sum00;  // an array of vectors is not allowed on scalable targets
    for (size_t j = 0; j < dim; ++j) {
      const auto p0 = hn::LoadU(d, panel + j * kLeafSize + col);
      const auto p1 = hn::LoadU(d, panel + j * kLeafSize + col + lanes);
      const auto add = [&](size_t row, auto& s0, auto& s1) HWY_ATTR {
        const auto x = hn::Set(d, rows[row][j]);
        const auto diff0 = hn::Sub(x, p0), diff1 = hn::Sub(x, p1);
        s0 = hn::MulAdd(diff0, diff0, s0);
        s1 = hn::MulAdd(diff1, diff1, s1);
      };
      add(0, sum00, sum01);
      if constexpr (kRows > 1) add(1, sum10, sum11);
      if constexpr (kRows > 2) add(2, sum20, sum21);
      if constexpr (kRows > 3) add(3, sum30, sum31);
      if constexpr (kRows > 4) add(4, sum40, sum41);
      if constexpr (kRows > 5) add(5, sum50, sum51);
    }
    const auto store = [&](size_t row, auto s0, auto s1) HWY_ATTR {
      hn::StoreU(s0, d, out + row * kLeafSize + col);
      hn::StoreU(s1, d, out + row * kLeafSize + col + lanes);
    };
    store(0, sum00, sum01);
    if constexpr (kRows > 1) store(1, sum10, sum11);
    if constexpr (kRows > 2) store(2, sum20, sum21);
    if constexpr (kRows > 3) store(3, sum30, sum31);
    if constexpr (kRows > 4) store(4, sum40, sum41);
    if constexpr (kRows > 5) store(5, sum50, sum51);
  }
}

void leaf_distances(const float* const* rows, size_t n_rows, const float* panel, size_t dim,
                    float* out) {
  size_t i = 0;
  for (; i + kRowsAtOnce <= n_rows; i += kRowsAtOnce) {
    distances_of_rows<kRowsAtOnce>(rows + i, panel, dim, out + i * kLeafSize);
  }
  float* rest = out + i * kLeafSize;
  switch (n_rows - i) {
    case 1:
      return distances_of_rows<1>(rows + i, panel, dim, rest);
    case 2:
      return distances_of_rows<2>(rows + i, panel, dim, rest);
    case 3:
      return distances_of_rows<3>(rows + i, panel, dim, rest);
    case 4:
      return distances_of_rows<4>(rows + i, panel, dim, rest);
    case 5:
      return distances_of_rows<5>(rows + i, panel, dim, rest);
  }
}

void leaf_box_distances(const float* panel, size_t dim, const float* lo, const float* hi,
                        float* out) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  for (size_t col = 0; col < kLeafSize; col += 2 * lanes) {
    auto sum0 = hn::Zero(d), sum1 = hn::Zero(d);
    for (size_t j = 0; j < dim; ++j) {
      const auto low = hn::Set(d, lo[j]), high = hn::Set(d, hi[j]);
      const auto outside = [&](auto x) HWY_ATTR {
        return hn::Max(hn::Max(hn::Sub(low, x), hn::Sub(x, high)), hn::Zero(d));
      };
      const auto diff0 = outside(hn::LoadU(d, panel + j * kLeafSize + col));
      const auto diff1 = outside(hn::LoadU(d, panel + j * kLeafSize + col + lanes));
      sum0 = hn::MulAdd(diff0, diff0, sum0);
      sum1 = hn::MulAdd(diff1, diff1, sum1);
    }
    hn::StoreU(sum0, d, out + col);
    hn::StoreU(sum1, d, out + col + lanes);
  }
}

template <class Mask>
HWY_INLINE uint64_t bits_of(Mask mask) {
  const FloatTag d;
  uint8_t bytes[8] = {};
  hn::StoreMaskBits(d, mask, bytes);
  return bytes[0] | uint64_t{bytes[1]} << 8;
}

void leaf_within(const float* distances, size_t n_rows, const float* limits, uint64_t* out) {
  const FloatTag d;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n_rows; ++i) {
    const auto limit = hn::Set(d, limits[i]);
    uint64_t bits = 0;
    for (size_t col = 0; col < kLeafSize; col += lanes) {
      const auto distance = hn::LoadU(d, distances + i * kLeafSize + col);
      bits |= bits_of(hn::Le(distance, limit)) << col;
    }
    out[i] = bits;
  }
}

void leaf_within_other_group(const float* distances, size_t n_rows, const float* limits,
                             const uint32_t* row_groups, const float* floors,
                             const uint32_t* groups, uint64_t* out) {
  const FloatTag d;
  const WordTag words;
  const size_t lanes = hn::Lanes(d);
  for (size_t i = 0; i < n_rows; ++i) {
    const auto limit = hn::Set(d, limits[i]);
    const auto own = hn::Set(words, row_groups[i]);
    uint64_t bits = 0;
    for (size_t col = 0; col < kLeafSize; col += lanes) {
      const auto distance =
          hn::Max(hn::LoadU(d, distances + i * kLeafSize + col), hn::LoadU(d, floors + col));
      const auto other = hn::Ne(hn::LoadU(words, groups + col), own);
      bits |= bits_of(hn::And(hn::Le(distance, limit), hn::RebindMask(d, other))) << col;
    }
    out[i] = bits;
  }
}

}  // namespace
}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#if HWY_ONCE  // once, not once per instruction set
namespace carya {
HWY_EXPORT(leaf_distances);
HWY_EXPORT(leaf_box_distances);
HWY_EXPORT(leaf_within);
HWY_EXPORT(leaf_within_other_group);

void leaf_distances(std::span<const float* const> rows, const float* panel, size_t dim,
                    float* out) {
  HWY_DYNAMIC_DISPATCH(leaf_distances)(rows.data(), rows.size(), panel, dim, out);
}
void leaf_box_distances(const float* panel, size_t dim, const float* lo, const float* hi,
                        float* out) {
  HWY_DYNAMIC_DISPATCH(leaf_box_distances)(panel, dim, lo, hi, out);
}
void leaf_within(const float* distances, size_t n_rows, const float* limits, uint64_t* out) {
  HWY_DYNAMIC_DISPATCH(leaf_within)(distances, n_rows, limits, out);
}
void leaf_within_other_group(const float* distances, size_t n_rows, const float* limits,
                             const uint32_t* row_groups, const float* floors,
                             const uint32_t* groups, uint64_t* out) {
  HWY_DYNAMIC_DISPATCH(leaf_within_other_group)
  (distances, n_rows, limits, row_groups, floors, groups, out);
}
}  // namespace carya
#endif
