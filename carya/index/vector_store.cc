#include "carya/index/vector_store.h"

#include <algorithm>
#include <cmath>
#include <mutex>

#include "carya/core/parallel.h"
#include "carya/simd/bit_rows.h"

namespace carya {
namespace {

constexpr size_t kSample = 2048;       // vectors that a range is learnt from
constexpr size_t kTrainingGrowth = 4;  // after which it is learnt anew: O(1) work an item in all

void require_numbers(Metric metric, MatrixView<const float> vectors, const char* what) {
  is_binary(metric) ? require_binary(vectors, what) : require_finite(vectors, what);
}

}  // namespace

void scale_to_unit(std::span<float> row) {
  double sum = 0;  // double: squares of 1e30 do not overflow
  for (float x : row) sum += double{x} * x;
  if (sum == 0) return;
  const double scale = 1 / std::sqrt(sum);
  for (float& x : row) x = static_cast<float>(x * scale);
}

VectorStorage VectorStorage::exact_for(Metric metric) {
  return {.exact = is_binary(metric) ? RowFormat::kBits : RowFormat::kF32, .codes = {}};
}

void VectorStorage::validate(size_t dim, Metric metric) const {
  require(exact || codes,
          "an index keeps exact vectors, codes, or both: the storage names neither");
  require(metric != Metric::kUser || *this == exact_for(metric),
          "a user's distance compares f32 vectors: leave the storage alone, or ask for kF32 and no "
          "codes");
  if (is_binary(metric)) {
    require(*this == exact_for(metric),
            "the metric {} compares bits, which are exact and smaller than any codes: leave the "
            "storage alone, or ask for kBits and no codes",
            metric_name(metric));
    return;
  }
  require(
      !exact || *exact == RowFormat::kF32 || *exact == RowFormat::kBf16,
      "exact vectors are f32 or bf16: int8 and int4 are codes, bits are for hamming and jaccard");
  require(!codes || *codes == RowFormat::kInt8 || *codes == RowFormat::kInt4,
          "codes are int8 or int4: f32 and bf16 are exact vectors");
  require(!codes || dim <= kMaxCodeDim, "codes have at most {} dims, not {}: keep f32 alone",
          kMaxCodeDim, dim);
}

void require_vectors(std::string_view type, Metric metric) {
  require(metric <= Metric::kCosine, "{} compares by l2, ip or cosine, not {}: use hnsw or flat",
          type, metric_name(metric));
}

void require_distance(const std::filesystem::path& path, Metric metric,
                      const DistanceFunction& distance) {
  require(metric != Metric::kUser || distance,
          "{}: it was built with a distance of the program's own, which no file holds: give "
          "Hnsw::open or FlatIndex::open that function",
          path.string());
  require(metric == Metric::kUser || !distance,
          "{}: its metric is {}: open it without a distance function", path.string(),
          metric_name(metric));
}

VectorStore::VectorStore(size_t dim, Metric metric, const VectorStorage& storage,
                         const DistanceFunction& distance)
    : dim_(dim),
      metric_(metric),
      storage_(storage),
      slot_of_(std::make_shared<std::unordered_map<ItemId, uint32_t>>()) {
  require(dim >= 1, "an index of 0 dims can tell nothing apart: dim must be at least 1");
  require(metric != Metric::kUser || distance,
          "the metric user is a function of yours: give it as the option `distance`");
  require(metric == Metric::kUser || !distance,
          "a distance function was given, but the metric is {}: use Metric::kUser, or leave it out",
          metric_name(metric));
  storage.validate(dim, metric);
  if (distance) distance_ = std::make_shared<const DistanceFunction>(distance);
  exact_.emplace(storage.exact.value_or(RowFormat::kF32), inner_metric(), dim, distance_);
}

std::vector<float, CacheLineAllocator<float>> VectorStore::prepared(
    std::span<const float> query) const {
  require(query.size() == dim_, "the query has {} dims, the index {}", query.size(), dim_);
  require_numbers(metric_, {query.data(), 1, dim_}, "query");
  std::vector<float, CacheLineAllocator<float>> prepared(query.begin(), query.end());
  if (metric_ == Metric::kCosine) scale_to_unit(prepared);
  return prepared;
}

void VectorStore::check_rows(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  require(ids.size() == vectors.rows(), "{} ids came with {} vectors: each needs one", ids.size(),
          vectors.rows());
  require(vectors.rows() == 0 || vectors.cols() == dim_, "the vectors have {} dims, the index {}",
          vectors.cols(), dim_);
  require(n_slots() + ids.size() <= kMaxSlots, "{} items: an index holds at most {}",
          n_slots() + ids.size(), kMaxSlots);
  require_numbers(metric_, vectors, "vector");
  index_ids();
  std::vector<ItemId> sorted(ids.begin(), ids.end());
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  require(twice == sorted.end(), "id {} comes twice: an id names one item",
          twice == sorted.end() ? 0 : *twice);
}

void VectorStore::check_new(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  check_rows(ids, vectors);
  for (ItemId id : ids) {
    require(!slot_of_->contains(id), "id {} is in the index already: remove or update it", id);
  }
}

void VectorStore::check_known(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  check_rows(ids, vectors);
  for (ItemId id : ids) {
    require(slot_of_->contains(id), "id {} is not in the index: add it", id);
  }
}

bool VectorStore::train(MatrixView<const float> vectors) {
  const size_t n = n_live_ + vectors.rows();
  // Without exact vectors a second range would be learnt from what the first has rounded.
  if (!storage_.codes || n < kMinTraining || !exact_ || (n_trained_ > 0 && !storage_.exact) ||
      n < kTrainingGrowth * n_trained_) {
    return false;
  }
  n_trained_ = n;
  std::vector<uint32_t> live;
  for (uint32_t slot = 0; slot < n_slots(); ++slot) {
    if (is_live(slot)) live.push_back(slot);
  }
  // Vector i of those that are there and those that come.
  const auto read = [&](size_t i, std::span<float> vector) {
    if (i < live.size()) return ranked().read(live[i], vector);
    std::ranges::copy(vectors.row(i - live.size()), vector.begin());
    if (metric_ == Metric::kCosine) scale_to_unit(vector);
  };
  const size_t n_sample = std::min(kSample, n);
  auto sample = Matrix<float>::uninitialized(n_sample, dim_);
  for (size_t i = 0; i < n_sample; ++i) read(i * n / n_sample, sample.row(i));
  std::vector<float> low(dim_, INFINITY), high(dim_, -INFINITY);
  std::mutex merging;  // the least and the largest do not depend on the order
  parallel_for(0, n, 4096, [&](size_t first, size_t last) {
    std::vector<float> vector(dim_), least(dim_, INFINITY), largest(dim_, -INFINITY);
    for (size_t i = first; i < last; ++i) {
      read(i, vector);
      for (size_t j = 0; j < dim_; ++j) {
        least[j] = std::min(least[j], vector[j]);
        largest[j] = std::max(largest[j], vector[j]);
      }
    }
    const std::lock_guard lock(merging);
    for (size_t j = 0; j < dim_; ++j) {
      low[j] = std::min(low[j], least[j]);
      high[j] = std::max(high[j], largest[j]);
    }
  });
  Rows codes(*storage_.codes, inner_metric(), dim_);
  const bool useful = codes.train(sample, low, high) || !storage_.exact;
  if (!useful && !codes_) return false;
  codes_.reset();
  if (useful) {
    codes_ = std::move(codes);
    codes_->resize(n_slots());
    parallel_for(0, n_slots(), 1024, [&](size_t first, size_t last) {
      std::vector<float> vector(dim_);
      for (size_t slot = first; slot < last; ++slot) {
        exact_->read(slot, vector);
        codes_->write(slot, vector);
      }
    });
  }
  if (!storage_.exact) exact_.reset();
  return true;
}

void VectorStore::place(std::span<const uint32_t> slots, std::span<const ItemId> ids,
                        MatrixView<const float> vectors) {
  index_ids();
  own();
  size_t n = n_slots();
  for (uint32_t slot : slots) n = std::max(n, size_t{slot} + 1);
  if (exact_) exact_->resize(n);
  if (codes_) codes_->resize(n);
  ids_.resize(n);
  live_.resize(n);
  parallel_for(0, slots.size(), 1024, [&](size_t first, size_t last) {
    std::vector<float> vector(dim_);
    for (size_t i = first; i < last; ++i) {
      std::ranges::copy(vectors.row(i), vector.begin());
      if (metric_ == Metric::kCosine) scale_to_unit(vector);
      if (exact_) exact_->write(slots[i], vector);
      if (codes_) codes_->write(slots[i], vector);
    }
  });
  for (size_t i = 0; i < slots.size(); ++i) {
    CARYA_ASSERT(!live_[slots[i]]);
    ids_.mutable_data()[slots[i]] = ids[i];
    store_shared(live_.mutable_data()[slots[i]], 1);
    (*slot_of_)[ids[i]] = slots[i];
  }
  n_live_ += slots.size();
}

std::optional<uint32_t> VectorStore::find(ItemId id) {
  index_ids();
  const auto found = slot_of_->find(id);
  if (found == slot_of_->end()) return std::nullopt;
  return found->second;
}

void VectorStore::kill(uint32_t slot) {
  CARYA_ASSERT(is_live(slot));
  index_ids();
  // An update has given the id to another slot already.
  const auto found = slot_of_->find(ids_[slot]);
  if (found != slot_of_->end() && found->second == slot) slot_of_->erase(found);
  store_shared(live_.mutable_data()[slot], 0);
  --n_live_;
}

void VectorStore::move(uint32_t from, uint32_t to) {
  CARYA_ASSERT(is_live(from) && !is_live(to));
  index_ids();
  for (std::optional<Rows>* rows : {&exact_, &codes_}) {
    if (!*rows) continue;
    std::byte* const bytes = (*rows)->bytes().mutable_data();
    const size_t stride = (*rows)->stride();
    std::copy_n(bytes + from * stride, stride, bytes + to * stride);
  }
  ids_.mutable_data()[to] = ids_[from];
  live_.mutable_data()[to] = 1;
  live_.mutable_data()[from] = 0;
  (*slot_of_)[ids_[to]] = to;
}

void VectorStore::reallocate(size_t n) {
  if (exact_) exact_->reallocate(n);
  if (codes_) codes_->reallocate(n);
  ids_.reallocate(n);
  live_.reallocate(n);
}

void VectorStore::truncate(size_t n) {
  if (exact_) exact_->resize(n);
  if (codes_) codes_->resize(n);
  ids_.resize(n);
  live_.resize(n);
}

void VectorStore::own() {
  if (exact_) exact_->bytes().own();
  if (codes_) codes_->bytes().own();
  ids_.own();
  live_.own();
}

VectorStore VectorStore::ordered(std::span<const uint32_t> slots) const {
  VectorStore to(dim_, metric_, storage_, distance_ ? *distance_ : DistanceFunction());
  to.n_trained_ = n_trained_;
  to.exact_ = exact_;
  to.codes_ = codes_;
  for (std::optional<Rows>* rows : {&to.exact_, &to.codes_}) {
    if (!*rows) continue;
    const RowSet from = (*rows)->set();
    (*rows)->bytes() = {};
    (*rows)->resize(slots.size());
    std::byte* const bytes = (*rows)->bytes().mutable_data();
    parallel_for(0, slots.size(), 4096, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) {
        std::copy_n(from.row(slots[i]), from.stride, bytes + i * from.stride);
      }
    });
  }
  to.ids_.resize(slots.size());
  to.live_.resize(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) {
    to.ids_.mutable_data()[i] = ids_[slots[i]];
    to.live_.mutable_data()[i] = live_[slots[i]];
    to.n_live_ += live_[slots[i]];
  }
  return to;
}

