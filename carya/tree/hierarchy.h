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
  bool operator==(const Merge&) const = default;
};

// An edge between items a and b; its weight is a distance, small = near.
struct Edge {
  uint32_t a, b;
  double weight;
  bool operator==(const Edge&) const = default;
};

// Binary merges over n items, lowest first: the result of every builder, the input of every cut.
// Nodes 0 .. n-1 are the items, node n+i is merge i, 2n-2 the root (scipy's linkage matrix).
// Immutable, so many threads may read it.
//
//   Hierarchy tree = agglomerate(points, {.linkage = LinkageKind::kWard});
//   std::vector<int32_t> labels = tree.cut_into(10);
class Hierarchy {
 public:
  // n_items >= 1, n_items - 1 merges.  Throws kInvalidArgument if a node is merged twice, is used
  // before it exists, a size is not the sum of its parts, or a height descends or is NaN.
  Hierarchy(size_t n_items, std::vector<Merge> merges);
  size_t n_items() const noexcept { return merges_.size() + 1; }
  std::span<const Merge> merges() const noexcept { return merges_; }
  // Labels [n_items] in 0 .. n_clusters-1, numbered by their first item.  O(n) time.  Throws
  // kInvalidArgument if n_clusters is 0 or more than the items.
  std::vector<int32_t> cut_into(size_t n_clusters) const;
  // The clusters that merges up to `height`, itself included, make; numbered as by cut_into.
  std::vector<int32_t> cut_at(double height) const;
  // The items from left to right so that every node's are neighbours.  O(n).
  std::vector<uint32_t> leaf_order() const;
  // The parent of each of the 2n-1 nodes; the root's is 0xffffffff.  For dendrogram_purity.
  std::vector<uint32_t> parents() const;

 private:
  std::vector<int32_t> labels_after(size_t n_merges) const;
  std::vector<Merge> merges_;
};

// Single linkage from the edges of a minimum spanning forest: Kruskal's order (by weight, then by
// ids).  Parts that no edge joins merge at an infinite height, those with the smaller first items
// first.  edges: any edges over n_items >= 1 items, so the whole weighted graph may be given; one
// that closes a cycle changes nothing.  O(m log m).  Throws kInvalidArgument if an id is too large
// or a weight NaN.
Hierarchy single_linkage_of_edges(size_t n_items, std::span<const Edge> edges);

}  // namespace carya
