#include "carya/index/hnsw_build.h"

#include <algorithm>
#include <iterator>

#include "carya/core/parallel.h"
#include "carya/simd/knn.h"
#include "carya/simd/kselect.h"

namespace carya {
namespace {

constexpr size_t kNodeGrain = 4;  // nodes per task: one takes 0.1 to 1 ms

// For one level: the nodes of the batch that live there, and who is near whom among them.
struct Peers {
  std::vector<uint32_t> slots;
  std::vector<size_t> row_of;  // batch index to row of `near`
  Neighbors near;              // ids are indices into slots
};

// The k nearest other slots of each slot, as rows of `slots`: what exact_knn_graph() is, for rows
// that its tiles do not multiply.
Neighbors near_among(const RowSet& rows, std::span<const uint32_t> slots, size_t k) {
  Neighbors near{Matrix<uint32_t>::uninitialized(slots.size(), k),
                 Matrix<float>::uninitialized(slots.size(), k)};
  parallel_for(0, slots.size(), kNodeGrain, [&](size_t first, size_t last) {
    QueryBytes buffer;
    std::vector<float> distance(slots.size());
    std::vector<Candidate> others;
    for (size_t i = first; i < last; ++i) {
      rows.distances(rows.as_query(slots[i], buffer), slots, distance.data());
      others.clear();
      for (uint32_t j = 0; j < slots.size(); ++j) {
        if (j != i) others.push_back({distance[j], j});
      }
      KSelect(near.ids.row(i), near.distances.row(i)).merge(others);
    }
  });
  return near;
}

Peers peers_on(const HnswBuild& build, const VectorStore& store, std::span<const uint32_t> batch,
               size_t level) {
  Peers peers;
  peers.row_of.resize(batch.size());
  for (size_t i = 0; i < batch.size(); ++i) {
    if (build.graph.level(batch[i]) < level) continue;
    peers.row_of[i] = peers.slots.size();
    peers.slots.push_back(batch[i]);
  }
  if (peers.slots.size() < 2) return peers;
  const size_t k = std::min(build.graph.m(), peers.slots.size() - 1);
  if (is_binary(store.metric()) || store.metric() == Metric::kUser) {
    peers.near = near_among(build.rows, peers.slots, k);
    return peers;
  }
  auto vectors = Matrix<float>::uninitialized(peers.slots.size(), store.dim());
  for (size_t i = 0; i < peers.slots.size(); ++i) {
    store.walked().read(peers.slots[i], vectors.row(i));
  }
  peers.near = exact_knn_graph(vectors, k, store.inner_metric());
  return peers;
}

// [level] -> chosen links of one new node.
using Choice = std::vector<std::vector<uint32_t>>;

Choice choose_links(const HnswBuild& build, const VectorStore& store, std::span<const Peers> peers,
                    size_t lowest, size_t index, uint32_t slot) {
  const HnswGraph& graph = build.graph;
  const size_t level = graph.level(slot), top = graph.top();
  const ScratchPool::Lease scratch = build.scratch.borrow();
  const std::byte* const query = build.rows.as_query(slot, scratch->row);
  const GraphSearch search(graph, build.rows, query);
  Choice choice(level + 1);
  Scored nearest = search.descend(level, *scratch);
  std::vector<Scored> candidates;
  std::vector<uint32_t> near;
  std::vector<float> distance;
  for (size_t l = level + 1; l-- > lowest;) {
    candidates.clear();
    if (l <= top) {
      search.explore(nearest, l, build.ef_construction, *scratch);
      const std::span<const Scored> found = scratch->frontier.nearest();
      nearest = found.front();
      // The dead are waypoints for those who link to them already.
      std::ranges::copy_if(found, std::back_inserter(candidates), [&](const Scored& candidate) {
        return store.is_live(candidate.slot()) || graph.next_twin(candidate.slot()) != kNoSlot;
      });
      if (candidates.empty()) candidates.push_back(nearest);
    }
    if (peers[l].near.ids.rows() > 0) {
      near.clear();
      for (uint32_t peer : peers[l].near.ids.row(peers[l].row_of[index])) {
        if (peer != kNoNeighbor) near.push_back(peers[l].slots[peer]);
      }
      distance.resize(near.size());
      build.rows.distances(query, near, distance.data());
      for (size_t j = 0; j < near.size(); ++j) candidates.emplace_back(distance[j], near[j]);
      std::ranges::sort(candidates);
    }
    choice[l] = diverse(build.rows, candidates, graph.m(), graph.m());
  }
  return choice;
}

void apply_back_links(const HnswBuild& build, std::span<const BackLink> group) {
  const auto [level, to, first] = group.front();
  const std::span<const uint32_t> links = build.graph.links(to, level);
  std::vector<uint32_t> all(links.begin(), links.end());
  for (const BackLink& link : group) {
    if (std::ranges::find(links, link.from) == links.end()) all.push_back(link.from);
  }
  if (all.size() > build.graph.width(level)) {
    all =
        diverse(build.rows, scored(build.rows, to, all), build.graph.width(level), build.graph.m());
  }
  build.graph.set_links(to, level, all);
}

}  // namespace

std::vector<uint32_t> diverse(const RowSet& rows, std::span<const Scored> candidates, size_t width,
                              size_t fill) {
  constexpr size_t kChunk = 4;  // rows that the kernel reads together; the nearest reject most
  QueryBytes buffer;
  std::vector<uint32_t> kept;
  kept.reserve(width);
  for (const Scored& candidate : candidates) {
    if (kept.size() == width) break;
    const std::byte* const query = rows.as_query(candidate.slot(), buffer);
    bool keep = true;
    for (size_t i = 0; keep && i < kept.size(); i += kChunk) {
      float between[kChunk];
      const size_t n = std::min(kChunk, kept.size() - i);
      rows.distances(query, std::span(kept).subspan(i, n), between);
      for (size_t j = 0; j < n; ++j) keep &= candidate.distance() < between[j];
    }
    if (keep) kept.push_back(candidate.slot());
  }
  for (const Scored& candidate : candidates) {
    if (kept.size() >= fill) break;
    if (std::ranges::find(kept, candidate.slot()) == kept.end()) kept.push_back(candidate.slot());
  }
  return kept;
}

std::vector<Scored> scored(const RowSet& rows, uint32_t base, std::span<const uint32_t> slots) {
  QueryBytes buffer;
  std::vector<float> distance(slots.size());
  rows.distances(rows.as_query(base, buffer), slots, distance.data());
  std::vector<Scored> result;
  result.reserve(slots.size());
  for (size_t i = 0; i < slots.size(); ++i) result.emplace_back(distance[i], slots[i]);
  std::ranges::sort(result);
  return result;
}

void link_back(const HnswBuild& build, std::vector<BackLink> back) {
  std::ranges::sort(back);
  std::vector<size_t> groups;  // where the links of the next target begin
  for (size_t i = 0; i < back.size(); ++i) {
    if (i == 0 || back[i].to != back[i - 1].to || back[i].level != back[i - 1].level) {
      groups.push_back(i);
    }
  }
  groups.push_back(back.size());
  parallel_for(0, groups.size() - 1, 16, [&](size_t first, size_t last) {
    for (size_t g = first; g < last; ++g) {
      apply_back_links(build, std::span(back).subspan(groups[g], groups[g + 1] - groups[g]));
    }
  });
}

void link_batch(const HnswBuild& build, const VectorStore& store, std::span<const uint32_t> slots,
                size_t lowest) {
  HnswGraph& graph = build.graph;
  if (slots.empty()) return;
  if (graph.entry() == kNoSlot) {
    graph.set_entry(slots.front());
    slots = slots.subspan(1);
    if (slots.empty()) return;
  }
  size_t top = 0;
  for (uint32_t slot : slots) top = std::max(top, graph.level(slot));
  std::vector<Peers> peers(top + 1);
  for (size_t l = lowest; l <= top; ++l) peers[l] = peers_on(build, store, slots, l);

  std::vector<Choice> choices(slots.size());
  parallel_for(0, slots.size(), kNodeGrain, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      choices[i] = choose_links(build, store, peers, lowest, i, slots[i]);
    }
  });

  std::vector<BackLink> back;
  for (size_t i = 0; i < slots.size(); ++i) {
    for (size_t l = lowest; l < choices[i].size(); ++l) {
      graph.set_links(slots[i], l, choices[i][l]);
      for (uint32_t to : choices[i][l]) back.push_back({static_cast<uint32_t>(l), to, slots[i]});
    }
  }
  link_back(build, std::move(back));
  for (uint32_t slot : slots) {
    if (graph.level(slot) > graph.top()) graph.set_entry(slot);
  }
}