void VectorStore::index_ids() {
  if (is_indexed_) return;
  slot_of_->reserve(n_live_);
  for (uint32_t slot = 0; slot < n_slots(); ++slot) {
    if (is_live(slot)) slot_of_->emplace(ids_[slot], slot);
  }
  if (slot_of_->size() != n_live_) {
    throw Error(ErrorKind::kCorrupt, "the index has items with equal ids: build it again");
  }
  is_indexed_ = true;
}

void VectorStore::save(ContainerWriter& out) const {
  if (exact_) out.add("vectors", exact_->bytes().values());
  if (codes_) {
    out.add("codes", codes_->bytes().values());
    out.add_value("code_scale", codes_->quantizer().scale);
    out.add_value("code_error", codes_->quantizer().error);
    out.add("code_offsets", std::span<const float>(codes_->quantizer().offsets));
  }
  out.add_value("n_trained", uint64_t{n_trained_});
  out.add("ids", ids_.values());
  out.add("live", live_.values());
}

VectorStore VectorStore::open(const Container& in, size_t dim, Metric metric,
                              const VectorStorage& storage, const DistanceFunction& distance) {
  VectorStore store(dim, metric, storage, distance);
  store.ids_ = Column<ItemId>::mapped(in.array<ItemId>("ids"));
  store.live_ = Column<uint8_t>::mapped(in.array<uint8_t>("live"));
  const size_t n = store.n_slots();
  if (in.has("n_trained")) store.n_trained_ = in.value<uint64_t>("n_trained");
  if (in.has("vectors")) {
    store.exact_->bytes() = Column<std::byte>::mapped(in.array<std::byte>("vectors"));
  } else {
    store.exact_.reset();
  }
  if (in.has("codes")) {
    if (!storage.codes) in.fail("it has codes, but its header names none");
    store.codes_.emplace(*storage.codes, store.inner_metric(), dim);
    store.codes_->bytes() = Column<std::byte>::mapped(in.array<std::byte>("codes"));
    const auto offsets = in.array<float>("code_offsets");
    const auto scale = in.value<float>("code_scale"), error = in.value<float>("code_error");
    const auto finite = [](float x) { return std::isfinite(x); };
    if (offsets.size() != dim || !std::ranges::all_of(offsets, finite) || !(scale >= kLeastScale) ||
        !std::isfinite(scale) || !std::isfinite(error)) {
      in.fail("the range of the codes is not one");
    }
    store.codes_->set_quantizer(
        {.scale = scale, .offsets = {offsets.begin(), offsets.end()}, .error = error});
  }
  if (!store.exact_ && (!store.codes_ || storage.exact)) in.fail("the vectors are missing");
  bool match = n <= kMaxSlots && store.live_.size() == n;
  for (const std::optional<Rows>* rows : {&store.exact_, &store.codes_}) {
    match = match && (!*rows || (*rows)->bytes().size() == n * (*rows)->stride());
  }
  if (!match) in.fail(fmt::format("the vectors of {} dims do not match {} ids", dim, n));
  for (uint8_t live : store.live_.values()) {
    if (live > 1) in.fail("an item is neither live nor dead");
    store.n_live_ += live;
  }
  return store;
}

}  // namespace carya
