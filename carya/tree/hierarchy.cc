#include "carya/tree/hierarchy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "carya/core/error.h"
#include "carya/tree/union_find.h"

namespace carya {

Hierarchy::Hierarchy(size_t n_items, std::vector<Merge> merges) : merges_(std::move(merges)) {
  require(n_items >= 1, "a hierarchy has at least one item");
  require(n_items <= (size_t{1} << 31), "{} items: a hierarchy numbers its nodes in 32 bits",
          n_items);
  require(merges_.size() + 1 == n_items, "{} merges cannot join {} items: {} are needed",
          merges_.size(), n_items, n_items - 1);
  std::vector<bool> is_merged(2 * n_items - 1, false);
  for (size_t i = 0; i < merges_.size(); ++i) {
    const Merge& m = merges_[i];
    require(m.left < m.right && m.right < n_items + i,
            "merge {} joins nodes {} and {}: expected left < right < {}", i, m.left, m.right,
            n_items + i);
    require(!is_merged[m.left] && !is_merged[m.right], "merge {}: node {} is merged twice", i,
            is_merged[m.left] ? m.left : m.right);
    is_merged[m.left] = is_merged[m.right] = true;
    const auto size = [&](uint32_t node) {
      return node < n_items ? 1 : merges_[node - n_items].size;
    };
    require(m.size == size(m.left) + size(m.right), "merge {} has size {}, but its parts {} and {}",
            i, m.size, size(m.left), size(m.right));
    require(i == 0 ? !std::isnan(m.height) : m.height >= merges_[i - 1].height,
            "merge {} has height {} after {}: heights may not descend", i, m.height,
            i == 0 ? 0.0 : merges_[i - 1].height);
  }
}

std::vector<int32_t> Hierarchy::labels_after(size_t n_merges) const {
  const size_t n = n_items();
  std::vector<uint32_t> top(n + n_merges);  // the topmost node above each node, itself at first
  for (size_t node = top.size(); node-- > 0;) {
    if (top[node] == 0) top[node] = static_cast<uint32_t>(node);  // node 0 gets 0 either way
    if (node < n) continue;
    top[merges_[node - n].left] = top[merges_[node - n].right] = top[node];
  }
  std::vector<int32_t> number(top.size(), -1), labels(n);
  int32_t next = 0;
  for (size_t i = 0; i < n; ++i) {
    int32_t& label = number[top[i]];
    if (label < 0) label = next++;
    labels[i] = label;
  }
  return labels;
}

std::vector<int32_t> Hierarchy::cut_into(size_t n_clusters) const {
  require(n_clusters >= 1 && n_clusters <= n_items(), "n_clusters is {}, but must be in 1 .. {}",
          n_clusters, n_items());
  return labels_after(n_items() - n_clusters);
}

std::vector<int32_t> Hierarchy::cut_at(double height) const {
  const auto above = std::ranges::upper_bound(merges_, height, {}, &Merge::height);
  return labels_after(static_cast<size_t>(above - merges_.begin()));
}

std::vector<uint32_t> Hierarchy::leaf_order() const {
  const size_t n = n_items();
  std::vector<uint32_t> order, stack = {static_cast<uint32_t>(2 * n - 2)};
  order.reserve(n);
  while (!stack.empty()) {
    const uint32_t node = stack.back();
    stack.pop_back();
    if (node < n) {
      order.push_back(node);
      continue;
    }
    stack.push_back(merges_[node - n].right);
    stack.push_back(merges_[node - n].left);
  }
  return order;
}

std::vector<uint32_t> Hierarchy::parents() const {
  std::vector<uint32_t> parents(2 * n_items() - 1, 0xffffffffu);
  for (size_t i = 0; i < merges_.size(); ++i) {
    parents[merges_[i].left] = parents[merges_[i].right] = static_cast<uint32_t>(n_items() + i);
  }
  return parents;
}

Hierarchy single_linkage_of_edges(size_t n_items, std::span<const Edge> edges) {
  require(n_items >= 1, "a hierarchy has at least one item");
  std::vector<Edge> sorted(edges.begin(), edges.end());
  for (Edge& edge : sorted) {
    if (edge.b < edge.a) std::swap(edge.a, edge.b);
    require(edge.b < n_items && !std::isnan(edge.weight),
            "edge {}-{} of weight {}: items are 0 .. {}, and a weight is a number", edge.a, edge.b,
            edge.weight, n_items - 1);
  }
  std::ranges::sort(sorted, {}, [](const Edge& e) { return std::tuple(e.weight, e.a, e.b); });

  UnionFind sets(n_items);
  std::vector<uint32_t> node_of(n_items);  // of a set's root
  std::iota(node_of.begin(), node_of.end(), 0u);
  std::vector<Merge> merges;
  merges.reserve(n_items - 1);
  const auto merge = [&](uint32_t a, uint32_t b, double height) {
    const uint32_t left = node_of[sets.find(a)], right = node_of[sets.find(b)];
    if (!sets.unite(a, b)) return;
    node_of[sets.find(a)] = static_cast<uint32_t>(n_items + merges.size());
    merges.push_back({std::min(left, right), std::max(left, right), sets.set_size(a), height});
  };
  for (const Edge& edge : sorted) merge(edge.a, edge.b, edge.weight);
  for (uint32_t item = 1; merges.size() + 1 < n_items; ++item) {
    merge(0, item, std::numeric_limits<double>::infinity());
  }
  return {n_items, std::move(merges)};
}

}  // namespace carya
