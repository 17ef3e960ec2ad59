#include "carya/index/hnsw.h"

#include <algorithm>
#include <cmath>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/index/hnsw_build.h"
#include "carya/index/hnsw_shared.h"

namespace carya {
namespace {

constexpr size_t kBatchShare = 200;  // a batch is at most 1/200 of the nodes it is linked to
constexpr size_t kMaxBatch = 8192;   // bounds the memory of a batch and the time between reports
constexpr size_t kMinDead = 64;      // nodes; fewer are not worth a pass over the graph
constexpr size_t kDeadShare = 5;
constexpr size_t kConnectShare = 10;

size_t batch_size(size_t n_nodes) {
  return std::clamp<size_t>(n_nodes / kBatchShare, 1, kMaxBatch);
}

// The default storage is each metric's own; any other is what the caller asked for.
HnswOptions completed(Metric metric, HnswOptions options) {
  const bool exact_only = is_binary(metric) || metric == Metric::kUser;
  if (exact_only && options.storage == HnswOptions{}.storage) {
    options.storage = VectorStorage::exact_for(metric);
  }
  return options;
}

}  // namespace

void HnswOptions::validate() const {
  require(m >= 2 && m <= 512, "m is {}: a node of an HNSW has 2 to 512 links a level", m);
  require(ef_construction >= m && ef_construction <= 100'000,
          "ef_construction is {}: it must be from m ({}) to 100000", ef_construction, m);
}

Hnsw::Hnsw(size_t dim, Metric metric, const HnswOptions& options)
    : dim_(dim),
      metric_(metric),
      options_(completed(metric, options)),
      state_{VectorStore(dim, metric, options_.storage, options_.distance), HnswGraph(options.m)},
      shared_(std::make_unique<Shared>()) {
  options.validate();
  publish();
}
Hnsw::~Hnsw() = default;
Hnsw::Hnsw(Hnsw&&) noexcept = default;
Hnsw& Hnsw::operator=(Hnsw&&) noexcept = default;

size_t Hnsw::size() const noexcept { return shared_->n_live.load(); }

void Hnsw::publish() {
  state_.n_dead = n_dead() + n_waypoints_;
  shared_->n_live.store(state_.store.n_live());
  shared_->readers.publish(std::make_unique<const HnswState>(state_));
}

void Hnsw::index_heads() {
  if (is_indexed_) return;
  is_indexed_ = true;
  head_of_.clear();
  free_slots_.clear();
  for (uint32_t slot = 0; slot < state_.graph.n_slots(); ++slot) {
    if (state_.graph.is_node(slot)) head_of_.emplace(checksum(state_.store.identity(slot)), slot);
    if (state_.graph.is_free(slot)) free_slots_.push_back(slot);
  }
}

std::vector<uint32_t> Hnsw::take_slots(size_t n) {
  while (!retired_.empty() && shared_->readers.is_free(retired_.front().first)) {
    const std::vector<uint32_t>& slots = retired_.front().second;
    free_slots_.insert(free_slots_.end(), slots.begin(), slots.end());
    n_retired_ -= slots.size();
    retired_.erase(retired_.begin());
  }
  std::vector<uint32_t> slots;
  while (slots.size() < n && !free_slots_.empty()) {
    slots.push_back(free_slots_.back());
    free_slots_.pop_back();
  }
  for (auto next = static_cast<uint32_t>(state_.store.n_slots()); slots.size() < n; ++next) {
    slots.push_back(next);
  }
  return slots;
}

std::vector<uint32_t> Hnsw::without_twins(std::span<const uint32_t> slots) {
  std::vector<uint32_t> heads;
  const double scale = 1 / std::log(static_cast<double>(options_.m));
  const VectorStore& store = state_.store;
  for (uint32_t slot : slots) {
    const auto [head, is_new] = head_of_.emplace(checksum(store.identity(slot)), slot);
    if (!is_new && std::ranges::equal(store.identity(head->second), store.identity(slot))) {
      state_.graph.add_twin(head->second, slot);
      continue;
    }
    const double uniform = 1 - Rng(options_.seed, n_drawn_++).uniform();  // (0, 1]
    state_.graph.set_slot(slot,
                          std::min(static_cast<size_t>(-std::log(uniform) * scale), kMaxLevel));
    heads.push_back(slot);
  }
  return heads;
}

// Room for what comes, in memory that running searches do not share where rows move: they must not
// meet links to what their arrays do not hold.
void Hnsw::prepare(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  index_heads();
  recycle_dead(kMinDead);
  VectorStore& store = state_.store;
  const bool is_trained = store.train(vectors);
  const size_t n_needed = store.n_slots() + ids.size();  // free slots may not be free in time
  if (is_trained || n_needed > store.capacity() || state_.file != nullptr) {
    const size_t had = store.capacity();
    const size_t capacity = n_needed > had ? std::max(n_needed, had * 3 / 2) : had;
    store.reallocate(capacity);
    state_.graph.reallocate(capacity);
    if (is_trained && !store.has_exact()) {  // identical vectors have other bytes now
      is_indexed_ = false;
      const std::vector<uint32_t> free = std::move(free_slots_);
      index_heads();
      free_slots_ = free;
    }
    state_.file = nullptr;
    publish();
  }
}

void Hnsw::insert(std::span<const ItemId> ids, MatrixView<const float> vectors,
                  Progress* progress) {
  for (size_t first = 0; first < ids.size();) {
    const size_t n = std::min(batch_size(head_of_.size()), ids.size() - first);
    const std::vector<uint32_t> slots = take_slots(n);
    std::vector<uint32_t> replaced;
    for (ItemId id : ids.subspan(first, n)) {
      if (const auto slot = state_.store.find(id)) replaced.push_back(*slot);
    }
    state_.store.place(slots, ids.subspan(first, n), vectors.slice(first, n));
    const HnswBuild build{state_.graph, state_.store.walked().set(), options_.ef_construction,
                          shared_->builders};
    link_batch(build, state_.store, without_twins(slots));
    for (uint32_t slot : replaced) state_.store.kill(slot);
    publish();
    first += n;
    advance(progress, n);
  }
}

void Hnsw::add(std::span<const ItemId> ids, MatrixView<const float> vectors, Progress* progress) {
  const std::lock_guard lock(shared_->writing);
  state_.store.check_new(ids, vectors);
  if (ids.empty()) return;
  begin_stage(progress, "vectors into the graph", ids.size(), "vectors");
  prepare(ids, vectors);
  insert(ids, vectors, progress);
  // A pass over all links: not for each single item.
  if (ids.size() >= size() / kConnectShare) {
    connect(
        {state_.graph, state_.store.walked().set(), options_.ef_construction, shared_->builders});
  }
}

void Hnsw::update(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  const std::lock_guard lock(shared_->writing);
  state_.store.check_known(ids, vectors);
  if (ids.empty()) return;
  prepare(ids, vectors);
  insert(ids, vectors, nullptr);
  recycle_dead(kMinDead);
}

Hnsw Hnsw::build(std::span<const ItemId> ids, MatrixView<const float> vectors,
                 const Neighbors& known, Metric metric, const HnswOptions& options,
                 Progress* progress) {
  Hnsw index(vectors.cols(), metric, options);
  VectorStore& store = index.state_.store;
  HnswGraph& graph = index.state_.graph;
  store.check_new(ids, vectors);
  require(known.ids.rows() == ids.size(), "neighbours of {} items came with {} vectors",
          known.ids.rows(), ids.size());
  for (uint32_t row : known.ids.flat()) {
    require(row < ids.size() || row == kNoNeighbor, "a neighbour is row {}, but there are {} rows",
            row, ids.size());
  }
  begin_stage(progress, "vectors into the graph", ids.size(), "vectors");
  index.prepare(ids, vectors);
  const std::vector<uint32_t> slots = index.take_slots(ids.size());
  store.place(slots, ids, vectors);
  const std::vector<uint32_t> heads = index.without_twins(slots);
  const HnswBuild build{graph, store.walked().set(), options.ef_construction,
                        index.shared_->builders};
  std::vector<uint32_t> upper;
  for (uint32_t head : heads) {
    if (graph.level(head) > 0) upper.push_back(head);
  }
  if (upper.empty() && !heads.empty()) upper.push_back(heads.front());  // the entry
  for (size_t first = 0; first < upper.size();) {
    const size_t n = std::min(batch_size(first), upper.size() - first);
    link_batch(build, store, std::span(upper).subspan(first, n), 1);
    first += n;
  }
  std::vector<std::vector<uint32_t>> near(heads.size());
  parallel_for(0, heads.size(), 256, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      for (uint32_t slot : known.ids.row(heads[i])) {
        if (slot != kNoNeighbor && graph.is_node(slot) && slot != heads[i]) near[i].push_back(slot);
      }
    }
  });
  link_known(build, heads, near);
  connect(build);
  index.publish();
  advance(progress, ids.size());
  return index;
}

