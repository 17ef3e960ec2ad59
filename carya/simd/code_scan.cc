#include "carya/simd/code_scan.h"

#include <algorithm>

#include "carya/core/error.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/code_scan.cc"
#include <hwy/foreach_target.h>
// clang-format off: must follow foreach_target.h
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

void sum_codes(const uint8_t* blocks, size_t n_blocks, size_t n_parts, const uint8_t* tables,
               uint16_t* sums) {
  for (size_t b = 0; b < n_blocks; ++b, blocks += block_bytes(n_parts), sums += kCodesPerBlock) {
    std::fill_n(sums, kCodesPerBlock, uint16_t{0});
    for (size_t at = 0; at < 16 * n_parts; ++at) {
      const uint8_t* const table = tables + at / 16 * 16;
      uint16_t *const low = sums + at % 16, *const high = low + 16;
      *low = static_cast<uint16_t>(*low + table[blocks[at] & 0x0F]);
      *high = static_cast<uint16_t>(*high + table[blocks[at] >> 4]);
    }
  }
}

#else

// A register holds the tables of up to four parts, one in each block of 16 bytes.
using Bytes = hn::CappedTag<uint8_t, 64>;
using Words = hn::Repartition<uint16_t, Bytes>;

// The sum of a register's blocks of 16 bytes.
template <class D, class V>
HWY_ATTR auto sum_of_blocks(D d, V v) {
  if constexpr (hn::MaxLanes(D()) <= 8) {
    return v;
  } else {
    const hn::Half<D> half;
    return sum_of_blocks(half, hn::Add(hn::LowerHalf(half, v), hn::UpperHalf(half, v)));
  }
}

// 16 sums from words = even + 256 odd, modulo 2^16, and odd: each lane is of two codes, and every
// eighth lane of the same two.
template <class V>
HWY_ATTR void store_sums(V words, V odd, uint16_t* sums) {
  const hn::CappedTag<uint16_t, 8> d;
  const auto odd_sums = sum_of_blocks(Words(), odd);
  const auto even_sums = hn::Sub(sum_of_blocks(Words(), words), hn::ShiftLeft<8>(odd_sums));
  hn::StoreU(hn::InterleaveLower(d, even_sums, odd_sums), d, sums);
  hn::StoreU(hn::InterleaveUpper(d, even_sums, odd_sums), d, sums + 8);
}

void sum_codes(const uint8_t* blocks, size_t n_blocks, size_t n_parts, const uint8_t* tables,
               uint16_t* sums) {
  const Bytes d8;
  const Words d16;
  const size_t bytes = block_bytes(n_parts), lanes = hn::Lanes(d8);
  const auto nibble = hn::Set(d8, 0x0F);
  for (size_t b = 0; b < n_blocks; ++b, blocks += bytes, sums += kCodesPerBlock) {
    // Codes 0 to 15 and 16 to 31.
    auto words0 = hn::Zero(d16), odd0 = words0, words1 = words0, odd1 = words0;
    for (size_t at = 0; at < bytes; at += lanes) {
      const auto codes = hn::LoadU(d8, blocks + at);
      const auto table = hn::LoadU(d8, tables + at);
      const auto high = hn::BitCast(d8, hn::ShiftRight<4>(hn::BitCast(d16, codes)));
      const auto found0 = hn::BitCast(d16, hn::TableLookupBytes(table, hn::And(codes, nibble)));
      const auto found1 = hn::BitCast(d16, hn::TableLookupBytes(table, hn::And(high, nibble)));
      words0 = hn::Add(words0, found0);
      odd0 = hn::Add(odd0, hn::ShiftRight<8>(found0));
      words1 = hn::Add(words1, found1);
      odd1 = hn::Add(odd1, hn::ShiftRight<8>(found1));
    }
    store_sums(words0, odd0, sums);
    store_sums(words1, odd1, sums + 16);
  }
}

#endif  // HWY_TARGET == HWY_SCALAR

float add_tables(const float* a, const float* b, size_t n_parts, float* sums, float* lowest) {
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  float widest = 0;
  for (size_t part = 0; part < n_parts; ++part, a += 16, b += 16, sums += 16) {
    auto sum = hn::Add(hn::LoadU(d, a), hn::LoadU(d, b));
    hn::StoreU(sum, d, sums);
    auto low = sum, high = sum;
    for (size_t i = lanes; i < 16; i += lanes) {
      sum = hn::Add(hn::LoadU(d, a + i), hn::LoadU(d, b + i));
      hn::StoreU(sum, d, sums + i);
      low = hn::Min(low, sum);
      high = hn::Max(high, sum);
    }
    lowest[part] = hn::GetLane(hn::MinOfLanes(d, low));
    widest = std::max(widest, hn::GetLane(hn::MaxOfLanes(d, high)) - lowest[part]);
  }
  return widest;
}

