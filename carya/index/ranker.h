#pragma once

#include <span>
#include <vector>

#include "carya/index/index.h"
#include "carya/index/vector_store.h"

namespace carya {

// The distances that answers are ranked by, for one query: of the exact vectors, of those that the
// caller of the search has, or else of the codes.  In kernel order: squared L2 or minus the
// product; VectorStore::shown() makes them the metric's.
class Ranker {
 public:
  // query: as store.prepared() gives it.  exact: SearchOptions::exact.  Both must outlive this.
  Ranker(const VectorStore& store, std::span<const float> query, MatrixView<const float> exact);
  // Whether what a graph walked on is ranked as it stands.
  bool is_walked() const noexcept { return is_walked_; }
  void distances(std::span<const uint32_t> slots, std::span<float> out) const;

 private:
  const VectorStore& store_;
  std::span<const float> floats_;
  MatrixView<const float> exact_;
  bool is_external_, is_walked_;
  RowSet rows_;
  Rows::Query query_;
};

}  // namespace carya
