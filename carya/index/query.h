#pragma once

#include <span>
#include <vector>

#include "carya/index/index.h"

namespace carya {

class WindowIndex;
struct LabelWindow;

// Questions to any index that are made of searches.

// [queries.rows()]: what search() answers to each row, on all threads.  Throws as search() does.
std::vector<std::vector<Hit>> search_batch(const Index& index, MatrixView<const float> queries,
                                           const SearchOptions& options = {});

// The same within a window of labels.
std::vector<std::vector<Hit>> search_batch(const WindowIndex& index,
                                           MatrixView<const float> queries,
                                           const LabelWindow& window,
                                           const SearchOptions& options = {});

// All items no farther than `radius` (in the metric's unit), nearest first, as far as searches find
// them: all where the index is exact.  It asks for ever more neighbours, options.k at first, until
// one is farther.  options.effort: as a multiple of what is asked for, effort / k.
std::vector<Hit> search_range(const Index& index, std::span<const float> query, float radius,
                              const SearchOptions& options = {});
// The same for each row, on all threads.
std::vector<std::vector<Hit>> search_range_batch(const Index& index,
                                                 MatrixView<const float> queries, float radius,
                                                 const SearchOptions& options = {});

}  // namespace carya