bool Hnsw::remove(ItemId id) {
  const std::lock_guard lock(shared_->writing);
  const std::optional<uint32_t> slot = state_.store.find(id);
  if (!slot) return false;
  prepare({}, {});
  state_.store.kill(*slot);
  recycle_dead(kMinDead);
  publish();
  return true;
}

size_t Hnsw::n_dead() const {
  return state_.store.n_slots() - state_.store.n_live() - free_slots_.size() - n_retired_ -
         n_waypoints_;
}

void Hnsw::recycle_dead(size_t min_dead) {
  VectorStore& store = state_.store;
  HnswGraph& graph = state_.graph;
  if (store.n_live() == 0 && store.n_slots() > 0) {  // searches that run keep the old arrays
    state_ = {VectorStore(dim_, metric_, options_.storage, options_.distance),
              HnswGraph(options_.m)};
    head_of_.clear();
    free_slots_.clear();
    retired_.clear();
    n_retired_ = n_waypoints_ = 0;
    publish();
    return;
  }
  if (n_dead() < std::max(min_dead, store.n_slots() / kDeadShare)) return;

  std::vector<uint32_t> dead, freed;
  uint32_t entry = kNoSlot;
  n_waypoints_ = 0;
  for (uint32_t head = 0; head < graph.n_slots(); ++head) {
    if (!graph.is_node(head)) continue;
    uint32_t last = head;
    for (uint32_t twin = graph.next_twin(head), next; twin != kNoSlot; twin = next) {
      next = graph.next_twin(twin);
      if (store.is_live(twin)) {
        last = twin;
      } else {
        graph.set_next_twin(last, next);
        graph.free_slot(twin);
        freed.push_back(twin);
      }
    }
    if (!store.is_live(head) && last == head) {
      dead.push_back(head);
      const auto found = head_of_.find(checksum(store.identity(head)));
      if (found != head_of_.end() && found->second == head) head_of_.erase(found);
      continue;
    }
    n_waypoints_ += !store.is_live(head);
    if (entry == kNoSlot || graph.level(head) > graph.level(entry)) entry = head;
  }
  graph.set_entry(entry);
  const HnswBuild build{graph, store.walked().set(), options_.ef_construction, shared_->builders};
  unlink(build, dead);
  connect(build);
  freed.insert(freed.end(), dead.begin(), dead.end());
  publish();  // so that no search begins at them any more
  n_retired_ += freed.size();
  retired_.emplace_back(shared_->readers.retire(), std::move(freed));
}

void Hnsw::compact() {
  const std::lock_guard lock(shared_->writing);
  index_heads();
  recycle_dead(1);
  const HnswGraph& graph = state_.graph;
  if (graph.entry() == kNoSlot) return;
  std::vector<uint32_t> order = breadth_first(graph);
  std::vector<uint8_t> is_placed(graph.n_slots());
  for (uint32_t slot : order) is_placed[slot] = 1;
  for (uint32_t slot = 0; slot < graph.n_slots(); ++slot) {
    if (graph.is_node(slot) && !is_placed[slot]) order.push_back(slot);
  }
  for (size_t i = 0, n_nodes = order.size(); i < n_nodes; ++i) {  // behind what searches walk on
    for (uint32_t twin = graph.next_twin(order[i]); twin != kNoSlot; twin = graph.next_twin(twin)) {
      order.push_back(twin);
    }
  }
  state_ = {state_.store.ordered(order), graph.ordered(order)};
  state_.store.reallocate(order.size());
  state_.graph.reallocate(order.size());
  retired_.clear();
  n_retired_ = 0;
  is_indexed_ = false;
  publish();
}

}  // namespace carya
