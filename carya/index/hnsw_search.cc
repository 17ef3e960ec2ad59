#include "carya/index/hnsw_search.h"

namespace carya {

Scored GraphSearch::descend(size_t level, SearchScratch& scratch) const {
  const uint32_t at = graph_.entry();
  float distance;
  rows_.distances(query_, {&at, 1}, &distance);
  ++scratch.stats.n_distances;
  Scored nearest(distance, at);
  scratch.begin_search(graph_.capacity(), graph_.width(0));
  for (size_t l = graph_.top(); l > level; --l) {
    for (Scored from = nearest;; from = nearest) {
      const size_t n = follow(from.slot(), l, scratch);
      for (size_t i = 0; i < n; ++i) {
        nearest = std::min(nearest, Scored(scratch.distances[i], scratch.slots[i]));
      }
      if (!(nearest < from)) break;
    }
  }
  return nearest;
}

void GraphSearch::explore(Scored from, size_t level, size_t effort, SearchScratch& scratch) const {
  scratch.begin_search(graph_.capacity(), graph_.width(0));
  Frontier& frontier = scratch.frontier;
  frontier.reset(effort);
  scratch.visit(from.slot());
  frontier.push(from.distance(), from.slot());
  for (uint32_t slot; (slot = frontier.follow_next()) != kNoSlot;) {
    // The next node's links come while this one's distances are computed.
    if (const uint32_t next = frontier.peek_next(); next != kNoSlot) graph_.prefetch(next, level);
    const size_t n = follow(slot, level, scratch);
    for (size_t i = 0; i < n; ++i) {
      if (frontier.push(scratch.distances[i], scratch.slots[i])) {
        graph_.prefetch(scratch.slots[i], level);
      }
    }
  }
}

}  // namespace carya
