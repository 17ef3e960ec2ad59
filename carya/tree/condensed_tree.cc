#include "carya/tree/condensed_tree.h"

#include <algorithm>
#include <limits>

#include "carya/core/error.h"

namespace carya {
namespace {

// Infinite for coinciding items only, which all merge at once: so no cluster is born at infinity.
double lambda_at(double height) {
  using Limits = std::numeric_limits<double>;
  return height > 0 ? std::min(1 / height, Limits::max()) : Limits::infinity();
}

class Condenser {
 public:
  Condenser(const Hierarchy& hierarchy, size_t min_cluster_size)
      : merges_(hierarchy.merges()),
        n_(hierarchy.n_items()),
        min_cluster_size_(min_cluster_size),
        smallest_(2 * n_ - 1) {
    for (size_t node = 0; node < smallest_.size(); ++node) {
      smallest_[node] = node < n_ ? static_cast<uint32_t>(node)
                                  : std::min(smallest_[merges_[node - n_].left],
                                             smallest_[merges_[node - n_].right]);
    }
  }

  CondensedTree run() {
    tree_.item_cluster.assign(n_, 0);
    tree_.item_lambda.assign(n_, 0);
    add_cluster(CondensedTree::kNoCluster, static_cast<uint32_t>(2 * n_ - 2), 0);
    for (size_t cluster = 0; cluster < tree_.clusters.size(); ++cluster) {  // grows meanwhile
      follow(static_cast<uint32_t>(cluster));
    }
    return std::move(tree_);
  }

 private:
  uint32_t size(uint32_t node) const { return node < n_ ? 1 : merges_[node - n_].size; }

  void add_cluster(uint32_t parent, uint32_t node, double lambda_birth) {
    tree_.clusters.push_back({parent, size(node), lambda_birth, lambda_birth, 0});
    top_.push_back(node);
  }

  // The cluster from its birth to its death.
  void follow(uint32_t cluster) {
    const double birth = tree_.clusters[cluster].lambda_birth;
    double stability = 0, death = birth;
    uint32_t node = top_[cluster];
    while (node >= n_) {
      const double height = merges_[node - n_].height;
      const double lambda = lambda_at(height);
      death = lambda;
      split(node, height);
      const auto n_large = std::ranges::count_if(
          parts_, [&](uint32_t part) { return size(part) >= min_cluster_size_; });
      uint32_t next = 0;
      for (const uint32_t part : parts_) {
        const bool is_large = size(part) >= min_cluster_size_;
        if (is_large && n_large == 1) {
          next = part;
          continue;
        }
        stability += (lambda - birth) * size(part);
        if (is_large) {
          add_cluster(cluster, part, lambda);
        } else {
          fall_out(part, cluster, lambda);
        }
      }
      node = next;  // an item, and the end, unless one part goes on: it has 2 items or more
    }
    tree_.clusters[cluster].lambda_death = death;
    tree_.clusters[cluster].stability = stability;
  }

  // parts_: the nodes below `node` that its merges at `height` join, by their smallest item.
  void split(uint32_t node, double height) {
    parts_.clear();
    stack_ = {node};
    while (!stack_.empty()) {
      const uint32_t top = stack_.back();
      stack_.pop_back();
      if (top >= n_ && merges_[top - n_].height == height) {
        stack_.push_back(merges_[top - n_].left);
        stack_.push_back(merges_[top - n_].right);
      } else {
        parts_.push_back(top);
      }
    }
    std::ranges::sort(parts_, {}, [&](uint32_t part) { return smallest_[part]; });
  }

  void fall_out(uint32_t node, uint32_t cluster, double lambda) {
    stack_ = {node};
    while (!stack_.empty()) {
      const uint32_t top = stack_.back();
      stack_.pop_back();
      if (top >= n_) {
        stack_.push_back(merges_[top - n_].left);
        stack_.push_back(merges_[top - n_].right);
      } else {
        tree_.item_cluster[top] = cluster;
        tree_.item_lambda[top] = lambda;
      }
    }
  }

  std::span<const Merge> merges_;
  size_t n_, min_cluster_size_;
  std::vector<uint32_t> smallest_;  // item of each node
  std::vector<uint32_t> top_;       // node where each cluster is born
  std::vector<uint32_t> parts_, stack_;
  CondensedTree tree_;
};

}  // namespace

std::vector<std::vector<uint32_t>> CondensedTree::children() const {
  std::vector<std::vector<uint32_t>> children(clusters.size());
  for (uint32_t cluster = 1; cluster < clusters.size(); ++cluster) {
    children[clusters[cluster].parent].push_back(cluster);
  }
  return children;
}

CondensedTree condense(const Hierarchy& hierarchy, size_t min_cluster_size) {
  require(min_cluster_size >= 2, "min_cluster_size is {}: a cluster has at least 2 items",
          min_cluster_size);
  return Condenser(hierarchy, min_cluster_size).run();
}

}  // namespace carya
