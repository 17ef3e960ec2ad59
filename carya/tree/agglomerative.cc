#include "carya/tree/agglomerative.h"

#include <cmath>
#include <limits>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/tree/squared_distance.h"

namespace carya {
namespace {

template <Linkage L>
Matrix<double> start_distances(MatrixView<const float> points, std::span<const double> weights,
                               const L& linkage) {
  const size_t n = points.rows();
  auto distances = Matrix<double>::uninitialized(n, n);
  constexpr size_t kBlock = 32;  // rows of a block stay in the cache while all others pass
  parallel_for(0, n, kBlock, [&](size_t first, size_t last) {
    for (size_t j = 0; j < n; ++j) {
      for (size_t i = first; i < last; ++i) {
        const double squared =
            squared_distance(points.row_data(i), points.row_data(j), points.cols());
        distances(i, j) = linkage.start(squared, weights[i], weights[j]);
      }
    }
  });
  return distances;
}

// Follows nearest neighbours until two are each other's, and merges them: with a reducible linkage
// they would be merged some time anyway, and the rest of the chain stays valid.
template <Linkage L>
Hierarchy run_chain(Matrix<double> distances, std::span<const double> weights, const L& linkage,
                    Progress* progress) {
  const size_t n = distances.rows();
  std::vector<double> size(weights.begin(), weights.end());
  std::vector<uint32_t> alive(n), chain;  // a cluster is named by its smallest item
  for (uint32_t i = 0; i < n; ++i) alive[i] = i;
  std::vector<Edge> edges;
  while (alive.size() > 1) {
    if (chain.empty()) chain.push_back(alive[0]);
    const uint32_t top = chain.back();
    const bool has_previous = chain.size() > 1;
    uint32_t nearest = has_previous ? chain[chain.size() - 2] : top;  // first among equals
    double least = has_previous ? distances(top, nearest) : std::numeric_limits<double>::infinity();
    for (const uint32_t c : alive) {
      if (c != top && (distances(top, c) < least || nearest == top)) {
        least = distances(top, c);
        nearest = c;
      }
    }
    if (!has_previous || nearest != chain[chain.size() - 2]) {
      chain.push_back(nearest);
      continue;
    }
    chain.resize(chain.size() - 2);
    const uint32_t a = std::min(top, nearest), b = std::max(top, nearest);
    edges.push_back({a, b, linkage.height(least)});
    std::erase(alive, b);
    for (const uint32_t c : alive) {
      if (c == a) continue;
      distances(a, c) = distances(c, a) =
          linkage.distance({distances(a, c), distances(b, c), least, size[a], size[b], size[c]});
    }
    size[a] += size[b];
    advance(progress, 1);
  }
  return single_linkage_of_edges(n, edges);  // in the order of heights
}

template <Linkage L>
Hierarchy agglomerate_by(MatrixView<const float> points, std::span<const double> weights,
                         const L& linkage, Progress* progress) {
  return run_chain(start_distances(points, weights, linkage), weights, linkage, progress);
}

}  // namespace

void AgglomerativeOptions::validate(size_t n_items) const {
  require(n_items >= 1, "there are no points to merge");
  const double bytes = 8.0 * static_cast<double>(n_items) * static_cast<double>(n_items);
  require(bytes <= static_cast<double>(max_bytes),
          "{} items need {:.1f} GB for their distances, but max_bytes is {:.1f} GB: raise it, or "
          "use hdbscan, which needs O(n)",
          n_items, bytes / 1e9, static_cast<double>(max_bytes) / 1e9);
  require(weights.empty() || weights.size() == n_items, "{} weights for {} points", weights.size(),
          n_items);
  for (size_t i = 0; i < weights.size(); ++i) {
    require(weights[i] > 0 && std::isfinite(weights[i]), "weight {} is {}: it must be positive", i,
            weights[i]);
  }
}

Hierarchy agglomerate(MatrixView<const float> points, const AgglomerativeOptions& options,
                      Progress* progress) {
  options.validate(points.rows());
  require_finite(points, "point");
  begin_stage(progress, "agglomerate", points.rows() - 1, "merges");
  const std::vector<double> ones(options.weights.empty() ? points.rows() : 0, 1.0);
  const std::span<const double> weights = options.weights.empty() ? ones : options.weights;
  switch (options.linkage) {
    case LinkageKind::kSingle:
      return agglomerate_by(points, weights, SingleLinkage{}, progress);
    case LinkageKind::kComplete:
      return agglomerate_by(points, weights, CompleteLinkage{}, progress);
    case LinkageKind::kAverage:
      return agglomerate_by(points, weights, AverageLinkage{}, progress);
    case LinkageKind::kWard:
      return agglomerate_by(points, weights, WardLinkage{}, progress);
  }
  CARYA_ASSERT(false);
  return {1, {}};
}

}  // namespace carya
