#include "carya/index/hnsw.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/index/hit_select.h"
#include "carya/index/hnsw_build.h"
#include "carya/index/hnsw_search.h"
#include "carya/index/scan.h"

namespace carya {
namespace {

constexpr size_t kBatchShare = 50;  // a batch is at most 1/50 of the nodes it is linked to
constexpr size_t kMaxBatch = 8192;  // bounds the memory of a batch and the time between reports
constexpr size_t kMinDead = 64;     // nodes; fewer are not worth a pass over the graph
constexpr size_t kDeadShare = 5;
constexpr size_t kConnectShare = 10;

std::span<const std::byte> bytes_of(const VectorStore& store, uint32_t slot) {
  return std::as_bytes(std::span(store.vector(slot), store.dim()));
}

size_t batch_size(size_t n_nodes) {
  return std::clamp<size_t>(n_nodes / kBatchShare, 1, kMaxBatch);
}

}  // namespace

void HnswOptions::validate() const {
  require(m >= 2 && m <= 512, "m is {}: a node of an HNSW has 2 to 512 links a level", m);
  require(ef_construction >= m && ef_construction <= 100'000,
          "ef_construction is {}: it must be from m ({}) to 100000", ef_construction, m);
}

Hnsw::Hnsw(size_t dim, Metric metric, const HnswOptions& options)
    : options_(options),
      store_(dim, metric),
      graph_(options.m),
      scratch_(std::make_unique<ScratchPool>()) {
  options.validate();
}
Hnsw::~Hnsw() = default;
Hnsw::Hnsw(Hnsw&&) noexcept = default;
Hnsw& Hnsw::operator=(Hnsw&&) noexcept = default;

void Hnsw::index_heads() {
  if (is_indexed_) return;
  is_indexed_ = true;
  for (uint32_t slot = 0; slot < graph_.n_slots(); ++slot) {
    if (graph_.is_node(slot)) head_of_.emplace(checksum(bytes_of(store_, slot)), slot);
    if (graph_.is_free(slot)) free_slots_.push_back(slot);
  }
}

std::vector<uint32_t> Hnsw::take_slots(size_t n) {
  std::vector<uint32_t> slots;
  while (slots.size() < n && !free_slots_.empty()) {
    slots.push_back(free_slots_.back());
    free_slots_.pop_back();
  }
  for (auto next = static_cast<uint32_t>(store_.n_slots()); slots.size() < n; ++next) {
    slots.push_back(next);
  }
  return slots;
}

std::vector<uint32_t> Hnsw::without_twins(std::span<const uint32_t> slots) {
  std::vector<uint32_t> heads;
  const double scale = 1 / std::log(static_cast<double>(options_.m));
  for (uint32_t slot : slots) {
    const auto [head, is_new] = head_of_.emplace(checksum(bytes_of(store_, slot)), slot);
    if (!is_new && std::ranges::equal(bytes_of(store_, head->second), bytes_of(store_, slot))) {
      graph_.add_twin(head->second, slot);
      continue;
    }
    const double uniform = 1 - Rng(options_.seed, n_drawn_++).uniform();  // (0, 1]
    graph_.set_slot(slot, std::min(static_cast<size_t>(-std::log(uniform) * scale), kMaxLevel));
    heads.push_back(slot);
  }
  return heads;
}

void Hnsw::add_batch(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  const std::vector<uint32_t> slots = take_slots(ids.size());
  store_.place(slots, ids, vectors);
  link_batch({graph_, store_, options_.ef_construction, *scratch_}, without_twins(slots));
}

void Hnsw::add(std::span<const ItemId> ids, MatrixView<const float> vectors, Progress* progress) {
  store_.check_new(ids, vectors);
  if (ids.empty()) return;
  begin_stage(progress, "vectors into the graph", ids.size(), "vectors");
  index_heads();
  recycle_dead();
  const size_t n_slots = store_.n_slots() + ids.size() - std::min(ids.size(), free_slots_.size());
  if (n_slots > store_.n_slots() + 1) {
    store_.reserve(n_slots);
    graph_.reserve(n_slots);
  }
  for (size_t first = 0; first < ids.size();) {
    const size_t n = std::min(batch_size(head_of_.size()), ids.size() - first);
    add_batch(ids.subspan(first, n), vectors.slice(first, n));
    first += n;
    advance(progress, n);
  }
  // A pass over all links: not for each single item.
  if (ids.size() >= size() / kConnectShare) {
    connect({graph_, store_, options_.ef_construction, *scratch_});
  }
}

Hnsw Hnsw::build(std::span<const ItemId> ids, MatrixView<const float> vectors,
                 const Neighbors& known, Metric metric, const HnswOptions& options,
                 Progress* progress) {
  Hnsw index(vectors.cols(), metric, options);
  index.store_.check_new(ids, vectors);
  require(known.ids.rows() == ids.size(), "neighbours of {} items came with {} vectors",
          known.ids.rows(), ids.size());
  for (uint32_t row : known.ids.flat()) {
    require(row < ids.size() || row == kNoNeighbor, "a neighbour is row {}, but there are {} rows",
            row, ids.size());
  }
  begin_stage(progress, "vectors into the graph", ids.size(), "vectors");
  index.index_heads();
  const std::vector<uint32_t> slots = index.take_slots(ids.size());
  index.store_.reserve(ids.size());
  index.graph_.reserve(ids.size());
  index.store_.place(slots, ids, vectors);
  const std::vector<uint32_t> heads = index.without_twins(slots);
  const HnswBuild build{index.graph_, index.store_, options.ef_construction, *index.scratch_};

  std::vector<uint32_t> upper;
  for (uint32_t head : heads) {
    if (index.graph_.level(head) > 0) upper.push_back(head);
  }
  if (upper.empty() && !heads.empty()) upper.push_back(heads.front());  // the entry
  for (size_t first = 0; first < upper.size();) {
    const size_t n = std::min(batch_size(first), upper.size() - first);
    link_batch(build, std::span(upper).subspan(first, n), 1);
    first += n;
  }
  std::vector<std::vector<Scored>> near(heads.size());
  parallel_for(0, heads.size(), 256, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      for (size_t j = 0; j < known.ids.cols() && known.ids(heads[i], j) != kNoNeighbor; ++j) {
        const uint32_t slot = known.ids(heads[i], j);
        if (!index.graph_.is_node(slot) || slot == heads[i]) continue;
        near[i].emplace_back(known.distances(heads[i], j) - index.store_.shown(0), slot);
      }
    }
  });
  link_known(build, heads, near);
  connect(build);
  advance(progress, ids.size());
  return index;
}

