#include "carya/tree/node_tree.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "carya/core/error.h"

namespace carya {
namespace {

constexpr double kItemsPerLeaf = 40;  // wanted: a page that one reads

// Cuts a part of the hierarchy into children: the part with the highest merge is opened again and
// again, as if a horizontal line sank through it.
class Cutter {
 public:
  Cutter(const Hierarchy& hierarchy, const BrowseOptions& options)
      : hierarchy_(hierarchy),
        min_size_(options.min_cluster_size),
        max_children_(options.max_children) {}

  // Roots of the children, and of the parts too small to be one.
  struct Parts {
    std::vector<uint32_t> children, rest;
  };

  // The cut below `top` with the largest gap between the height of the last merge opened and the
  // next, among those into about `wanted` children; else the one with the most; none if there is no
  // cut into two.
  Parts cut(uint32_t top, double wanted) const {
    const size_t least =
        std::clamp(static_cast<size_t>(wanted / kSpread), size_t{2}, max_children_);
    const size_t most =
        std::clamp(static_cast<size_t>(std::ceil(wanted * kSpread)), least, max_children_);
    std::vector<uint32_t> open, closed, rest;  // open: a heap, the highest first
    double closed_height = 0;                  // the highest of `closed`
    const auto lower = [&](uint32_t a, uint32_t b) {
      return std::pair(height(a), a) < std::pair(height(b), b);
    };
    const auto place = [&](uint32_t part) {
      if (size(part) < min_size_) {
        rest.push_back(part);
      } else if (can_open(part)) {
        open.push_back(part);
        std::ranges::push_heap(open, lower);
      } else {
        closed.push_back(part);
        closed_height = std::max(closed_height, height(part));
      }
    };
    place(top);
    Parts best;
    double best_gap = -1;
    while (!open.empty()) {
      std::ranges::pop_heap(open, lower);
      const uint32_t opened = open.back();
      open.pop_back();
      const auto [left, right] = sides(opened);
      place(left);
      place(right);
      const size_t count = open.size() + closed.size();
      if (count > most) break;
      if (count < 2) continue;
      const double next_height = std::max(closed_height, open.empty() ? 0 : height(open.front()));
      const double gap =
          count < least ? -1 : (height(opened) - next_height) / (height(opened) + 1e-300);
      if (best.children.size() < least || gap > best_gap) {
        best_gap = gap;
        best.children = open;
        best.children.insert(best.children.end(), closed.begin(), closed.end());
        best.rest = rest;
      }
    }
    return best;
  }

  size_t size(uint32_t node) const { return is_item(node) ? 1 : merge(node).size; }
  bool is_item(uint32_t node) const { return node < hierarchy_.n_items(); }
  std::pair<uint32_t, uint32_t> sides(uint32_t node) const {
    return {merge(node).left, merge(node).right};
  }

 private:
  static constexpr double kSpread = 1.6;  // of the number of children around the wanted one
  const Merge& merge(uint32_t node) const {
    return hierarchy_.merges()[node - hierarchy_.n_items()];
  }
  double height(uint32_t node) const { return is_item(node) ? 0 : merge(node).height; }
  bool can_open(uint32_t node) const {
    if (is_item(node)) return false;
    const auto [left, right] = sides(node);
    return size(left) >= min_size_ || size(right) >= min_size_;
  }

