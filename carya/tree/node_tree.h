#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/tree/hierarchy.h"

namespace carya {

constexpr uint32_t kNoNode = 0xffffffffu;

// A rooted tree of nodes with any number of children, and items that hang under nodes: what people
// browse.  Node 0 is the root; a parent has a smaller number than its children.  Immutable, so many
// threads may read it.
//
//   NodeTree tree(parents, node_of_item);
//   for (uint32_t child : tree.children(NodeTree::kRoot)) show(tree.items(child));
class NodeTree {
 public:
  static constexpr uint32_t kRoot = 0;

  // parents [n_nodes >= 1]: parents[0] = kNoNode, else parents[i] < i.  node_of_item [n_items]: the
  // deepest node of each item.  Throws kInvalidArgument if they are no such tree.  O(nodes +
  // items).
  NodeTree(std::vector<uint32_t> parents, std::vector<uint32_t> node_of_item);

  size_t n_nodes() const noexcept { return parents_.size(); }
  size_t n_items() const noexcept { return node_of_item_.size(); }
  uint32_t parent(uint32_t node) const noexcept { return parents_[node]; }  // kNoNode for the root
  std::span<const uint32_t> children(uint32_t node) const noexcept;         // rising
  bool is_leaf(uint32_t node) const noexcept { return children(node).empty(); }
  uint32_t depth(uint32_t node) const noexcept { return depths_[node]; }  // 0 for the root
  uint32_t node_of(uint32_t item) const noexcept { return node_of_item_[item]; }
  // All items at or below a node; contiguous in item_order().
  std::span<const uint32_t> items(uint32_t node) const noexcept;
  size_t size(uint32_t node) const noexcept { return items(node).size(); }
  // The items that hang at the node itself, not at one below it.
  std::span<const uint32_t> own_items(uint32_t node) const noexcept;
  std::vector<uint32_t> path(uint32_t node) const;  // from the root to the node, both included
  bool is_below(uint32_t node, uint32_t ancestor) const noexcept;  // or the same
  size_t n_leaves() const noexcept;
  size_t max_depth() const noexcept;

  std::span<const uint32_t> parents() const noexcept { return parents_; }
  std::span<const uint32_t> nodes_of_items() const noexcept { return node_of_item_; }
  std::span<const uint32_t> item_order() const noexcept { return item_order_; }

 private:
  std::vector<uint32_t> parents_, node_of_item_, depths_;
  std::vector<uint32_t> first_child_, children_;            // CSR
  std::vector<uint32_t> item_order_;                        // own items first, then the children's
  std::vector<uint32_t> first_item_, own_end_, last_item_;  // of each node in item_order_
};

struct BrowseOptions {
  size_t n_levels = 0;           // below the root; 0: 2 to 4, so that leaves have about 40 items
  size_t min_cluster_size = 10;  // smaller parts do not become nodes
  size_t max_children = 30;      // >= 2
  void validate() const;
};

// A readable tree of few levels from all merges.  Each node is cut, within its part of the
// hierarchy, at the largest gap between merge heights near the wanted number of children; a part
// smaller than min_cluster_size stays with its parent as own items.  Children are ordered by size.
// O(n log n).
NodeTree browse_tree(const Hierarchy& hierarchy, const BrowseOptions& options = {});

}  // namespace carya