void tables_to_bytes(const float* tables, const float* lowest, size_t n_parts, float step,
                     uint8_t* bytes) {
  const hn::CappedTag<float, 16> d;
  const hn::Rebind<int32_t, decltype(d)> whole;
  const hn::Rebind<uint8_t, decltype(d)> byte;
  const auto inverse = hn::Set(d, 1 / step), most = hn::Set(d, 255.0f), half = hn::Set(d, 0.5f);
  for (size_t part = 0; part < n_parts; ++part) {
    const auto low = hn::Set(d, lowest[part]);
    for (size_t i = 16 * part; i < 16 * (part + 1); i += hn::Lanes(d)) {
      const auto steps = hn::MulAdd(hn::Sub(hn::LoadU(d, tables + i), low), inverse, half);
      hn::StoreU(hn::DemoteTo(byte, hn::ConvertTo(whole, hn::Min(steps, most))), byte, bytes + i);
    }
  }
}

size_t select_at_most(const uint16_t* values, size_t n, uint16_t limit, uint32_t* out) {
  const hn::CappedTag<uint16_t, 32> d;
  const auto limits = hn::Set(d, limit);
  const size_t lanes = hn::Lanes(d);
  size_t n_found = 0, i = 0;
  for (; i + lanes <= n; i += lanes) {
    const auto is_small = hn::Not(hn::Gt(hn::LoadU(d, values + i), limits));
    if (hn::AllFalse(d, is_small)) continue;
    uint8_t bits[8] = {};
    hn::StoreMaskBits(d, is_small, bits);
    for (size_t lane = 0; lane < lanes; ++lane) {
      out[n_found] = static_cast<uint32_t>(i + lane);
      n_found += bits[lane / 8] >> (lane % 8) & 1;
    }
  }
  for (; i < n; ++i) {
    out[n_found] = static_cast<uint32_t>(i);
    n_found += values[i] <= limit ? 1 : 0;
  }
  return n_found;
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {

HWY_EXPORT(sum_codes);
HWY_EXPORT(select_at_most);
HWY_EXPORT(add_tables);
HWY_EXPORT(tables_to_bytes);

size_t padded_parts(size_t n_parts) { return (n_parts + 3) / 4 * 4; }

void store_code(std::span<const uint8_t> numbers, size_t i, uint8_t* blocks) {
  uint8_t* const block = blocks + i / kCodesPerBlock * block_bytes(numbers.size());
  const size_t lane = i % 16, shift = i % kCodesPerBlock / 16 * 4;
  for (size_t part = 0; part < numbers.size(); ++part) {
    uint8_t& byte = block[16 * part + lane];
    byte = static_cast<uint8_t>((byte & ~(0x0F << shift)) | numbers[part] << shift);
  }
}

void load_code(const uint8_t* blocks, size_t i, std::span<uint8_t> numbers) {
  const uint8_t* const block = blocks + i / kCodesPerBlock * block_bytes(numbers.size());
  const size_t lane = i % 16, shift = i % kCodesPerBlock / 16 * 4;
  for (size_t part = 0; part < numbers.size(); ++part) {
    numbers[part] = static_cast<uint8_t>(block[16 * part + lane] >> shift & 0x0F);
  }
}

void sum_codes(const uint8_t* blocks, size_t n_blocks, size_t n_parts, const uint8_t* tables,
               uint16_t* sums) {
  CARYA_ASSERT(n_parts <= kMaxParts);
  HWY_DYNAMIC_DISPATCH(sum_codes)(blocks, n_blocks, n_parts, tables, sums);
}

size_t select_at_most(const uint16_t* values, size_t n, uint16_t limit, uint32_t* out) {
  return HWY_DYNAMIC_DISPATCH(select_at_most)(values, n, limit, out);
}

float add_tables(const float* a, const float* b, size_t n_parts, float* sums, float* lowest) {
  return HWY_DYNAMIC_DISPATCH(add_tables)(a, b, n_parts, sums, lowest);
}

void tables_to_bytes(const float* tables, const float* lowest, size_t n_parts, float step,
                     uint8_t* bytes) {
  HWY_DYNAMIC_DISPATCH(tables_to_bytes)(tables, lowest, n_parts, step, bytes);
}

void sum_byte_codes(const uint8_t* codes, size_t n, size_t n_parts, const float* tables,
                    float* sums) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4, codes += 4 * n_parts) {  // four at once hide the latency of the sums
    float a = 0, b = 0, c = 0, d = 0;
    for (size_t part = 0; part < n_parts; ++part) {
      const float* const table = tables + 256 * part;
      a += table[codes[part]];
      b += table[codes[n_parts + part]];
      c += table[codes[2 * n_parts + part]];
      d += table[codes[3 * n_parts + part]];
    }
    sums[i] = a, sums[i + 1] = b, sums[i + 2] = c, sums[i + 3] = d;
  }
  for (; i < n; ++i, codes += n_parts) {
    float sum = 0;
    for (size_t part = 0; part < n_parts; ++part) sum += tables[256 * part + codes[part]];
    sums[i] = sum;
  }
}

}  // namespace carya
#endif  // HWY_ONCE
