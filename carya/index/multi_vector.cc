#include "carya/index/multi_vector.h"

#include <algorithm>
#include <limits>
#include <numeric>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/index/hit_select.h"
#include "carya/index/query.h"

namespace carya {
namespace {

constexpr size_t kGrowth = 4;         // of the vectors looked up, while they are of too few items
constexpr size_t kItemsPerTask = 16;  // ranked: some microseconds each

// A filter of items as one of their vectors.
class OwnerFilter : public Filter {
 public:
  OwnerFilter(const Filter& items, std::span<const ItemId> owner) : items_(items), owner_(owner) {}
  bool accepts(ItemId vector) const override {
    return vector < owner_.size() && items_.accepts(owner_[vector]);
  }
  double selectivity() const override { return items_.selectivity(); }

 private:
  const Filter& items_;
  std::span<const ItemId> owner_;
};

}  // namespace

MultiVectorIndex::MultiVectorIndex(VectorStore store, std::unique_ptr<Index> index)
    : store_(std::move(store)), index_(std::move(index)) {}

MultiVectorIndex::MultiVectorIndex(size_t dim, Metric metric, const IndexFactory& factory,
                                   const DistanceFunction& distance)
    : MultiVectorIndex(VectorStore(dim, metric, VectorStorage::exact_for(metric), distance),
                       factory(dim, metric)) {
  require(index_ != nullptr && index_->dim() == dim && index_->metric() == metric &&
              index_->size() == 0,
          "the factory must make an empty index of {} dims and the metric {}", dim,
          metric_name(metric));
}

size_t MultiVectorIndex::n_vectors(ItemId id) const {
  const auto found = first_.find(id);
  return found == first_.end() ? 0 : slots_of(found->second).size();
}

void MultiVectorIndex::check(std::span<const ItemId> ids, std::span<const size_t> offsets,
                             MatrixView<const float> vectors) const {
  require(offsets.size() == ids.size() + 1, "{} offsets came with {} items: one more is needed",
          offsets.size(), ids.size());
  require(offsets.front() == 0 && offsets.back() == vectors.rows(),
          "the offsets go from {} to {}, but there are vectors 0 to {}", offsets.front(),
          offsets.back(), vectors.rows());
  for (size_t i = 0; i < ids.size(); ++i) {
    require(offsets[i] < offsets[i + 1],
            "item {} has no vector (offsets {} and {}): leave it out, nothing could find it",
            ids[i], offsets[i], offsets[i + 1]);
  }
  std::vector<ItemId> sorted(ids.begin(), ids.end());
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  require(twice == sorted.end(), "item {} comes twice: an id names one item",
          twice == sorted.end() ? 0 : *twice);
}

std::vector<uint32_t> MultiVectorIndex::insert(MatrixView<const float> vectors,
                                               Progress* progress) {
  std::vector<uint32_t> slots;
  const size_t n_reused = std::min(free_.size(), vectors.rows());
  slots.assign(free_.end() - static_cast<ptrdiff_t>(n_reused), free_.end());
  for (size_t slot = store_.n_slots(); slots.size() < vectors.rows(); ++slot) {
    slots.push_back(static_cast<uint32_t>(slot));
  }
  const std::vector<ItemId> names(slots.begin(), slots.end());
  store_.check_new(names, vectors);
  try {
    index_->add(names, vectors, progress);
  } catch (...) {  // what it kept until it stopped
    for (ItemId name : names) index_->remove(name);
    throw;
  }
  store_.place(slots, names, vectors);
  free_.resize(free_.size() - n_reused);
  owner_.resize(store_.n_slots());
  next_.resize(store_.n_slots(), kNoSlot);
  return slots;
}

void MultiVectorIndex::own_slots(ItemId id, std::span<const uint32_t> slots) {
  for (size_t i = 0; i < slots.size(); ++i) {
    owner_[slots[i]] = id;
    next_[slots[i]] = i + 1 < slots.size() ? slots[i + 1] : kNoSlot;
  }
  first_[id] = slots.front();
}

void MultiVectorIndex::free_slots_of(uint32_t first) {
  for (uint32_t slot : slots_of(first)) {
    index_->remove(slot);
    store_.kill(slot);
    free_.push_back(slot);
  }
}

std::vector<uint32_t> MultiVectorIndex::slots_of(uint32_t first) const {
  std::vector<uint32_t> slots;
  for (uint32_t slot = first; slot != kNoSlot; slot = next_[slot]) slots.push_back(slot);
  return slots;
}

void MultiVectorIndex::add(std::span<const ItemId> ids, std::span<const size_t> offsets,
                           MatrixView<const float> vectors, Progress* progress) {
  check(ids, offsets, vectors);
  for (ItemId id : ids) {
    require(!first_.contains(id), "item {} is in the index already: remove or update it", id);
  }
  const std::vector<uint32_t> slots = insert(vectors, progress);
  for (size_t i = 0; i < ids.size(); ++i) {
    own_slots(ids[i], std::span(slots).subspan(offsets[i], offsets[i + 1] - offsets[i]));
  }
}

bool MultiVectorIndex::remove(ItemId id) {
  const auto found = first_.find(id);
  if (found == first_.end()) return false;
  free_slots_of(found->second);
  first_.erase(found);
  return true;
}

void MultiVectorIndex::update(std::span<const ItemId> ids, std::span<const size_t> offsets,
                              MatrixView<const float> vectors) {
  check(ids, offsets, vectors);
  for (ItemId id : ids) require(first_.contains(id), "item {} is not in the index: add it", id);
  const std::vector<uint32_t> slots = insert(vectors, nullptr);
  for (size_t i = 0; i < ids.size(); ++i) {
    free_slots_of(first_.at(ids[i]));
    own_slots(ids[i], std::span(slots).subspan(offsets[i], offsets[i + 1] - offsets[i]));
  }
}

std::vector<ItemId> MultiVectorIndex::candidates(MatrixView<const float> queries,
                                                 const SearchOptions& options) const {
  std::optional<OwnerFilter> filter;
  if (options.filter != nullptr) filter.emplace(*options.filter, owner_);
  SearchOptions each{.filter = filter ? &*filter : nullptr, .stats = options.stats};
  size_t n_near = std::max(options.k, options.effort == 0 ? kDefaultEffort : options.effort);
  while (true) {
    each.k = each.effort = std::min(n_near, n_vectors());
    std::vector<ItemId> items;
    bool is_all = true;
    for (const std::vector<Hit>& hits : search_batch(*index_, queries, each)) {
      is_all = is_all && (hits.size() < each.k || each.k == n_vectors());
      for (const Hit& hit : hits) {
        if (hit.id >= store_.n_slots() || !store_.is_live(hit.id)) {
          throw Error(ErrorKind::kCorrupt,
                      fmt::format("the index holds a vector {} that no item has: it belongs to "
                                  "other items; build it again",
                                  hit.id));
        }
        items.push_back(owner_[hit.id]);
      }
    }
    std::ranges::sort(items);
    const auto [begin, end] = std::ranges::unique(items);
    items.erase(begin, end);
    if (is_all || items.size() >= options.k) return items;
    n_near *= kGrowth;
  }
}

std::vector<Hit> MultiVectorIndex::late_interaction(MatrixView<const float> queries,
                                                    const SearchOptions& options) const {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  require(options.exact.empty(),
          "exact vectors were given, but the index of items has them: leave `exact` out");
  require(queries.rows() >= 1, "there is no query: late interaction needs at least one");
  std::vector<Rows::Query> prepared;
  for (size_t q = 0; q < queries.rows(); ++q) {
    prepared.push_back(store_.ranked().query(store_.prepared(queries.row(q))));
  }
  if (size() == 0) return {};
  const std::vector<ItemId> items = candidates(queries, options);
  const RowSet rows = store_.ranked().set();
  std::vector<Hit> hits(items.size());
  std::vector<size_t> n_compared(items.size());
  parallel_for(0, items.size(), kItemsPerTask, [&](size_t first, size_t last) {
    std::vector<float> distances;
    for (size_t i = first; i < last; ++i) {
      const std::vector<uint32_t> slots = slots_of(first_.at(items[i]));
      distances.resize(slots.size());
      double sum = 0;
      for (const Rows::Query& query : prepared) {
        rows.distances(query.bytes.data(), slots, distances.data());
        float nearest = std::numeric_limits<float>::infinity();
        for (float distance : distances) nearest = std::min(nearest, distance);
        sum += store_.shown(nearest);
      }
      hits[i] = {items[i], static_cast<float>(sum)};
      n_compared[i] = slots.size() * prepared.size();
    }
  });
  if (options.stats != nullptr) {
    options.stats->n_distances += std::accumulate(n_compared.begin(), n_compared.end(), size_t{0});
  }
  HitSelect nearest(std::min(options.k, std::max<size_t>(hits.size(), 1)));
  nearest.push(hits);
  return nearest.take();
}

std::vector<Hit> MultiVectorIndex::search(std::span<const float> query,
                                          const SearchOptions& options) const {
  return late_interaction({query.data(), 1, query.size()}, options);
}

}  // namespace carya
