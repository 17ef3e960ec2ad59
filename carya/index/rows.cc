#include "carya/index/rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "carya/core/error.h"

namespace carya {
namespace {

// The codes of a format: lowest .. highest, and 4-bit ones are stored as code + shift.
struct CodeRange {
  int lowest, highest, shift;
};

CodeRange range_of(RowFormat format, Metric metric) {
  const bool l2 = metric == Metric::kSquaredL2;
  if (format == RowFormat::kInt8) return l2 ? CodeRange{0, 127, 0} : CodeRange{-127, 127, 0};
  return l2 ? CodeRange{0, 15, 0} : CodeRange{-7, 7, 8};
}

int code_of(float x, float offset, float inverse_scale, const CodeRange& range) {
  const float code = std::nearbyint((x - offset) * inverse_scale);
  return static_cast<int>(std::clamp(code, static_cast<float>(range.lowest),
                                     static_cast<float>(range.highest)));
}

constexpr float kLeastScale = 1e-30f;  // its inverse is finite

uint16_t to_bf16(float x) {  // to the nearest, ties to even
  const auto bits = std::bit_cast<uint32_t>(x);
  const uint32_t rounded = bits + 0x7fff + (bits >> 16 & 1);
  // What would round to infinity stays the largest number.
  return static_cast<uint16_t>((rounded >> 16 & 0x7fff) == 0x7f80 ? bits >> 16 : rounded >> 16);
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

}  // namespace

const std::byte* RowSet::as_query(size_t slot, QueryBytes& buffer) const {
  if (format != RowFormat::kBf16) return row(slot);
  buffer.resize(2 * stride);
  auto* const to = reinterpret_cast<float*>(buffer.data());
  const auto* const from = reinterpret_cast<const uint16_t*>(row(slot));
  for (size_t i = 0; i < stride / 2; ++i) to[i] = from_bf16(from[i]);
  return buffer.data();
}

Quantizer Quantizer::train(RowFormat format, Metric metric, MatrixView<const float> sample) {
  const CodeRange range = range_of(format, metric);
  const size_t dim = sample.cols();
  std::vector<float> low(dim, 0), high(dim, 0);
  float largest = 0;  // half of the widest range, or the largest number
  Quantizer quantizer;
  quantizer.offsets.assign(dim, 0);
  for (size_t j = 0; j < dim && sample.rows() > 0; ++j) {
    low[j] = high[j] = sample(0, j);
    for (size_t i = 0; i < sample.rows(); ++i) {
      low[j] = std::min(low[j], sample(i, j));
      high[j] = std::max(high[j], sample(i, j));
    }
    largest = metric == Metric::kSquaredL2
                  ? std::max(largest, high[j] / 2 - low[j] / 2)
                  : std::max({largest, std::abs(low[j]), std::abs(high[j])});
  }
  const float steps =
      static_cast<float>(range.highest - range.lowest) / 2;  // to either side of the middle
  double best = INFINITY;
  for (float share = 1; share > 0.1f; share *= 0.85f) {
    const float scale = std::max(share * largest / steps, kLeastScale);
    double error = 0;
    for (size_t j = 0; j < dim; ++j) {
      const float middle = metric == Metric::kSquaredL2 ? low[j] / 2 + high[j] / 2 : 0;
      for (size_t i = 0; i < sample.rows(); ++i) {
        const float x = (sample(i, j) - middle) / scale;
        // Within the range the error of rounding is uniform: its variance is 1/12.
        const float outside = std::max(std::abs(x) - steps, 0.0f);
        error += (1.0 / 12 + double{outside} * outside) * scale * scale;
      }
    }
    if (error >= best) continue;
    best = error;
    quantizer.scale = scale;
  }
  if (metric == Metric::kSquaredL2) {
    for (size_t j = 0; j < dim; ++j) {
      quantizer.offsets[j] = low[j] / 2 + high[j] / 2 - steps * quantizer.scale;
    }
  }
  return quantizer;
}

void Rows::encode(std::span<const float> vector, const Quantizer* quantizer,
                  std::byte* row) const {
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
  const CodeRange range = range_of(format_, metric_);
  const float inverse_scale = 1 / quantizer->scale;
  const auto code = [&](size_t i) {
    return static_cast<uint8_t>(
        code_of(vector[i], quantizer->offsets[i], inverse_scale, range) + range.shift);
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
  const size_t half = (dim_ + 1) / 2;
  for (size_t i = 0; i < dim_; ++i) {
    int code;
    if (format_ == RowFormat::kInt8) {
      code = static_cast<int8_t>(row[i]);
    } else {
      const auto byte = static_cast<uint8_t>(row[i < half ? i : i - half]);
      code = (i < half ? byte & 15 : byte >> 4) - range_of(format_, metric_).shift;
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
  const float scale = quantizer_->scale;
  if (metric_ == Metric::kSquaredL2) {
    encode(vector, quantizer_.get(), query.bytes.data());
    query.unit = scale * scale;
    // |a + e|^2 with e uniform of variance 1/6 in each dim: 4 d / 6, and that of |e|^2.
    query.error_a = static_cast<float>(dim_) / 30;
    query.error_b = 4.0f / 6;
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
      std::max(largest / static_cast<float>(range_of(format_, metric_).highest), kLeastScale);
  encode(vector, &own, query.bytes.data());
  query.unit = scale * own.scale;
  // Errors of variance 1/12 in each factor; the item is taken to be as long as the query.
  query.error_a = norm * (1 / (own.scale * own.scale) + 1 / (scale * scale)) / 12;
  return query;
}

}  // namespace carya
