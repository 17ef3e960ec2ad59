#include "carya/tree/ward_of_many.h"

#include <algorithm>
#include <numeric>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/tree/agglomerative.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr size_t kIterations = 20;  // of k-means: Ward mends what is left

// Merges in the order of their making: node i < n is item i, n + i is merge i.
class Merger {
 public:
  Merger(MatrixView<const float> points, const WardOfManyOptions& options, Progress* progress)
      : points_(points), options_(options), progress_(progress) {}

  Hierarchy run() {
    begin_stage(progress_, "merging", points_.rows(), "items");
    merge_items(all_items());
    return ordered();
  }

  Hierarchy run(std::span<const int32_t> labels, size_t n_groups) {
    begin_stage(progress_, "merging", points_.rows(), "items");
    merge_groups(all_items(), labels, n_groups);
    return ordered();
  }

 private:
  std::vector<uint32_t> all_items() const {
    std::vector<uint32_t> all(points_.rows());
    std::iota(all.begin(), all.end(), 0u);
    return all;
  }

  // The node that holds all items when they are merged.
  uint32_t merge_items(std::span<const uint32_t> items) {
    const size_t n = items.size();
    const Matrix<float> own = gather_rows(points_, items);
    if (n <= options_.max_dense) {
      advance(progress_, n);
      return append(agglomerate(own), items);
    }
    const size_t n_micro = std::clamp(n / options_.micro_size, size_t{2}, options_.max_dense);
    const KMeansResult micro =
        kmeans(own, {.n_clusters = n_micro, .n_iterations = kIterations, .seed = options_.seed});
    return merge_groups(items, micro.labels, n_micro);
  }

  uint32_t merge_groups(std::span<const uint32_t> items, std::span<const int32_t> labels,
                        size_t n_groups) {
    const LabelGroups groups = group_by_label(labels, n_groups);
    const size_t dim = points_.cols();
    std::vector<uint32_t> nodes;
    std::vector<double> weights;
    std::vector<float> means;
    for (size_t g = 0; g < n_groups; ++g) {
      std::vector<uint32_t> part;
      std::vector<double> sum(dim, 0.0);
      for (size_t i = groups.first[g]; i < groups.first[g + 1]; ++i) {
        part.push_back(items[groups.item_of[i]]);
        for (size_t j = 0; j < dim; ++j) sum[j] += points_(part.back(), j);
      }
      if (part.empty()) continue;
      weights.push_back(static_cast<double>(part.size()));
      for (double x : sum) means.push_back(static_cast<float>(x / weights.back()));
      // What k-means cannot part is all alike.
      nodes.push_back(part.size() == items.size() && part.size() > options_.max_dense
                          ? merge_equals(part)
                          : merge_items(part));
    }
    return append(agglomerate({means.data(), nodes.size(), dim}, {.weights = weights}), nodes);
  }

  // Items that k-means cannot part are all alike.
  uint32_t merge_equals(std::span<const uint32_t> items) {
    uint32_t node = items[0];
    for (size_t i = 1; i < items.size(); ++i) node = add(node, items[i], 0);
    advance(progress_, items.size());
    return node;
  }

  // The merges of a small hierarchy, whose leaves stand for `nodes`.
  uint32_t append(const Hierarchy& small, std::span<const uint32_t> nodes) {
    std::vector<uint32_t> node_of(nodes.begin(), nodes.end());
    for (const Merge& merge : small.merges()) {
      node_of.push_back(add(node_of[merge.left], node_of[merge.right], merge.height));
    }
    return node_of.back();
  }

  uint32_t add(uint32_t a, uint32_t b, double height) {
    const auto n = static_cast<uint32_t>(points_.rows());
    const auto height_of = [&](uint32_t node) { return node < n ? 0 : merges_[node - n].height; };
    const auto size_of = [&](uint32_t node) { return node < n ? 1 : merges_[node - n].size; };
    merges_.push_back(
        {a, b, size_of(a) + size_of(b), std::max({height, height_of(a), height_of(b)})});
    return static_cast<uint32_t>(n + merges_.size() - 1);
  }

  // The merges by height.  Those below a merge come before it: they were made earlier and are not
  // higher, and the sort is stable.
  Hierarchy ordered() const {
    const auto n = static_cast<uint32_t>(points_.rows());
    std::vector<uint32_t> order(merges_.size()), place(merges_.size());
    std::iota(order.begin(), order.end(), 0u);
    std::ranges::stable_sort(order, {}, [&](uint32_t i) { return merges_[i].height; });
    for (uint32_t i = 0; i < order.size(); ++i) place[order[i]] = i;
    const auto renumbered = [&](uint32_t node) { return node < n ? node : n + place[node - n]; };
    std::vector<Merge> result;
    result.reserve(merges_.size());
    for (uint32_t i : order) {
      Merge merge = merges_[i];
      const uint32_t a = renumbered(merge.left), b = renumbered(merge.right);
      merge.left = std::min(a, b);
      merge.right = std::max(a, b);
      result.push_back(merge);
    }
    return Hierarchy(n, std::move(result));
  }

  MatrixView<const float> points_;
  WardOfManyOptions options_;
  Progress* progress_;
  std::vector<Merge> merges_;
};

}  // namespace

void WardOfManyOptions::validate() const {
  require(max_dense >= 2, "max_dense is {}: at least 2 clusters are merged at once", max_dense);
  require(micro_size >= 1, "micro_size is 0: a micro-cluster holds at least one item");
}

namespace {
void check(MatrixView<const float> points, const WardOfManyOptions& options) {
  options.validate();
  require(points.rows() >= 1, "there are no points: a hierarchy has at least one");
  require_finite(points, "point");
}
}  // namespace

Hierarchy ward_of_many(MatrixView<const float> points, const WardOfManyOptions& options,
                       Progress* progress) {
  check(points, options);
  return Merger(points, options, progress).run();
}

Hierarchy ward_of_groups(MatrixView<const float> points, std::span<const int32_t> labels,
                         size_t n_groups, const WardOfManyOptions& options, Progress* progress) {
  check(points, options);
  require(labels.size() == points.rows(), "there are {} labels for {} points", labels.size(),
          points.rows());
  for (int32_t label : labels) {
    require(label >= 0 && static_cast<size_t>(label) < n_groups, "label {} is not in 0 .. {}",
            label, n_groups - 1);
  }
  return Merger(points, options, progress).run(labels, n_groups);
}

}  // namespace carya
