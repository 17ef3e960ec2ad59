#include "carya/tree/balanced_sample.h"

#include <algorithm>
#include <numeric>

#include "carya/core/error.h"
#include "carya/core/rng.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

void shuffle(std::span<uint32_t> values, Rng& rng) {
  for (size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[rng.below(i)]);
}

}  // namespace

std::vector<size_t> balanced_quotas(std::span<const size_t> sizes, size_t target, uint64_t seed,
                                    uint64_t stream) {
  const auto sum_up_to = [&](size_t c) {
    size_t sum = 0;
    for (const size_t size : sizes) sum += std::min(c, size);
    return sum;
  };
  const size_t largest = sizes.empty() ? 0 : *std::ranges::max_element(sizes);
  size_t low = 0, high = largest;  // the largest c with sum_up_to(c) <= target
  while (low < high) {
    const size_t middle = low + (high - low + 1) / 2;
    if (sum_up_to(middle) <= target) {
      low = middle;
    } else {
      high = middle - 1;
    }
  }
  std::vector<size_t> quotas;
  std::vector<uint32_t> larger;
  for (size_t i = 0; i < sizes.size(); ++i) {
    quotas.push_back(std::min(low, sizes[i]));
    if (sizes[i] > low) larger.push_back(static_cast<uint32_t>(i));
  }
  Rng rng(seed, stream);
  shuffle(larger, rng);
  const size_t rest = std::min(target - sum_up_to(low), larger.size());
  for (size_t i = 0; i < rest; ++i) ++quotas[larger[i]];
  return quotas;
}

std::vector<uint32_t> balanced_sample(const KMeansTree& tree, size_t target,
                                      const BalancedSampleOptions& options) {
  require(options.multiplicity >= 1, "multiplicity is 0: each item must be allowed once");
  require(!tree.levels.empty(), "the tree has no levels");
  // Children of each cluster and the items below it, level by level.
  std::vector<LabelGroups> children;
  std::vector<std::vector<size_t>> capacity = {
      std::vector<size_t>(tree.n_items(), options.multiplicity)};
  for (const auto& level : tree.levels) {
    const size_t n_clusters = level.centroids.rows();
    const std::vector<int32_t> labels(level.parent.begin(), level.parent.end());
    children.push_back(group_by_label(labels, n_clusters));
    std::vector<size_t> sums(n_clusters, 0);
    for (size_t i = 0; i < labels.size(); ++i) {
      sums[static_cast<size_t>(labels[i])] += capacity.back()[i];
    }
    capacity.push_back(std::move(sums));
  }

  uint64_t stream = 0;  // one for each cluster
  std::vector<size_t> quotas = balanced_quotas(capacity.back(), target, options.seed, stream++);
  for (size_t level = tree.levels.size(); level-- > 1;) {
    std::vector<size_t> below(capacity[level].size(), 0);
    for (size_t c = 0; c < quotas.size(); ++c) {
      const std::span<const uint32_t> parts =
          std::span(children[level].item_of)
              .subspan(children[level].first[c],
                       children[level].first[c + 1] - children[level].first[c]);
      std::vector<size_t> sizes;
      for (const uint32_t part : parts) sizes.push_back(capacity[level][part]);
      const auto of_parts = balanced_quotas(sizes, quotas[c], options.seed, stream++);
      for (size_t i = 0; i < parts.size(); ++i) below[parts[i]] = of_parts[i];
    }
    quotas = std::move(below);
  }

  std::vector<uint32_t> sample;
  for (size_t c = 0; c < quotas.size(); ++c) {
    const size_t first = children[0].first[c];
    const std::span<uint32_t> items =
        std::span(children[0].item_of).subspan(first, children[0].first[c + 1] - first);
    if (options.pick == SamplePick::kClosest) {
      std::ranges::sort(items, {},
                        [&](uint32_t item) { return std::pair(tree.item_distances[item], item); });
    } else {
      Rng rng(options.seed, stream);
      shuffle(items, rng);
    }
    ++stream;
    for (size_t i = 0; i < quotas[c]; ++i) sample.push_back(items[i % items.size()]);
  }
  std::ranges::sort(sample);
  return sample;
}

}  // namespace carya
