#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/tree/kmeans_tree.h"

namespace carya {

enum class SamplePick {
  kRandom,   // of a cluster's items any
  kClosest,  // those nearest to the centroid
};

struct BalancedSampleOptions {
  size_t multiplicity = 1;  // how often an item may be drawn, >= 1
  SamplePick pick = SamplePick::kRandom;
  uint64_t seed = 0;
};

// Items of a KMeansTree, as evenly spread over its clusters as their sizes allow, from the top
// level down: exactly min(target, multiplicity * n_items) of them, sorted; repeated if multiplicity
// > 1. O(n log n).  Throws kInvalidArgument.  Vo et al. 2024; card 110.
std::vector<uint32_t> balanced_sample(const KMeansTree& tree, size_t target,
                                      const BalancedSampleOptions& options = {});

// How many of `target` each part gives: min(c, its size) for the largest c whose sum is at most
// target, and one more from random ones of the larger parts, so that the sum is
// min(target, sum of sizes).
std::vector<size_t> balanced_quotas(std::span<const size_t> sizes, size_t target, uint64_t seed,
                                    uint64_t stream);

}  // namespace carya
