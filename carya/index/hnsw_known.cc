#include <algorithm>

#include "carya/core/parallel.h"
#include "carya/index/hnsw_build.h"

namespace carya {
namespace {

// Nodes of level 1 that a node of level 0 may link to: ways out of its neighbourhood, in place of
// the long links that insertion leaves behind.  More find nothing better: 64 as good as 8.
constexpr size_t kWaysOut = 8;

}  // namespace

void link_known(const HnswBuild& build, std::span<const uint32_t> slots,
                std::span<const std::vector<uint32_t>> near) {
  HnswGraph& graph = build.graph;
  std::vector<std::vector<uint32_t>> links(slots.size());
  parallel_for(0, slots.size(), 64, [&](size_t first, size_t last) {
    const ScratchPool::Lease scratch = build.scratch.borrow();
    std::vector<Scored> candidates;
    for (size_t i = first; i < last; ++i) {
      candidates = scored(build.rows, slots[i], near[i]);
      if (graph.top() > 0) {
        const GraphSearch search(graph, build.rows, build.rows.as_query(slots[i], scratch->row));
        search.explore(search.descend(1, *scratch), 1, kWaysOut, *scratch);
        for (const Scored& way : scratch->frontier.nearest()) {
          const bool is_known = std::ranges::find(near[i], way.slot()) != near[i].end();
          if (way.slot() == slots[i] || is_known) continue;
          candidates.emplace_back(way.distance(), way.slot());
        }
      }
      std::ranges::sort(candidates);
      links[i] = diverse(build.rows, candidates, graph.m(), graph.m());
    }
  });
  std::vector<BackLink> back;
  for (size_t i = 0; i < slots.size(); ++i) {
    graph.set_links(slots[i], 0, links[i]);
    for (uint32_t to : links[i]) back.push_back({0, to, slots[i]});
  }
  link_back(build, std::move(back));
}

}  // namespace carya
