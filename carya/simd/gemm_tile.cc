#include "carya/simd/gemm_tile.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include <algorithm>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/gemm_tile.cc"
#include <hwy/foreach_target.h>  // re-includes this file once per instruction set
#include <hwy/highway.h>

#include "carya/simd/gelu-inl.h"

// HWY_BEFORE_NAMESPACE, with two instructions more that Highway 1.0.3 has no target for; is_fast()
// has asked the CPU before they are used.
#undef CARYA_GEMM_DOT
#if HWY_TARGET == HWY_AVX3
#define CARYA_GEMM_DOT 1
HWY_PUSH_ATTRIBUTES(HWY_TARGET_STR ",avx512bf16,avx512vnni")
#else
#define CARYA_GEMM_DOT 0
HWY_BEFORE_NAMESPACE();
#endif
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kPanel = PackedWeights::kPanel;
using D = hn::CappedTag<float, kPanel / 2>;
using V = hn::Vec<D>;
constexpr size_t kLanes = hn::MaxLanes(D());
// kRowsMax x 2 sums, 2 weights and 1 input: 27 of 32 registers, or 15 of 16.
constexpr size_t kRowsMax = HWY_TARGET == HWY_AVX3 ? 12 : 6;

// A format's policy: words of x and of the weights, their products added to sums.  Sums have the
// type of the instruction: GCC 12 copies registers on every cast.
struct F32 {
  using Sum = V;
  static HWY_INLINE Sum zero() { return hn::Zero(D()); }
  static HWY_INLINE Sum weights(const uint32_t* w) {
    return hn::Load(D(), reinterpret_cast<const float*>(w));
  }
  static HWY_INLINE Sum broadcast(const uint32_t* x) {
    return hn::Set(D(), *reinterpret_cast<const float*>(x));
  }
  static HWY_INLINE Sum add(Sum sum, Sum x, Sum w) { return hn::MulAdd(x, w, sum); }
};
#if CARYA_GEMM_DOT
struct Bf16 {
  using Sum = __m512;  // of words too: Clang 16 crashes on vectors of bf16
  static HWY_INLINE Sum zero() { return _mm512_setzero_ps(); }
  static HWY_INLINE Sum weights(const uint32_t* w) { return _mm512_load_ps(w); }
  static HWY_INLINE Sum broadcast(const uint32_t* x) {
    return _mm512_set1_ps(*reinterpret_cast<const float*>(x));
  }
  static HWY_INLINE Sum add(Sum sum, Sum x, Sum w) {
    asm("vdpbf16ps %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));
    return sum;
  }
};
struct Int8 {
  using Sum = __m512i;
  static HWY_INLINE Sum zero() { return _mm512_setzero_si512(); }
  static HWY_INLINE Sum weights(const uint32_t* w) { return _mm512_load_si512(w); }
  static HWY_INLINE Sum broadcast(const uint32_t* x) {
    return _mm512_set1_epi32(static_cast<int>(*x));
  }
  static HWY_INLINE Sum add(Sum sum, Sum x, Sum w) {
    asm("vpdpbusd %2, %1, %0" : "+v"(sum) : "v"(x), "v"(w));  // the intrinsic casts, see above
    return sum;
  }
};
#endif

// The sums of a tile, two vectors a row.  A recursive struct, because GCC 12 keeps an array of 24
// vectors in memory and halves the speed.
template <class Format, size_t kRows>
struct Sums {
  typename Format::Sum left, right;
  Sums<Format, kRows - 1> below;
};
template <class Format>
struct Sums<Format, 0> {};

template <class Format, size_t kRows>
HWY_INLINE void set_zero(Sums<Format, kRows>& sums) {
  if constexpr (kRows > 0) {
    sums.left = sums.right = Format::zero();
    set_zero(sums.below);
  }
}

// Words of three rows of x, four rows apart: x86 can address the ones between as [p + stride * 1,
// 2].
struct Inputs {
  const uint32_t *row0, *row4, *row8;
  size_t stride;
};

template <size_t kRow, class Format, size_t kRows, class Words>
HWY_INLINE void add(Sums<Format, kRows>& sums, const Inputs& x, Words left, Words right) {
  if constexpr (kRows > 0) {
    const uint32_t* base = kRow < 4 ? x.row0 : kRow < 8 ? x.row4 : x.row8;
    const auto word = Format::broadcast(base + (kRow % 4) * x.stride);
    sums.left = Format::add(sums.left, word, left);
    sums.right = Format::add(sums.right, word, right);
    add<kRow + 1>(sums.below, x, left, right);
  }
}

// Where a tile goes: row `row` of the block, outputs `output` and following.
struct TilePlace {
  size_t row, output;
  float* out;
  size_t out_stride;
  const float* residual;  // or null
  size_t residual_stride;
};

template <class Format>
HWY_INLINE void finish(const GemmBlock& block, const TilePlace& place, size_t row, size_t column,
                       typename Format::Sum sums) {
  const D d;
  V value;
  if constexpr (std::is_same_v<Format, F32>) value = sums;
#if CARYA_GEMM_DOT
  if constexpr (std::is_same_v<Format, Bf16>) value = V{sums};
  if constexpr (std::is_same_v<Format, Int8>) {
    const hn::RebindToSigned<D> di;
    const size_t output = place.output + column;
    const auto zero = hn::Mul(hn::Set(di, block.row_zeros[place.row + row]),
                              hn::LoadU(di, block.weights->sums().data() + output));
    value = hn::Mul(hn::ConvertTo(d, hn::Sub(hn::Vec<decltype(di)>{sums}, zero)),
                    hn::Mul(hn::Set(d, block.row_scales[place.row + row]),
                            hn::LoadU(d, block.weights->scales().data() + output)));
  }
#endif
  if (block.bias != nullptr) {
    value = hn::Add(value, hn::LoadU(d, block.bias + place.output + column));
  }
  if (block.activation == Activation::kGelu) value = gelu(d, value);
  if (place.residual != nullptr) {
    value = hn::Add(value, hn::LoadU(d, place.residual + row * place.residual_stride + column));
  }
  hn::StoreU(value, d, place.out + row * place.out_stride + column);
}

template <size_t kRow, class Format, size_t kRows>
HWY_INLINE void finish_rows(const GemmBlock& block, const TilePlace& place,
                            const Sums<Format, kRows>& sums) {
  if constexpr (kRows > 0) {
    finish<Format>(block, place, kRow, 0, sums.left);
    finish<Format>(block, place, kRow, kLanes, sums.right);
    finish_rows<kRow + 1>(block, place, sums.below);
  }
}

// kRows rows times 2 * kLanes outputs, whose weights begin at `w`.
template <class Format, size_t kRows>
HWY_NOINLINE void tile(const GemmBlock& block, const TilePlace& place, const uint32_t* w) {
  const size_t stride = block.x_stride;
  const uint32_t* first = block.x + place.row * stride;
  Inputs x{first, first + std::min<size_t>(4, kRows - 1) * stride,
           first + std::min<size_t>(8, kRows - 1) * stride, stride};
  Sums<Format, kRows> sums;
  set_zero(sums);
  for (size_t k = block.weights->n_words(); k > 0; --k) {
    add<0>(sums, x, Format::weights(w), Format::weights(w + kLanes));
    w += kPanel;
    ++x.row0, ++x.row4, ++x.row8;
  }
  finish_rows<0>(block, place, sums);
}

template <class Format, size_t kRows = kRowsMax>
void tile_of_rows(size_t rows, const GemmBlock& block, const TilePlace& place, const uint32_t* w) {
  if (rows == kRows) {
    tile<Format, kRows>(block, place, w);
  } else if constexpr (kRows > 1) {
    tile_of_rows<Format, kRows - 1>(rows, block, place, w);
  }
}

// The last panel may have fewer outputs than the kernel writes: they go through a full tile aside.
template <class Format>
HWY_NOINLINE void partial_tile(size_t rows, size_t n_outputs, const GemmBlock& block,
                               const TilePlace& place, const uint32_t* w) {
  constexpr size_t kWidth = 2 * kLanes;
  float out[kRowsMax * kWidth], residual[kRowsMax * kWidth] = {};
  TilePlace aside{place.row, place.output, out, kWidth, nullptr, kWidth};
  if (place.residual != nullptr) {
    for (size_t i = 0; i < rows; ++i) {
      std::copy_n(place.residual + i * place.residual_stride, n_outputs, residual + i * kWidth);
    }
    aside.residual = residual;
  }
  tile_of_rows<Format>(rows, block, aside, w);
  for (size_t i = 0; i < rows; ++i) {
    std::copy_n(out + i * kWidth, n_outputs, place.out + i * place.out_stride);
  }
}

// A panel of weights (and so an L1 or L2 full of them) serves all rows of the block.
template <class Format>
void block_of(const GemmBlock& block) {
  const size_t n_outputs = block.weights->n_outputs();
  for (size_t panel = block.first_panel; panel < block.last_panel; ++panel) {
    for (size_t row = 0; row < block.rows; row += kRowsMax) {
      const size_t rows = std::min(kRowsMax, block.rows - row);
      for (size_t column = 0; column < kPanel; column += 2 * kLanes) {
        const size_t output = panel * kPanel + column;
        if (output >= n_outputs) break;
        TilePlace place{row,
                        output,
                        block.out + row * block.out_stride + output,
                        block.out_stride,
                        nullptr,
                        block.residual_stride};
        if (block.residual != nullptr) {
          place.residual = block.residual + row * block.residual_stride + output;
        }
        const uint32_t* w = block.weights->panel(panel) + column;
        if (n_outputs - output < 2 * kLanes) {
          partial_tile<Format>(rows, n_outputs - output, block, place, w);
        } else {
          tile_of_rows<Format>(rows, block, place, w);
        }
      }
    }
  }
}

void gemm_block_f32(const GemmBlock& block) { block_of<F32>(block); }

#if CARYA_GEMM_DOT
void gemm_block_bf16(const GemmBlock& block) { block_of<Bf16>(block); }
void gemm_block_int8(const GemmBlock& block) { block_of<Int8>(block); }

void bf16_words_dot(const float* x, size_t n, uint32_t* words) {
  for (size_t i = 0; i < n; i += 32) {
    const size_t left = std::min<size_t>(n - i, 32);
    const auto mask = static_cast<__mmask32>((uint64_t{1} << left) - 1);
    const __m512 low = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask), x + i);
    const __m512 high = _mm512_maskz_loadu_ps(static_cast<__mmask16>(mask >> 16), x + i + 16);
    const auto store = static_cast<__mmask16>((uint64_t{1} << ((left + 1) / 2)) - 1);
    _mm512_mask_storeu_epi32(words + i / 2, store, (__m512i)_mm512_cvtne2ps_pbh(high, low));
  }
}

