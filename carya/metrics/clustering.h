#pragma once

#include <cstdint>
#include <span>

#include "carya/metrics/contingency.h"

namespace carya {

// Scores of a clustering against known classes, or of two clusterings; labels [n] each.  They take
// the Contingency as well, so that several scores of one pair count it once.  An empty labelling
// scores 1.  All throw kInvalidArgument if the lengths differ.

// Share of pairs treated alike, corrected for chance: 1 equal partitions, about 0 random ones, can
// be negative.  Symmetric.  O(n).  Hubert & Arabie 1985.
double adjusted_rand_index(const Contingency& table);
double adjusted_rand_index(std::span<const int32_t> a, std::span<const int32_t> b);

// Mutual information over the arithmetic mean of the entropies, minus in both what random
// partitions with these cluster sizes would share (exactly, under the hypergeometric model): 1
// equal, about 0 random.  Symmetric; scikit-learn's adjusted_mutual_info_score.
// O(n + sum over pairs of clusters of 1 + 20 sqrt(a b / n)): 5 ms for 63,000 items in 60 x 500.
// Vinh, Epps & Bailey 2010.
double adjusted_mutual_information(const Contingency& table);
double adjusted_mutual_information(std::span<const int32_t> a, std::span<const int32_t> b);

// Mutual information over the arithmetic mean of the entropies, in [0, 1]; not corrected for
// chance, so it grows with the number of clusters.  O(n).
double normalized_mutual_information(const Contingency& table);
double normalized_mutual_information(std::span<const int32_t> a, std::span<const int32_t> b);

// Share of items whose class is the most frequent of their cluster, in (0, 1]; 1 for clusters of
// single items.  O(n).
double purity(const Contingency& clusters_by_classes);
double purity(std::span<const int32_t> clusters, std::span<const int32_t> classes);

}  // namespace carya
