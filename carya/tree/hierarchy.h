#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace carya {

// A binary merge: nodes `left` and `right` become one at `height`.
struct Merge {
  uint32_t left, right;  // left < right
  uint32_t size;         // items below
  double height;
};

// Binary merges over n items, lowest first: the result of every builder, the input of every cut.
// Nodes 0 .. n-1 are the items, node n+i is merge i, 2n-2 the root (scipy's linkage matrix).
// Immutable, so many threads may read it.
class Hierarchy {
 public:
  // n_items >= 1, n_items - 1 merges.  Throws kInvalidArgument if a node is merged twice, is used
  // before it exists, or a height descends.
  Hierarchy(size_t n_items, std::vector<Merge> merges);
  size_t n_items() const noexcept { return merges_.size() + 1; }
  std::span<const Merge> merges() const noexcept { return merges_; }
  // Labels [n_items] in 0 .. n_clusters-1, numbered by their first item.  O(n) time.  Throws
  // kInvalidArgument if n_clusters is 0 or more than the items.
  std::vector<int32_t> cut_into(size_t n_clusters) const;

 private:
  std::vector<Merge> merges_;
};

}  // namespace carya