  const Hierarchy& hierarchy_;
  size_t min_size_, max_children_;
};

}  // namespace

NodeTree::NodeTree(std::vector<uint32_t> parents, std::vector<uint32_t> node_of_item)
    : parents_(std::move(parents)), node_of_item_(std::move(node_of_item)) {
  const size_t n = parents_.size();
  require(n >= 1 && parents_[0] == kNoNode, "a tree needs a root: node 0, without a parent");
  depths_.resize(n);
  first_child_.assign(n + 1, 0);
  for (size_t i = 1; i < n; ++i) {
    require(parents_[i] < i, "node {} has parent {}: a parent must have a smaller number", i,
            parents_[i]);
    depths_[i] = depths_[parents_[i]] + 1;
    ++first_child_[parents_[i] + 1];
  }
  for (size_t i = 0; i < n; ++i) first_child_[i + 1] += first_child_[i];
  children_.resize(n - 1);
  std::vector<uint32_t> next(first_child_.begin(), first_child_.end() - 1);
  for (uint32_t i = 1; i < n; ++i) children_[next[parents_[i]]++] = i;

  std::vector<uint32_t> own(n, 0), total(n, 0);
  for (uint32_t node : node_of_item_) {
    require(node < n, "an item hangs at node {}, but there are {}", node, n);
    ++own[node];
  }
  total = own;
  for (size_t i = n; i-- > 1;) total[parents_[i]] += total[i];
  first_item_.assign(n, 0);
  own_end_.resize(n);
  last_item_.resize(n);
  std::vector<uint32_t> place(n, 0);  // where the next child of a node begins
  for (size_t i = 0; i < n; ++i) {
    if (i > 0) {
      first_item_[i] = place[parents_[i]];
      place[parents_[i]] += total[i];
    }
    own_end_[i] = place[i] = first_item_[i] + own[i];
    last_item_[i] = first_item_[i] + total[i];
  }
  item_order_.resize(node_of_item_.size());
  std::vector<uint32_t> slot = first_item_;
  for (uint32_t item = 0; item < node_of_item_.size(); ++item) {
    item_order_[slot[node_of_item_[item]]++] = item;
  }
}

std::span<const uint32_t> NodeTree::children(uint32_t node) const noexcept {
  return std::span(children_).subspan(first_child_[node],
                                      first_child_[node + 1] - first_child_[node]);
}
std::span<const uint32_t> NodeTree::items(uint32_t node) const noexcept {
  return std::span(item_order_).subspan(first_item_[node], last_item_[node] - first_item_[node]);
}
std::span<const uint32_t> NodeTree::own_items(uint32_t node) const noexcept {
  return std::span(item_order_).subspan(first_item_[node], own_end_[node] - first_item_[node]);
}

std::vector<uint32_t> NodeTree::path(uint32_t node) const {
  std::vector<uint32_t> nodes;
  for (; node != kNoNode; node = parents_[node]) nodes.push_back(node);
  std::ranges::reverse(nodes);
  return nodes;
}

bool NodeTree::is_below(uint32_t node, uint32_t ancestor) const noexcept {
  while (node != kNoNode && node > ancestor) node = parents_[node];
  return node == ancestor;
}

size_t NodeTree::n_leaves() const noexcept {
  size_t count = 0;
  for (uint32_t i = 0; i < n_nodes(); ++i) count += is_leaf(i);
  return count;
}

size_t NodeTree::max_depth() const noexcept { return *std::ranges::max_element(depths_); }

void BrowseOptions::validate() const {
  require(n_levels <= 100, "n_levels is {}: 1 to 100 levels, or 0 to choose", n_levels);
  require(min_cluster_size >= 1, "min_cluster_size is 0: a node holds at least one item");
  require(max_children >= 2, "max_children is {}: a node is cut into 2 or more", max_children);
}

NodeTree browse_tree(const Hierarchy& hierarchy, const BrowseOptions& options) {
  options.validate();
  const size_t n = hierarchy.n_items();
  const double leaf_size =
      std::max(kItemsPerLeaf, 2.0 * static_cast<double>(options.min_cluster_size));
  const auto leaves_of = [&](size_t size) {
    return std::max(1.0, static_cast<double>(size) / leaf_size);
  };
  size_t n_levels = options.n_levels;
  if (n_levels == 0) n_levels = leaves_of(n) < 400 ? 2 : leaves_of(n) < 8000 ? 3 : 4;
  const Cutter cutter(hierarchy, options);
  // So many children that with as many on each level below the leaves have their size; twice as
  // many at the top, where people begin and a list of 20 reads better than one topic that holds
  // half.
  const auto wanted = [&](size_t size, size_t depth) {
    const double even = std::pow(leaves_of(size), 1.0 / static_cast<double>(n_levels - depth));
    return depth == 0 && n_levels > 1 ? 2 * even : even;
  };

  std::vector<uint32_t> parents = {kNoNode}, node_of_item(n, NodeTree::kRoot);
  const auto root = static_cast<uint32_t>(2 * n - 2);
  std::vector<std::pair<uint32_t, uint32_t>> level = {{0, root}},
                                             next_level;  // (node, hierarchy node)
  std::vector<uint32_t> stack;
  const auto hang = [&](uint32_t part, uint32_t node) {  // all items of a part at a node
    stack.assign(1, part);
    while (!stack.empty()) {
      const uint32_t top = stack.back();
      stack.pop_back();
      if (cutter.is_item(top)) {
        node_of_item[top] = node;
      } else {
        const auto [left, right] = cutter.sides(top);
        stack.push_back(left);
        stack.push_back(right);
      }
    }
  };
  for (size_t depth = 0; !level.empty(); ++depth) {
    next_level.clear();
    for (const auto& [node, part] : level) {
      Cutter::Parts parts;
      if (depth < n_levels && cutter.size(part) >= 2 * options.min_cluster_size) {
        parts = cutter.cut(part, wanted(cutter.size(part), depth));
      }
      if (parts.children.size() < 2) {
        hang(part, node);
        continue;
      }
      std::ranges::sort(parts.children, [&](uint32_t a, uint32_t b) {
        return std::pair(cutter.size(b), a) < std::pair(cutter.size(a), b);
      });
      for (uint32_t child : parts.children) {
        next_level.emplace_back(static_cast<uint32_t>(parents.size()), child);
        parents.push_back(node);
      }
      for (uint32_t rest : parts.rest) hang(rest, node);
    }
    level.swap(next_level);
  }
  return NodeTree(std::move(parents), std::move(node_of_item));
}

}  // namespace carya
