#pragma once

#include <algorithm>
#include <cmath>
#include <concepts>

namespace carya {

// The policies of agglomerate(): how far two clusters are apart.

enum class LinkageKind {
  kSingle,    // the nearest two items: chains; for many items use hdbscan() with min_samples 1
  kComplete,  // the farthest two items: compact, sensitive to outliers
  kAverage,   // the mean over all pairs (UPGMA)
  kWard,      // the growth of squared error: like k-means, of similar sizes
};

struct MergeStep {                // clusters a and b become one; c is any other
  double ac, bc, ab;              // distances before the merge
  double size_a, size_b, size_c;  // items, or sums of weights
};

// start: the distance of two items of these weights.  distance: from a+b to c (Lance & Williams
// 1967); reducible, or the chains of the engine break: at least min(ac, bc) when ab is the smallest
// of the three.  height: what a merge at a distance reports; rising.
template <class L>
concept Linkage = requires(const L linkage, const MergeStep& step, double x) {
  {
    linkage.start(/*squared_euclidean=*/x, /*weight_a=*/x, /*weight_b=*/x)
  } -> std::same_as<double>;
  { linkage.distance(step) } -> std::same_as<double>;
  { linkage.height(x) } -> std::same_as<double>;
  requires noexcept(linkage.distance(step));
};

struct EuclideanStart {
  double start(double squared, double, double) const noexcept { return std::sqrt(squared); }
  double height(double distance) const noexcept { return distance; }
};
struct SingleLinkage : EuclideanStart {
  double distance(const MergeStep& s) const noexcept { return std::min(s.ac, s.bc); }
};
struct CompleteLinkage : EuclideanStart {
  double distance(const MergeStep& s) const noexcept { return std::max(s.ac, s.bc); }
};
struct AverageLinkage : EuclideanStart {
  double distance(const MergeStep& s) const noexcept {
    return (s.size_a * s.ac + s.size_b * s.bc) / (s.size_a + s.size_b);
  }
};
// Twice the growth of the sum of squares, 2 |a| |b| / (|a| + |b|) times the squared distance of the
// means; its root is the height, as in scipy, so two single items merge at their distance.
struct WardLinkage {
  double start(double squared, double weight_a, double weight_b) const noexcept {
    return 2 * weight_a * weight_b / (weight_a + weight_b) * squared;
  }
  double distance(const MergeStep& s) const noexcept {
    const double ac = (s.size_a + s.size_c) * s.ac, bc = (s.size_b + s.size_c) * s.bc;
    return (ac + bc - s.size_c * s.ab) / (s.size_a + s.size_b + s.size_c);
  }
  double height(double distance) const noexcept { return std::sqrt(std::max(0.0, distance)); }
};

}  // namespace carya
