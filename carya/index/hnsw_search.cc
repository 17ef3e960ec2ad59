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

// Three steps at once, so that none waits for memory: the links of the next node come, the vectors
// that the links of this one lead to come, and those of the one before are compared.  A node is
// thus chosen two hops before the paper would: some more vectors are read, in less time.
void GraphSearch::explore(Scored from, size_t level, size_t effort, SearchScratch& scratch) const {
  scratch.begin_search(graph_.capacity(), graph_.width(0));
  Frontier& frontier = scratch.frontier;
  frontier.reset(effort);
  scratch.visit(from.slot());
  frontier.push(from.distance(), from.slot());
  uint32_t next = frontier.follow_next();
  size_t n_compared = 0;
  while (next != kNoSlot || n_compared > 0) {
    const size_t n_coming = next == kNoSlot ? 0 : new_links(next, level, scratch, scratch.coming);
    next = frontier.follow_next();
    if (next != kNoSlot) graph_.prefetch(next, level);
    compare(n_compared, scratch);
    for (size_t i = 0; i < n_compared; ++i) {
      if (frontier.push(scratch.distances[i], scratch.slots[i])) {
        graph_.prefetch(scratch.slots[i], level);
      }
    }
    if (next == kNoSlot) next = frontier.follow_next();
    scratch.slots.swap(scratch.coming);
    n_compared = n_coming;
  }
}

}  // namespace carya