bool Hnsw::remove(ItemId id) {
  const std::optional<uint32_t> slot = store_.find(id);
  if (!slot) return false;
  index_heads();
  store_.own();
  graph_.own();
  store_.kill(*slot);
  recycle_dead();
  return true;
}

void Hnsw::recycle_dead() {
  const size_t n_dead = store_.n_slots() - store_.n_live() - free_slots_.size();
  if (store_.n_live() == 0 && n_dead > 0) {
    store_.truncate(0);
    graph_.clear();
    head_of_.clear();
    free_slots_.clear();
    return;
  }
  if (n_dead < kMinDead || n_dead < store_.n_live() / kDeadShare) return;
  std::vector<uint32_t> dead;
  uint32_t entry = kNoSlot;
  for (uint32_t head = 0; head < graph_.n_slots(); ++head) {
    if (!graph_.is_node(head)) continue;
    std::vector<uint32_t> living;
    for (uint32_t twin = graph_.next_twin(head), next; twin != kNoSlot; twin = next) {
      next = graph_.next_twin(twin);
      if (store_.is_live(twin)) {
        living.push_back(twin);
      } else {
        graph_.free_slot(twin);
        free_slots_.push_back(twin);
      }
    }
    if (!store_.is_live(head) && !living.empty()) {  // a twin takes the dead head's place
      store_.move(living.back(), head);
      graph_.free_slot(living.back());
      free_slots_.push_back(living.back());
      living.pop_back();
    }
    uint32_t last = head;
    for (uint32_t twin : living) {
      graph_.set_next_twin(last, twin);
      last = twin;
    }
    graph_.set_next_twin(last, kNoSlot);
    if (!store_.is_live(head)) {
      dead.push_back(head);
      const auto found = head_of_.find(checksum(bytes_of(store_, head)));
      if (found != head_of_.end() && found->second == head) head_of_.erase(found);
    } else if (entry == kNoSlot || graph_.level(head) > graph_.level(entry)) {
      entry = head;
    }
  }
  graph_.set_entry(entry);
  const HnswBuild build{graph_, store_, options_.ef_construction, *scratch_};
  unlink(build, dead);
  connect(build);
  free_slots_.insert(free_slots_.end(), dead.begin(), dead.end());
}

