// Hnsw::search: from a query to hits.
#include <algorithm>

#include "carya/index/hit_select.h"
#include "carya/index/hnsw_shared.h"
#include "carya/index/ranker.h"
#include "carya/index/scan.h"

namespace carya {
namespace {

bool accepts(const HnswState& state, const SearchOptions& options, uint32_t slot) {
  return state.store.is_live(slot) &&
         (options.filter == nullptr || options.filter->accepts(state.store.id(slot)));
}

bool accepts_any_twin(const HnswState& state, const SearchOptions& options, uint32_t head) {
  for (uint32_t s = head; s != kNoSlot; s = state.graph.next_twin(s)) {
    if (accepts(state, options, s)) return true;
  }
  return false;
}

// What searches cost, in distances of a scan; measured on 200,000 words, see docs/benchmarks.md.
constexpr double kAsking = 0.07;      // the filter, about one item
constexpr double kAnywhere = 1.8;     // a vector that lies anywhere, and keeping the order
constexpr double kPerCandidate = 11;  // vectors that a graph search reads for each it keeps

double scan_cost(const HnswState& state, const Filter* filter) {
  const auto n = static_cast<double>(state.store.n_slots());
  return filter == nullptr ? n : (std::clamp(filter->selectivity(), 0.0, 1.0) + kAsking) * n;
}

double graph_cost(const HnswState& state, const SearchOptions& options) {
  const double share =
      options.filter == nullptr ? 1 : std::clamp(options.filter->selectivity(), 1e-9, 1.0);
  return kAnywhere * std::min(static_cast<double>(state.store.n_slots()),
                              kPerCandidate * static_cast<double>(options.effort) / share);
}

// The nodes that may be among the k nearest, by exact distance.  `found`: by distance between
// codes.  Reads on while a code's distance could be that of one of the k nearest.
std::vector<Scored> ranked(const HnswState& state, const Ranker& ranker, const Rows::Query& query,
                           std::span<const Scored> found, size_t k, SearchStats& stats) {
  constexpr size_t kChunk = 8;
  std::vector<Scored> exact, nearest;  // nearest: a heap, the farthest of k first
  for (size_t first = 0; first < found.size();) {
    const size_t n = std::min(first == 0 ? std::max(k, kChunk) : kChunk, found.size() - first);
    if (nearest.size() == k && query.least(found[first].distance()) > nearest.front().distance()) {
      break;
    }
    std::vector<uint32_t> slots(n);
    std::vector<float> distances(n);
    for (size_t i = 0; i < n; ++i) {
      slots[i] = found[first + i].slot();
      __builtin_prefetch(state.store.ranked().set().row(slots[i]));
    }
    ranker.distances(slots, distances);
    for (size_t i = 0; i < n; ++i) {
      exact.emplace_back(distances[i], slots[i]);
      nearest.push_back(exact.back());
      std::ranges::push_heap(nearest);
      if (nearest.size() > k) {
        std::ranges::pop_heap(nearest);
        nearest.pop_back();
      }
    }
    stats.n_distances += n;
    first += n;
  }
  std::ranges::sort(exact);
  return exact;
}

// Each node and, behind it, its twins, at the node's distance.
std::vector<Scored> with_twins(const HnswState& state, std::span<const Scored> found) {
  std::vector<Scored> all;
  for (const Scored& scored : found) {
    for (uint32_t s = scored.slot(); s != kNoSlot; s = state.graph.next_twin(s)) {
      all.emplace_back(scored.distance(), s);
    }
  }
  return all;
}

// The k nearest that are accepted: items one by one, or, where twins are the same vector, nodes
// whose twins stand for themselves.
enum class Stands { kForItself, kForTwins };
std::vector<Hit> hits_of(const HnswState& state, std::span<const Scored> nearest, float unit,
                         const SearchOptions& options, Stands stands) {
  std::vector<Hit> hits;
  for (const Scored& scored : nearest) {
    const float distance = state.store.shown(scored.distance() * unit);
    for (uint32_t s = scored.slot(); s != kNoSlot && hits.size() < options.k;
         s = stands == Stands::kForTwins ? state.graph.next_twin(s) : kNoSlot) {
      if (accepts(state, options, s)) hits.push_back({state.store.id(s), distance});
    }
    if (hits.size() == options.k) break;
  }
  std::ranges::sort(hits, nearer);
  return hits;
}

// An item that is updated meanwhile may have been met twice: as it was and as it is.
void drop_second_ids(std::vector<Hit>& hits) {
  std::vector<ItemId> ids;
  for (const Hit& hit : hits) ids.push_back(hit.id);
  std::ranges::sort(ids);
  if (std::ranges::adjacent_find(ids) == ids.end()) return;
  std::vector<ItemId> seen;
  std::erase_if(hits, [&](const Hit& hit) {
    if (std::ranges::find(seen, hit.id) != seen.end()) return true;
    seen.push_back(hit.id);
    return false;
  });
}

// The exact search, each id once: as many more hits are asked for as were met twice.
std::vector<Hit> scan_once_each(const VectorStore& store, std::span<const float> query,
                                const SearchOptions& options) {
  SearchOptions wider = options;
  while (true) {
    std::vector<Hit> hits = scan(store, query, wider);
    const size_t n_met = hits.size();
    drop_second_ids(hits);
    if (hits.size() < options.k && n_met == wider.k) {
      wider.k += options.k - hits.size();
      continue;
    }
    hits.resize(std::min(hits.size(), options.k));
    return hits;
  }
}

}  // namespace

std::vector<Hit> Hnsw::search(std::span<const float> vector, const SearchOptions& asked) const {
  require(asked.k >= 1, "k is 0: ask for at least one neighbour");
  const Readers<HnswState, SearchScratch>::Session session(shared_->readers);
  const HnswState& state = session.state();
  SearchScratch& scratch = session.scratch();
  const VectorStore& store = state.store;
  SearchOptions options = asked;
  if (options.effort == 0) options.effort = kDefaultEffort;
  // The dead take places: as many more candidates.
  if (store.n_live() > 0) options.effort += options.effort * state.n_dead / store.n_live();
  options.k = std::min(options.k, std::max<size_t>(store.n_slots(), 1));
  options.effort = std::clamp(options.effort, options.k, std::max<size_t>(store.n_slots(), 1));
  const auto prepared = store.prepared(vector);
  if (state.graph.entry() == kNoSlot) return {};
  const double scanning = scan_cost(state, options.filter);
  if (scanning < graph_cost(state, options)) return scan_once_each(store, prepared, options);

  const Ranker ranker(store, prepared, options.exact);
  const Rows::Query query = store.walked().query(prepared);
  const RowSet rows = store.walked().set();
  const GraphSearch search(state.graph, rows, query.bytes.data());
  scratch.stats = {};
  const Scored from = search.descend(0, scratch);
  const auto answer = [&](std::span<const Scored> found) {
    if (ranker.is_walked()) return hits_of(state, found, query.unit, options, Stands::kForTwins);
    const auto rank = [&](std::span<const Scored> some) {
      return ranked(state, ranker, query, some, options.k, scratch.stats);
    };
    if (store.has_exact()) return hits_of(state, rank(found), 1, options, Stands::kForTwins);
    // Twins have the same code; the caller's vectors tell them apart.
    return hits_of(state, rank(with_twins(state, found)), 1, options, Stands::kForItself);
  };
  const auto count = [&] {
    if (options.stats != nullptr) *options.stats += scratch.stats;
  };
  std::vector<Hit> hits;
  if (options.filter == nullptr) {
    search.explore(from, 0, options.effort, scratch);
    hits = answer(scratch.frontier.nearest());
  }
  // Dead nodes may have taken the places of living ones.
  if (hits.size() < std::min(options.k, store.n_live())) {
    const auto accept = [&](uint32_t slot) { return accepts_any_twin(state, options, slot); };
    // Where what is accepted lies far from the query, the way there may be longer than a scan.
    const auto found = search.explore_accepted(
        from, options.effort, static_cast<size_t>(scanning / kAnywhere), accept, scratch);
    if (!found) {
      count();
      return scan_once_each(store, prepared, options);
    }
    hits = answer(*found);
  }
  drop_second_ids(hits);
  count();
  return hits;
}

}  // namespace carya
