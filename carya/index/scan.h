#pragma once

#include <span>
#include <vector>

#include "carya/index/index.h"
#include "carya/index/vector_store.h"

namespace carya {

// Exact search over all live slots, in the store's own order of numbers: `query` as prepared()
// gives it.  What FlatIndex does, and a graph for filters that leave few items.
std::vector<Hit> scan(const VectorStore& store, std::span<const float> query,
                      const SearchOptions& options);

}  // namespace carya
