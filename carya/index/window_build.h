#pragma once

#include "carya/index/window.h"

namespace carya {

// The vectors of a store of f32, as they are kept: [n_slots, dim].
MatrixView<const float> vectors_of(const VectorStore& store);

// Makes the indexes of all nodes.  store: rows in the order of labels.  O(n log n) insertions, on
// all threads; the same for every number of threads.
void build_nodes(std::span<WindowNode> nodes, const VectorStore& store,
                 const WindowOptions& options, Progress* progress);

}  // namespace carya
