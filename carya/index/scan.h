#pragma once

#include <span>
#include <vector>

#include "carya/index/index.h"
#include "carya/index/vector_store.h"

namespace carya {

// Search over all live slots, exact if the vectors are (see Ranker): `query` as prepared()
// gives it.  What FlatIndex does, and a graph for filters that leave few items.
std::vector<Hit> scan(const VectorStore& store, std::span<const float> query,
                      const SearchOptions& options);
// Over the live slots first .. last - 1 only.
std::vector<Hit> scan(const VectorStore& store, std::span<const float> query,
                      const SearchOptions& options, size_t first_slot, size_t last_slot);

}  // namespace carya
