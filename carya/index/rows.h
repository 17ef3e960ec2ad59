#pragma once

#include <memory>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/index/column.h"
#include "carya/simd/row_distance.h"

namespace carya {

// A query, or a row that acts as one, in the form that a RowKernel takes.
using QueryBytes = std::vector<std::byte, CacheLineAllocator<std::byte>>;

// Whether rows keep a vector's numbers, all or by their upper half, rather than codes.
constexpr bool is_exact(RowFormat format) {
  return format == RowFormat::kF32 || format == RowFormat::kBf16;
}

// Rows in memory and how to compare with them: what searches read.  A view.
struct RowSet {
  const std::byte* data;
  size_t stride;  // bytes
  size_t dim;
  RowFormat format;
  RowKernel kernel;
  const DistanceFunction* user = nullptr;  // of Metric::kUser: in the kernel's place, on f32

  const std::byte* row(size_t slot) const noexcept { return data + slot * stride; }
  void prefetch(size_t slot) const noexcept { prefetch_bytes(row(slot), stride); }
  void distances(const std::byte* query, std::span<const uint32_t> slots, float* out) const {
    if (user != nullptr) [[unlikely]]
      return user_distances(query, slots, out);
    kernel(query, data, stride, dim, slots.data(), slots.size(), out);
  }
  // The row as a query: where it lies, or, for bf16, widened in `buffer`.
  const std::byte* as_query(size_t slot, QueryBytes& buffer) const;

 private:
  void user_distances(const std::byte* query, std::span<const uint32_t> slots, float* out) const;
};

// The codes of a format: lowest .. highest, stored as code + shift.
struct CodeRange {
  int lowest, highest, shift;
};
CodeRange code_range(RowFormat format, Metric metric);
constexpr float kLeastScale = 1e-30f;  // its inverse is finite

// How numbers become small integers: code = round((x - offset) / scale), clamped.  One scale for
// all dims, so that integer distances keep the order of distances.
struct Quantizer {
  float scale = 1;
  std::vector<float> offsets;  // [dim]; 0 for products, where a shift would change the order

  // Codes of near vectors overestimate a distance by no more than this, in 99 of 100 cases: a share
  // of it for squared L2, a share of the query's length for products.  As measured, since errors
  // of real vectors (images of black and white, say) are neither uniform nor independent.
  float error = 0;
  // About the squared distance that rounding adds between two vectors.
  float noise() const noexcept { return scale * scale * static_cast<float>(offsets.size()) / 6; }
};

// The vectors of an index in one format.  metric: what row_kernel() has for it, or kUser, which
// `user` computes, for kF32.  A copy shares the
// memory, as a Column's does.
class Rows {
 public:
  Rows(RowFormat format, Metric metric, size_t dim,
       std::shared_ptr<const DistanceFunction> user = nullptr)
      : format_(format),
        metric_(metric),
        dim_(dim),
        stride_(row_bytes(format, dim)),
        kernel_(user ? nullptr : row_kernel(format, metric)),
        user_(std::move(user)) {}

  RowFormat format() const noexcept { return format_; }
  size_t stride() const noexcept { return stride_; }
  Column<std::byte>& bytes() noexcept { return bytes_; }
  const Column<std::byte>& bytes() const noexcept { return bytes_; }
  const Quantizer& quantizer() const noexcept { return *quantizer_; }
  void set_quantizer(Quantizer quantizer) {
    quantizer_ = std::make_shared<const Quantizer>(std::move(quantizer));
  }
  RowSet set() const noexcept {
    return {bytes_.data(), stride_, dim_, format_, kernel_, user_.get()};
  }

  void resize(size_t n_slots) { bytes_.resize(n_slots * stride_); }
  void reallocate(size_t n_slots) { bytes_.reallocate(n_slots * stride_); }
  void write(size_t slot, std::span<const float> vector) {
    encode(vector, quantizer_.get(), bytes_.mutable_data() + slot * stride_);
  }
  void read(size_t slot, std::span<float> vector) const;
  // Learns the range of codes and how exact they are.  sample: live vectors; low, high [dim]: of
  // all vectors.  False if neighbours cannot be told apart by codes.
  bool train(MatrixView<const float> sample, std::span<const float> low,
             std::span<const float> high);

  // A query in this format.  distance() turns what the kernel gives for it into the metric's unit.
  struct Query {
    QueryBytes bytes;
    float unit = 1;
    float relative_error = 0, error = 0;
    // What the exact distance hardly falls below.
    float least(float distance) const noexcept {
      return distance * unit * (1 - relative_error) - error;
    }
  };
  Query query(std::span<const float> vector) const;

 private:
  void encode(std::span<const float> vector, const Quantizer* quantizer, std::byte* row) const;
  RowFormat format_;
  Metric metric_;
  size_t dim_, stride_;
  RowKernel kernel_;
  std::shared_ptr<const DistanceFunction> user_;
  Column<std::byte> bytes_;                     // [n_slots, stride]
  std::shared_ptr<const Quantizer> quantizer_;  // of integer formats
};

}  // namespace carya
