#pragma once

#include <span>
#include <vector>

#include "carya/index/hnsw_search.h"

namespace carya {

struct HnswBuild {
  HnswGraph& graph;
  const VectorStore& store;
  size_t ef_construction;
  ScratchPool& scratch;
};

// Links new nodes, whose vectors and levels are set, into the graph.  The same for every number of
// threads.  Best when they are at most some per cent of the nodes that are there.
void link_batch(const HnswBuild& build, std::span<const uint32_t> slots);

// The paper's heuristic: of candidates by rising distance keeps those that are nearer to the base
// than to every one kept before, at most `width`.
std::vector<uint32_t> diverse(const VectorStore& store, std::span<const Scored> candidates,
                              size_t width);

// Takes dead nodes out: who linked to one now chooses among the rest and what the dead linked to.
// Frees them; the entry must be live.
void unlink(const HnswBuild& build, std::span<const uint32_t> dead);

// Gives every node that cannot be reached from the entry on level 0 a link from a node nearby, and
// tells how many there were: when lists are full, the heuristic drops the last link to some.
// O(links).
size_t connect(const HnswBuild& build);

}  // namespace carya
