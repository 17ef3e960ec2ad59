#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/metric.h"

namespace carya {

// Rows of a matrix as an index keeps them: of length 1 for cosine.  The matrix may be a mapped file
// larger than memory, so rows are gathered for each use.
struct IndexedRows {
  MatrixView<const float> vectors;
  Metric metric = Metric::kSquaredL2;
  size_t size() const noexcept { return vectors.rows(); }
  size_t dim() const noexcept { return vectors.cols(); }
  Matrix<float> gather(std::span<const uint32_t> items) const;
};

struct HeadOptions {
  size_t n_heads = 1;      // 1 .. the number of rows
  size_t branch = 32;      // clusters that a cluster is split into, >= 2
  size_t n_sample = 1024;  // items of a cluster that the split is learnt from, >= branch
  uint64_t seed = 0;
};

// The heads of SPANN: items, each the nearest to the middle of one of n_heads clusters of like size
// (fewer where items are equal), those of near clusters near each other (Chen et al. 2021; card
// 162). Hierarchical: a cluster is split by balanced k-means, and its number of heads is shared out
// among the parts by their sizes, so that the number is met exactly where the paper bisects
// thresholds.  How much balance evens the sizes best is tried on a sample of all items.
// O(n branch dim log(n) / log(branch)) time; 8 bytes an item.  The same for every number of
// threads.
std::vector<uint32_t> balanced_heads(const IndexedRows& rows, const HeadOptions& options,
                                     Progress* progress = nullptr);

// Standard deviation of sizes over their mean; 0 of none.
double size_deviation(std::span<const uint32_t> sizes);

}  // namespace carya
