#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "carya/core/container.h"
#include "carya/core/matrix.h"
#include "carya/index/column.h"
#include "carya/index/index.h"
#include "carya/index/rows.h"

namespace carya {

constexpr uint32_t kNoSlot = 0xffffffffu;
constexpr size_t kMaxSlots = size_t{1} << 31;  // a search marks a slot with one bit
constexpr size_t kMaxDim = size_t{1} << 20;    // more is a damaged header
constexpr uint64_t kLastMetric = static_cast<uint64_t>(Metric::kUser);  // in files
constexpr size_t kMaxCodeDim = 130'000;  // integer sums overflow beyond

// To length 1, as cosine wants it; a zero vector stays zero.
void scale_to_unit(std::span<float> row);

// What an index keeps of each vector; at least one of the two.
struct VectorStorage {
  // What answers are ranked by: kF32, kBf16, or nothing; kBits for binary metrics, kF32 for kUser.
  std::optional<RowFormat> exact = RowFormat::kF32;
  // A smaller form that a graph is walked on: kInt8, kInt4, or nothing; nothing for binary
  // metrics and kUser.
  std::optional<RowFormat> codes;
  // Exact vectors alone, in the form that the metric compares: bits or f32.
  static VectorStorage exact_for(Metric metric);
  void validate(size_t dim, Metric metric) const;  // throws kInvalidArgument
  bool operator==(const VectorStorage&) const = default;
};

// Throws kInvalidArgument unless the metric is l2, ip or cosine, for an index of that type.
void require_vectors(std::string_view type, Metric metric);
// Throws kInvalidArgument, naming the file, if its metric is kUser and there is no distance, or if
// there is one that would not be used.
void require_distance(const std::filesystem::path& path, Metric metric,
                      const DistanceFunction& distance);

// The vectors and ids of an index, one slot each, rows padded to cache lines.  Cosine vectors are
// normalised when they come, so that their distance is 1 - a.b; a zero vector stays zero, at
// distance 1 from everything.  Vectors of binary metrics become bits.  Removed slots stay in place,
// dead, until they are reused.
//
// Codes need numbers to learn their range from: they come with the kMinTraining-th item, and anew
// whenever the items are four times as many.  Until then, exact vectors are kept in any case, as
// f32 where the storage names none.  Where the storage has exact vectors and codes are too coarse
// to tell neighbours apart, there are none.
//
// A copy is what readers hold: it shares the arrays, see Column.
class VectorStore {
 public:
  // distance: of kUser.  Throws kInvalidArgument on a dim of 0, a storage that cannot be, or a
  // distance that lacks or belongs to no kUser.
  VectorStore(size_t dim, Metric metric, const VectorStorage& storage,
              const DistanceFunction& distance = {});

  size_t dim() const noexcept { return dim_; }
  Metric metric() const noexcept { return metric_; }
  const VectorStorage& storage() const noexcept { return storage_; }
  size_t n_slots() const noexcept { return ids_.size(); }
  size_t n_live() const noexcept { return n_live_; }
  size_t capacity() const noexcept { return live_.capacity(); }
  ItemId id(size_t slot) const noexcept { return ids_[slot]; }
  bool is_live(size_t slot) const noexcept { return load_shared(live_[slot]) != 0; }

  // What orders the stored vectors: the metric, but for cosine, the negative product.
  Metric inner_metric() const noexcept {
    return metric_ == Metric::kCosine ? Metric::kInnerProduct : metric_;
  }
  const Rows& walked() const noexcept { return codes_ ? *codes_ : *exact_; }  // the small rows
  const Rows& ranked() const noexcept { return exact_ ? *exact_ : *codes_; }  // the exact rows
  bool has_codes() const noexcept { return codes_.has_value(); }
  bool has_exact() const noexcept { return exact_.has_value(); }
  // What identical vectors have alone, but for codes and collisions.
  std::span<const std::byte> identity(size_t slot) const noexcept {
    return {ranked().set().row(slot), ranked().stride()};
  }
  // A kernel's value of ranked() as the metric's.
  float shown(float inner) const noexcept {
    return metric_ == Metric::kCosine ? 1.0f + inner : inner;
  }
  // The query as the stored vectors are: [dim], normalised for cosine.  Throws kInvalidArgument on
  // a wrong dim, a NaN, or a number that a binary metric does not take.
  std::vector<float, CacheLineAllocator<float>> prepared(std::span<const float> query) const;

  // Throws kInvalidArgument, and changes nothing, on a wrong dim, a NaN, an id that is there or
  // that comes twice, or more than kMaxSlots.
  void check_new(std::span<const ItemId> ids, MatrixView<const float> vectors);
  // The same for new vectors of ids that must all be there.
  void check_known(std::span<const ItemId> ids, MatrixView<const float> vectors);
  // Learns the codes' range if that is due when `vectors` come: then all rows are in new memory.
  // True if it did.
  bool train(MatrixView<const float> vectors);
  // Fills dead or new slots; ids and vectors as check_new or check_known took them: the slot that
  // an id had before is to be killed then.  Appends when slots[i] is n_slots() + j, in rising
  // order.
  void place(std::span<const uint32_t> slots, std::span<const ItemId> ids,
             MatrixView<const float> vectors);
  void reallocate(size_t n_slots);          // all arrays move to new memory
  std::optional<uint32_t> find(ItemId id);  // slot of a live item
  void kill(uint32_t slot);
  // The item of `from` moves to the dead slot `to`.
  void move(uint32_t from, uint32_t to);
  void truncate(size_t n_slots);  // only dead slots may go
  void own();                     // copies mapped arrays to memory
  // The same items with item slots[i] in slot i; the arrays are new.
  VectorStore ordered(std::span<const uint32_t> slots) const;

  void save(ContainerWriter& out) const;
  // Throws kCorrupt if sizes disagree.
  static VectorStore open(const Container& in, size_t dim, Metric metric,
                          const VectorStorage& storage, const DistanceFunction& distance = {});

  static constexpr size_t kMinTraining = 1024;

 private:
  void check_rows(std::span<const ItemId> ids, MatrixView<const float> vectors);
  void index_ids();  // fills slot_of_ when it is first needed
  size_t dim_;
  Metric metric_;
  VectorStorage storage_;
  std::shared_ptr<const DistanceFunction> distance_;
  size_t n_live_ = 0;
  size_t n_trained_ = 0;  // items when the codes' range was learnt
  std::optional<Rows> exact_, codes_;
  Column<ItemId> ids_;    // [n_slots]
  Column<uint8_t> live_;  // [n_slots]
  // Filled at the first change; the writer's, copies for readers leave it alone.
  bool is_indexed_ = false;
  std::shared_ptr<std::unordered_map<ItemId, uint32_t>> slot_of_;
};

}  // namespace carya
