#include "carya/metrics/dendrogram_purity.h"

#include <map>
#include <unordered_map>
#include <vector>

#include "carya/core/error.h"

namespace carya {
namespace {

// Nodes so that children come before their parent.
std::vector<uint32_t> bottom_up(std::span<const uint32_t> parents, size_t n_items) {
  std::vector<uint32_t> open_children(parents.size(), 0);
  size_t n_roots = 0;
  for (size_t node = 0; node < parents.size(); ++node) {
    const uint32_t parent = parents[node];
    if (parent == kNoParent) {
      ++n_roots;
      continue;
    }
    require(parent < parents.size() && (parent >= n_items || parents.size() == n_items),
            "node {} has parent {}: parents are inner nodes, {} .. {}", node, parent, n_items,
            parents.size() - 1);
    ++open_children[parent];
  }
  require(n_roots == 1, "{} nodes have no parent: a tree has one root", n_roots);
  std::vector<uint32_t> order;
  order.reserve(parents.size());
  for (size_t node = 0; node < parents.size(); ++node) {
    if (open_children[node] == 0) order.push_back(static_cast<uint32_t>(node));
  }
  for (size_t i = 0; i < order.size(); ++i) {
    const uint32_t parent = parents[order[i]];
    if (parent != kNoParent && --open_children[parent] == 0) order.push_back(parent);
  }
  require(order.size() == parents.size(), "the parents have a cycle");
  return order;
}

struct ClassCounts {
  size_t size = 0;  // items, of all classes
  std::unordered_map<int32_t, size_t> of_class;
};

}  // namespace

double dendrogram_purity(std::span<const uint32_t> parents, std::span<const int32_t> classes) {
  const size_t n = classes.size();
  require(parents.size() >= n, "{} nodes cannot hold {} items", parents.size(), n);
  if (n == 0) return 1;
  const std::vector<uint32_t> order = bottom_up(parents, n);

  std::vector<std::vector<uint32_t>> children(parents.size());
  for (size_t node = 0; node < parents.size(); ++node) {
    if (parents[node] != kNoParent) children[parents[node]].push_back(static_cast<uint32_t>(node));
  }
  std::vector<ClassCounts> counts(parents.size());
  double sum = 0, n_pairs = 0;
  std::map<int32_t, double> meeting;  // pairs of a class whose lowest common ancestor is this node
  for (const uint32_t node : order) {
    if (node < n) {
      counts[node].size = 1;
      counts[node].of_class.emplace(classes[node], 1);
      continue;
    }
    ClassCounts merged;
    meeting.clear();
    for (const uint32_t child : children[node]) {
      ClassCounts part = std::move(counts[child]);
      if (part.of_class.size() > merged.of_class.size()) std::swap(part, merged);
      merged.size += part.size;
      for (const auto& [label, count] : part.of_class) {
        size_t& known = merged.of_class[label];
        if (known > 0) meeting[label] += static_cast<double>(known) * static_cast<double>(count);
        known += count;
      }
    }
    for (const auto& [label, pairs] : meeting) {
      n_pairs += pairs;
      sum += pairs * static_cast<double>(merged.of_class[label]) / static_cast<double>(merged.size);
    }
    counts[node] = std::move(merged);
  }
  return n_pairs == 0 ? 1 : sum / n_pairs;
}

}  // namespace carya
