#include <algorithm>

#include "carya/index/hnsw_build.h"

namespace carya {
namespace {

constexpr size_t kMaxRounds = 4;  // a link that gives way may have been another's only one
constexpr size_t kEffort = 64;    // nodes nearby that may take the lost one in

// Adds what can be reached from `from` on level 0.
void reach(const HnswGraph& graph, uint32_t from, std::vector<uint8_t>& reached) {
  std::vector<uint32_t> open = {from};
  reached[from] = 1;
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    for (uint32_t to : graph.links(at, 0)) {
      if (reached[to]) continue;
      reached[to] = 1;
      open.push_back(to);
    }
  }
}

// Makes `host` link to `lost`, in place of its farthest link that is not the last to its node.
bool take_in(HnswGraph& graph, uint32_t host, uint32_t lost, std::vector<uint32_t>& n_in) {
  const std::span<const uint32_t> links = graph.links(host, 0);
  std::vector<uint32_t> changed(links.begin(), links.end());
  if (changed.size() < graph.width(0)) {
    changed.push_back(lost);
  } else {
    const auto spare =
        std::find_if(changed.rbegin(), changed.rend(), [&](uint32_t to) { return n_in[to] > 1; });
    if (spare == changed.rend()) return false;
    --n_in[*spare];
    *spare = lost;
  }
  ++n_in[lost];
  graph.set_links(host, 0, changed);
  return true;
}

}  // namespace

std::vector<uint32_t> breadth_first(const HnswGraph& graph) {
  std::vector<uint32_t> order;
  if (graph.entry() == kNoSlot) return order;
  std::vector<uint8_t> seen(graph.n_slots());
  order.push_back(graph.entry());
  seen[graph.entry()] = 1;
  for (size_t i = 0; i < order.size(); ++i) {
    for (uint32_t to : graph.links(order[i], 0)) {
      if (seen[to]) continue;
      seen[to] = 1;
      order.push_back(to);
    }
  }
  return order;
}

size_t connect(const HnswBuild& build) {
  HnswGraph& graph = build.graph;
  size_t n_lost = 0;
  for (size_t round = 0; round < kMaxRounds && graph.entry() != kNoSlot; ++round) {
    std::vector<uint8_t> reached(graph.n_slots());
    reach(graph, graph.entry(), reached);
    std::vector<uint32_t> lost, n_in(graph.n_slots());
    for (uint32_t slot = 0; slot < graph.n_slots(); ++slot) {
      if (!graph.is_node(slot)) continue;
      if (!reached[slot]) lost.push_back(slot);
      for (uint32_t to : graph.links(slot, 0)) ++n_in[to];
    }
    if (lost.empty()) break;
    if (round == 0) n_lost = lost.size();
    const ScratchPool::Lease scratch = build.scratch.borrow();
    for (uint32_t slot : lost) {
      if (reached[slot]) continue;  // behind one that has been taken in
      const GraphSearch search(graph, build.rows, build.rows.as_query(slot, scratch->row));
      search.explore(search.descend(0, *scratch), 0, kEffort, *scratch);
      for (const Scored& host : scratch->frontier.nearest()) {
        if (!reached[host.slot()] || !take_in(graph, host.slot(), slot, n_in)) continue;
        reach(graph, slot, reached);
        break;
      }
    }
  }
  return n_lost;
}

}  // namespace carya
