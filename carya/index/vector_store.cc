#include "carya/index/vector_store.h"

#include <algorithm>
#include <cmath>

#include "carya/core/parallel.h"

namespace carya {
namespace {

constexpr size_t kLineFloats = kMatrixAlignment / sizeof(float);

void normalize(std::span<float> row) {
  double sum = 0;  // double: squares of 1e30 do not overflow
  for (float x : row) sum += double{x} * x;
  if (sum == 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& x : row) x = static_cast<float>(x * scale);
}

}  // namespace

VectorStore::VectorStore(size_t dim, Metric metric)
    : dim_(dim), stride_((dim + kLineFloats - 1) / kLineFloats * kLineFloats), metric_(metric) {
  require(dim >= 1, "an index of 0 dims can tell nothing apart: dim must be at least 1");
}

std::vector<float, CacheLineAllocator<float>> VectorStore::prepared(
    std::span<const float> query) const {
  require(query.size() == dim_, "the query has {} dims, the index {}", query.size(), dim_);
  require_finite({query.data(), 1, dim_}, "query");
  std::vector<float, CacheLineAllocator<float>> prepared(query.begin(), query.end());
  if (metric_ == Metric::kCosine) normalize(prepared);
  return prepared;
}

void VectorStore::check_new(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  require(ids.size() == vectors.rows(), "{} ids came with {} vectors: each needs one", ids.size(),
          vectors.rows());
  require(vectors.rows() == 0 || vectors.cols() == dim_, "the vectors have {} dims, the index {}",
          vectors.cols(), dim_);
  require(n_slots() + ids.size() <= kMaxSlots, "{} items: an index holds at most {}",
          n_slots() + ids.size(), kMaxSlots);
  require_finite(vectors, "vector");
  index_ids();
  std::vector<ItemId> sorted(ids.begin(), ids.end());
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  require(twice == sorted.end(), "id {} comes twice: an id names one item",
          twice == sorted.end() ? 0 : *twice);
  for (ItemId id : ids) {
    require(!slot_of_.contains(id), "id {} is in the index already: remove it first", id);
  }
}

void VectorStore::place(std::span<const uint32_t> slots, std::span<const ItemId> ids,
                        MatrixView<const float> vectors) {
  index_ids();
  own();
  size_t n = n_slots();
  for (uint32_t slot : slots) n = std::max(n, size_t{slot} + 1);
  vectors_.resize(n * stride_);
  ids_.resize(n);
  live_.resize(n);
  float* const rows = vectors_.mutable_data();
  parallel_for(0, slots.size(), 1024, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      const std::span<float> row(rows + slots[i] * stride_, dim_);
      std::ranges::copy(vectors.row(i), row.begin());
      if (metric_ == Metric::kCosine) normalize(row);
    }
  });
  for (size_t i = 0; i < slots.size(); ++i) {
    CARYA_ASSERT(!live_[slots[i]]);
    ids_.mutable_data()[slots[i]] = ids[i];
    live_.mutable_data()[slots[i]] = 1;
    slot_of_.emplace(ids[i], slots[i]);
  }
  n_live_ += slots.size();
}

std::optional<uint32_t> VectorStore::find(ItemId id) {
  index_ids();
  const auto found = slot_of_.find(id);
  if (found == slot_of_.end()) return std::nullopt;
  return found->second;
}

void VectorStore::kill(uint32_t slot) {
  CARYA_ASSERT(is_live(slot));
  index_ids();
  slot_of_.erase(ids_[slot]);
  live_.mutable_data()[slot] = 0;
  --n_live_;
}

void VectorStore::move(uint32_t from, uint32_t to) {
  CARYA_ASSERT(is_live(from) && !is_live(to));
  index_ids();
  std::copy_n(vector(from), stride_, vectors_.mutable_data() + to * stride_);
  ids_.mutable_data()[to] = ids_[from];
  std::swap(live_.mutable_data()[from], live_.mutable_data()[to]);
  slot_of_[ids_[to]] = to;
}

void VectorStore::reserve(size_t n) {
  vectors_.reserve(n * stride_);
  ids_.reserve(n);
  live_.reserve(n);
}

void VectorStore::truncate(size_t n) {
  vectors_.resize(n * stride_);
  ids_.resize(n);
  live_.resize(n);
}

void VectorStore::own() {
  vectors_.own();
  ids_.own();
  live_.own();
}

void VectorStore::index_ids() {
  if (slot_of_.size() == n_live_) return;
  slot_of_.reserve(n_live_);
  for (uint32_t slot = 0; slot < n_slots(); ++slot) {
    if (is_live(slot)) slot_of_.emplace(ids_[slot], slot);
  }
  if (slot_of_.size() != n_live_) {
    throw Error(ErrorKind::kCorrupt, "the index has items with equal ids: build it again");
  }
}

void VectorStore::save(ContainerWriter& out) const {
  out.add("vectors", vectors_.values());
  out.add("ids", ids_.values());
  out.add("live", live_.values());
}

VectorStore VectorStore::open(const Container& in, size_t dim, Metric metric) {
  VectorStore store(dim, metric);
  store.vectors_ = Column<float>::mapped(in.array<float>("vectors"));
  store.ids_ = Column<ItemId>::mapped(in.array<ItemId>("ids"));
  store.live_ = Column<uint8_t>::mapped(in.array<uint8_t>("live"));
  const size_t n = store.n_slots();
  if (n > kMaxSlots || store.vectors_.size() != n * store.stride_ || store.live_.size() != n) {
    in.fail(
        fmt::format("{} vectors of {} dims do not match {} ids", store.vectors_.size(), dim, n));
  }
  for (uint8_t live : store.live_.values()) {
    if (live > 1) in.fail("an item is neither live nor dead");
    store.n_live_ += live;
  }
  return store;
}

}  // namespace carya
