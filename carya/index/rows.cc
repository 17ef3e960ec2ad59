#include "carya/index/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "carya/core/error.h"
#include "carya/simd/bit_rows.h"

namespace carya {
namespace {

int code_of(float x, float offset, float inverse_scale, const CodeRange& range) {
  const float code = std::nearbyint((x - offset) * inverse_scale);
  if (code >= static_cast<float>(range.highest)) return range.highest;
  // A NaN, which only a damaged file holds, goes to the lowest too.
  return code > static_cast<float>(range.lowest) ? static_cast<int>(code) : range.lowest;
}

uint16_t to_bf16(float x) {  // to the nearest, ties to even
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  // What would round to infinity stays the largest number.
  return static_cast<uint16_t>((rounded >> 16 & 0x7fff) == 0x7f80 ? bits >> 16 : rounded >> 16);
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace

CodeRange code_range(RowFormat format, Metric metric) {
  const bool l2 = metric == Metric::kSquaredL2;
  if (format == RowFormat::kInt8) return l2 ? CodeRange{0, 127, 0} : CodeRange{-127, 127, 0};
  return l2 ? CodeRange{0, 15, 0} : CodeRange{-7, 7, 8};
}

void RowSet::user_distances(const std::byte* query, std::span<const uint32_t> slots,
                            float* out) const {
  const std::span<const float> from(reinterpret_cast<const float*>(query), dim);
  for (size_t i = 0; i < slots.size(); ++i) {
    const float distance = (*user)(from, {reinterpret_cast<const float*>(row(slots[i])), dim});
    out[i] = std::isnan(distance) ? std::numeric_limits<float>::infinity() : distance;
  }
}

const std::byte* RowSet::as_query(size_t slot, QueryBytes& buffer) const {
  if (format != RowFormat::kBf16) return row(slot);
  buffer.resize(2 * stride);
  auto* const to = reinterpret_cast<float*>(buffer.data());
  const auto* const from = reinterpret_cast<const uint16_t*>(row(slot));
  for (size_t i = 0; i < stride / 2; ++i) to[i] = from_bf16(from[i]);
  return buffer.data();
}

void Rows::encode(std::span<const float> vector, const Quantizer* quantizer, std::byte* row) const {
  if (format_ == RowFormat::kF32) {
    std::memcpy(row, vector.data(), vector.size_bytes());
    std::fill(row + vector.size_bytes(), row + stride_, std::byte{0});
    return;
  }
  if (format_ == RowFormat::kBf16) {
    auto* const to = reinterpret_cast<uint16_t*>(row);
    std::ranges::transform(vector, to, to_bf16);
    std::fill(to + dim_, to + stride_ / 2, uint16_t{0});
    return;
  }
  if (format_ == RowFormat::kBits) return pack_bits(vector, row);
  const CodeRange range = code_range(format_, metric_);
  const float inverse_scale = 1 / quantizer->scale;
  const auto code = [&](size_t i) {
    return static_cast<uint8_t>(code_of(vector[i], quantizer->offsets[i], inverse_scale, range) +
                                range.shift);
  };
  if (format_ == RowFormat::kInt8) {
    for (size_t i = 0; i < dim_; ++i) row[i] = std::byte{code(i)};
    std::fill(row + dim_, row + stride_, std::byte{0});
    return;
  }
  const size_t half = (dim_ + 1) / 2;
  const auto padding = static_cast<uint8_t>(range.shift);
  for (size_t i = 0; i < half; ++i) {
    const uint8_t high = half + i < dim_ ? code(half + i) : padding;
    row[i] = std::byte{static_cast<uint8_t>(code(i) | high << 4)};
  }
  std::fill(row + half, row + stride_, std::byte{static_cast<uint8_t>(padding | padding << 4)});
}

void Rows::read(size_t slot, std::span<float> vector) const {
  const std::byte* const row = bytes_.data() + slot * stride_;
  if (format_ == RowFormat::kF32) {
    std::memcpy(vector.data(), row, vector.size_bytes());
    return;
  }
  if (format_ == RowFormat::kBf16) {
    const auto* const from = reinterpret_cast<const uint16_t*>(row);
    std::transform(from, from + dim_, vector.begin(), from_bf16);
    return;
  }
  if (format_ == RowFormat::kBits) return unpack_bits(row, vector);
  const size_t half = (dim_ + 1) / 2;
  for (size_t i = 0; i < dim_; ++i) {
    int code;
    if (format_ == RowFormat::kInt8) {
      code = static_cast<int8_t>(row[i]);
    } else {
      const auto byte = static_cast<uint8_t>(row[i < half ? i : i - half]);
      code = (i < half ? byte & 15 : byte >> 4) - code_range(format_, metric_).shift;
    }
    vector[i] = quantizer_->offsets[i] + quantizer_->scale * static_cast<float>(code);
  }
}

Rows::Query Rows::query(std::span<const float> vector) const {
  Query query;
  if (format_ == RowFormat::kF32 || format_ == RowFormat::kBf16) {
    query.bytes.resize(format_ == RowFormat::kF32 ? stride_ : 2 * stride_);
    std::memcpy(query.bytes.data(), vector.data(), vector.size_bytes());
    return query;
  }
  query.bytes.resize(stride_);
  if (format_ == RowFormat::kBits) {
    pack_bits(vector, query.bytes.data());
    return query;
  }
  const float scale = quantizer_->scale;
  if (metric_ == Metric::kSquaredL2) {
    encode(vector, quantizer_.get(), query.bytes.data());
    query.unit = scale * scale;
    query.relative_error = quantizer_->error;
    return query;
  }
  // Its own scale: a factor changes no order, and the query may be longer than the items.
  float largest = 0, norm = 0;
  for (float x : vector) {
    largest = std::max(largest, std::abs(x));
    norm += x * x;
  }
  Quantizer own{.scale = 1, .offsets = std::vector<float>(dim_)};
  own.scale =
      std::max(largest / static_cast<float>(code_range(format_, metric_).highest), kLeastScale);
  encode(vector, &own, query.bytes.data());
  query.unit = scale * own.scale;
  query.error = quantizer_->error * std::sqrt(norm);
  return query;
}

}  // namespace carya