void int8_words_dot(const float* x, size_t n, uint32_t* words, float& scale, int32_t& zero) {
  const D d;
  const hn::RebindToSigned<D> di;
  const hn::Rebind<uint8_t, D> d8;
  V least = hn::Zero(d), greatest = hn::Zero(d);
  const auto load = [&](size_t i) HWY_ATTR {
    return i + kLanes <= n ? hn::LoadU(d, x + i) : hn::MaskedLoad(hn::FirstN(d, n - i), d, x + i);
  };
  for (size_t i = 0; i < n; i += kLanes) {
    least = hn::Min(least, load(i));
    greatest = hn::Max(greatest, load(i));
  }
  const float low = hn::GetLane(hn::MinOfLanes(d, least));
  const float high = hn::GetLane(hn::MaxOfLanes(d, greatest));
  scale = std::max((high - low) / 255.0f, 1e-30f);
  zero = std::clamp(static_cast<int32_t>(-low / scale + 0.5f), 0, 255);
  const V inverse = hn::Set(d, 1.0f / scale);
  const auto offset = hn::Set(di, zero);
  for (size_t i = 0; i < n; i += kLanes) {
    const auto code = hn::Add(hn::NearestInt(hn::Mul(load(i), inverse)), offset);
    uint8_t bytes[kLanes];
    hn::StoreU(hn::DemoteTo(d8, code), d8, bytes);
    std::copy_n(bytes, std::min(kLanes, (n - i + 3) / 4 * 4),
                reinterpret_cast<uint8_t*>(words) + i);
  }
}
#endif

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(gemm_block_f32);