bool Hnsw::scan_is_cheaper(const SearchOptions& options) const {
  // In vectors of a scan: the graph reads 5 or more vectors per candidate, each at the price
  // of 2.4, since they lie anywhere; asking the filter costs 0.1.
  const auto n = static_cast<double>(store_.n_slots());
  const Filter* filter = options.filter;
  const double share = filter == nullptr ? 1 : std::clamp(filter->selectivity(), 1e-9, 1.0);
  const double graph = 2.4 * std::min(n, 5 * static_cast<double>(options.effort) / share);
  return share * n + (filter == nullptr ? 0 : 0.1 * n) < graph;
}

std::vector<Hit> Hnsw::hits_of(std::span<const Scored> nearest,
                               const SearchOptions& options) const {
  std::vector<Hit> hits;
  for (const Scored& scored : nearest) {
    const float distance = store_.shown(scored.distance());
    for (uint32_t s = scored.slot(); s != kNoSlot && hits.size() < options.k;
         s = graph_.next_twin(s)) {
      const bool accepted =
          store_.is_live(s) && (options.filter == nullptr || options.filter->accepts(store_.id(s)));
      if (accepted) hits.push_back({store_.id(s), distance});
    }
    if (hits.size() == options.k) break;
  }
  std::ranges::sort(hits, nearer);
  return hits;
}

std::vector<Hit> Hnsw::search(std::span<const float> query, const SearchOptions& asked) const {
  require(asked.k >= 1, "k is 0: ask for at least one neighbour");
  SearchOptions options = asked;
  if (options.effort == 0) options.effort = kDefaultEffort;
  options.k = std::min(options.k, std::max<size_t>(store_.n_slots(), 1));
  options.effort = std::clamp(options.effort, options.k, std::max<size_t>(store_.n_slots(), 1));
  const auto prepared = store_.prepared(query);
  if (graph_.entry() == kNoSlot) return {};
  if (scan_is_cheaper(options)) return scan(store_, prepared, options);

  const GraphSearch search(graph_, store_, prepared.data());
  const ScratchPool::Lease scratch = scratch_->borrow();
  scratch->stats = {};
  const Scored from = search.descend(0, *scratch);
  std::vector<Hit> hits;
  if (options.filter == nullptr) {
    search.explore(from, 0, options.effort, *scratch);
    hits = hits_of(scratch->frontier.nearest(), options);
  }
  // Dead nodes may have taken the places of living ones.
  if (hits.size() < std::min(options.k, size())) {
    const auto accept = [&](uint32_t slot) {
      for (uint32_t s = slot; s != kNoSlot; s = graph_.next_twin(s)) {
        if (store_.is_live(s) &&
            (options.filter == nullptr || options.filter->accepts(store_.id(s)))) {
          return true;
        }
      }
      return false;
    };
    hits = hits_of(search.explore_accepted(from, options.effort, accept, *scratch), options);
  }
  if (options.stats != nullptr) {
    options.stats->n_distances += scratch->stats.n_distances;
    options.stats->n_hops += scratch->stats.n_hops;
  }
  return hits;
}

}  // namespace carya
