#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "carya/core/container.h"
#include "carya/core/matrix.h"
#include "carya/index/column.h"
#include "carya/index/index.h"
#include "carya/simd/distance.h"

namespace carya {

constexpr uint32_t kNoSlot = 0xffffffffu;
constexpr size_t kMaxSlots = size_t{1} << 31;  // a search marks a slot with one bit
constexpr size_t kMaxDim = size_t{1} << 20;    // more is a damaged header

// The vectors and ids of an index, one slot each, rows padded to cache lines.  Cosine vectors are
// normalised when they come, so that their distance is 1 - a.b; a zero vector stays zero, at
// distance 1 from everything.  Removed slots stay in place, dead, until they are reused.
class VectorStore {
 public:
  VectorStore(size_t dim, Metric metric);

  size_t dim() const noexcept { return dim_; }
  size_t stride() const noexcept { return stride_; }
  Metric metric() const noexcept { return metric_; }
  size_t n_slots() const noexcept { return ids_.size(); }
  size_t n_live() const noexcept { return n_live_; }
  const float* vectors() const noexcept { return vectors_.data(); }
  const float* vector(size_t slot) const noexcept { return vectors_.data() + slot * stride_; }
  MatrixView<const float> rows() const noexcept {
    return {vectors_.data(), n_slots(), dim_, stride_};
  }
  ItemId id(size_t slot) const noexcept { return ids_[slot]; }
  bool is_live(size_t slot) const noexcept { return live_[slot] != 0; }

  // What orders the stored vectors: squared L2 or the negative product.  shown() turns its values
  // into the metric's.
  Metric inner_metric() const noexcept {
    return metric_ == Metric::kCosine ? Metric::kInnerProduct : metric_;
  }
  float shown(float inner) const noexcept {
    return metric_ == Metric::kCosine ? 1.0f + inner : inner;
  }
  // The query as the stored vectors are: [dim], normalised for cosine.  Throws kInvalidArgument on
  // a wrong dim or a NaN.
  std::vector<float, CacheLineAllocator<float>> prepared(std::span<const float> query) const;

  // Throws kInvalidArgument, and changes nothing, on a wrong dim, a NaN, an id that is there or
  // that comes twice, or more than kMaxSlots.
  void check_new(std::span<const ItemId> ids, MatrixView<const float> vectors);
  // Fills dead or new slots; ids and vectors as check_new took them.  Appends when slots[i] is
  // n_slots() + j, in rising order.
  void place(std::span<const uint32_t> slots, std::span<const ItemId> ids,
             MatrixView<const float> vectors);
  void reserve(size_t n_slots);
  std::optional<uint32_t> find(ItemId id);  // slot of a live item
  void kill(uint32_t slot);
  // The item of `from` moves to the dead slot `to`.
  void move(uint32_t from, uint32_t to);
  void truncate(size_t n_slots);  // only dead slots may go
  void own();                     // copies mapped arrays to memory

  void save(ContainerWriter& out) const;
  // Throws kCorrupt if sizes disagree.
  static VectorStore open(const Container& in, size_t dim, Metric metric);

 private:
  void index_ids();  // fills slot_of_ when it is first needed
  size_t dim_, stride_;
  Metric metric_;
  size_t n_live_ = 0;
  Column<float> vectors_;                         // [n_slots, stride]
  Column<ItemId> ids_;                            // [n_slots]
  Column<uint8_t> live_;                          // [n_slots]
  std::unordered_map<ItemId, uint32_t> slot_of_;  // empty after open() until something changes
};

}  // namespace carya