bool is_fast(WeightFormat format) {
  if (format == WeightFormat::kF32) return true;
#if HWY_TARGETS & HWY_AVX3
  __builtin_cpu_init();
  if ((hwy::SupportedTargets() & HWY_AVX3) == 0) return false;
  return format == WeightFormat::kBf16 ? __builtin_cpu_supports("avx512bf16") != 0
                                       : __builtin_cpu_supports("avx512vnni") != 0;
#else
  return false;
#endif
}

void gemm_block(const GemmBlock& block) {
#if HWY_TARGETS & HWY_AVX3
  if (block.weights->format() == WeightFormat::kBf16) return N_AVX3::gemm_block_bf16(block);
  if (block.weights->format() == WeightFormat::kInt8) return N_AVX3::gemm_block_int8(block);
#endif
  HWY_DYNAMIC_DISPATCH(gemm_block_f32)(block);
}

#if HWY_TARGETS & HWY_AVX3
void bf16_words(const float* x, size_t n, uint32_t* words) { N_AVX3::bf16_words_dot(x, n, words); }
void int8_words(const float* x, size_t n, uint32_t* words, float& scale, int32_t& zero) {
  N_AVX3::int8_words_dot(x, n, words, scale, zero);
}
#else
void bf16_words(const float*, size_t, uint32_t*) { CARYA_ASSERT(false); }
void int8_words(const float*, size_t, uint32_t*, float&, int32_t&) { CARYA_ASSERT(false); }
#endif

}  // namespace carya
#endif
