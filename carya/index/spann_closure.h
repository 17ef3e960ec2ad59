#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/progress.h"
#include "carya/index/hnsw.h"
#include "carya/index/spann_heads.h"

namespace carya {

// Which lists a vector lies in besides that of its nearest head.
struct ClosureOptions {
  size_t n_copies = 8;  // lists, at most, 1 .. 64
  // Heads no farther than 1 + reach times the nearest (squared distances), >= 0.
  double reach = 10;
  // Skip a head that is nearer to one chosen already than to the vector (relative neighbourhood):
  // a query that comes from its side would find the other list as well.
  bool skip_related = true;
  void validate() const;  // throws kInvalidArgument
};

// Items by list: those of list c are items[first[c] .. first[c + 1]), nearest to its head first.
struct Lists {
  std::vector<size_t> first;    // [n_lists + 1]
  std::vector<uint32_t> items;  // rows of the vectors
  std::vector<uint32_t> sizes() const;
};

// The lists of all rows (Chen et al. 2021, section 3.2; card 162).  heads [n_lists, dim] as rows
// are, head_index: of these, with their row numbers as ids; squared L2 between them is computed
// exactly, the index only proposes kClosureCandidates.  A list of more than `capacity` loses the
// copies that are farthest from its head, but no vector loses its nearest list.  About 16 n_copies
// bytes a vector.  The same for every number of threads.
Lists closure(const IndexedRows& rows, MatrixView<const float> heads, const Hnsw& head_index,
              size_t capacity, const ClosureOptions& options, Progress* progress = nullptr);
constexpr size_t kClosureCandidates = 64;

}  // namespace carya