void unlink(const HnswBuild& build, std::span<const uint32_t> dead) {
  HnswGraph& graph = build.graph;
  std::vector<uint8_t> is_dead(graph.n_slots());
  for (uint32_t slot : dead) is_dead[slot] = 1;
  struct Row {
    uint32_t slot, level;
    std::vector<uint32_t> links;
  };
  constexpr size_t kGrain = 1024;
  std::vector<std::vector<Row>> rows((graph.n_slots() + kGrain - 1) / kGrain);
  parallel_for(0, graph.n_slots(), kGrain, [&](size_t first, size_t last) {
    const ScratchPool::Lease scratch = build.scratch.borrow();
    for (size_t i = first; i < last; ++i) {
      const auto slot = static_cast<uint32_t>(i);
      if (!graph.is_node(slot) || is_dead[slot]) continue;
      for (size_t level = 0; level <= graph.level(slot); ++level) {
        const std::span<const uint32_t> links = graph.links(slot, level);
        if (std::ranges::none_of(links, [&](uint32_t to) { return is_dead[to] != 0; })) continue;
        // Walks on through the dead until enough of the living are met.
        scratch->begin_search(graph.capacity(), graph.width(level));
        scratch->visit(slot);
        std::vector<uint32_t> seen, living;
        for (uint32_t to : links) {
          scratch->visit(to);
          seen.push_back(to);
        }
        for (size_t s = 0; s < seen.size() && living.size() < 8 * graph.width(level); ++s) {
          if (!is_dead[seen[s]]) {
            living.push_back(seen[s]);
            continue;
          }
          for (uint32_t to : graph.links(seen[s], level)) {
            if (scratch->visit(to)) seen.push_back(to);
          }
        }
        // As many links as before: rows that shrink each time wear the graph out.
        rows[first / kGrain].push_back(
            {slot, static_cast<uint32_t>(level),
             diverse(build.rows, scored(build.rows, slot, living), graph.width(level),
                     std::max(graph.m(), links.size()))});
      }
    }
  });
  for (const std::vector<Row>& block : rows) {
    for (const Row& row : block) graph.set_links(row.slot, row.level, row.links);
  }
  for (uint32_t slot : dead) graph.free_slot(slot);
}

}  // namespace carya
