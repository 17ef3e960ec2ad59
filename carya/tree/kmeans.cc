#include "carya/tree/kmeans.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/knn.h"
#include "carya/tree/squared_distance.h"

namespace carya {
namespace {

// A point with probability proportional to its weight; with no weight left, any point.
uint32_t draw(std::span<const double> cumulative, Rng& rng) {
  const double total = cumulative.back();
  if (!(total > 0)) return static_cast<uint32_t>(rng.below(cumulative.size()));
  const auto it = std::ranges::upper_bound(cumulative, rng.uniform() * total);
  return static_cast<uint32_t>(
      std::min<size_t>(static_cast<size_t>(it - cumulative.begin()), cumulative.size() - 1));
}

// k-means++: each centre is drawn with probability proportional to the squared distance from the
// centres before it.  Drawn in batches that double, so that distances come in tiles: a candidate is
// proposed by the distances before the batch and accepted with the ratio of its distance now to
// then, which gives exactly the sequential distribution.
Matrix<float> plus_plus(MatrixView<const float> points, size_t n_clusters, Rng& rng) {
  const size_t n = points.rows();
  std::vector<uint32_t> centers = {static_cast<uint32_t>(rng.below(n))};
  std::vector<double> distance(n, std::numeric_limits<double>::infinity()), cumulative(n);
  size_t n_known = 0;  // centres that `distance` has seen
  while (centers.size() < n_clusters) {
    const Matrix<float> fresh = gather_rows(points, std::span(centers).subspan(n_known));
    const Neighbors nearest = exact_knn(points, fresh, 1);
    for (size_t i = 0; i < n; ++i) {
      distance[i] = std::min<double>(distance[i], nearest.distances(i, 0));
    }
    for (size_t c = n_known; c < centers.size(); ++c) distance[centers[c]] = 0;
    n_known = centers.size();
    std::partial_sum(distance.begin(), distance.end(), cumulative.begin());
    const size_t wanted = std::min(n_clusters, 2 * n_known);
    // Fewer and fewer candidates pass when a batch explains most of the distance; then start anew.
    for (size_t tries = 0; centers.size() < wanted && tries < 4 * n_known; ++tries) {
      const uint32_t candidate = draw(cumulative, rng);
      double now = distance[candidate];
      for (size_t c = n_known; c < centers.size(); ++c) {
        now = std::min(now, squared_distance(points.row_data(candidate),
                                             points.row_data(centers[c]), points.cols()));
      }
      const bool has_weight = cumulative.back() > 0;
      if (!has_weight || rng.uniform() * distance[candidate] < now) centers.push_back(candidate);
    }
  }
  return gather_rows(points, centers);
}

// Centroids become the means of their points: per cluster in the order of ids, in double.
void move_centroids(MatrixView<const float> points, const LabelGroups& groups,
                    Matrix<float>& centroids) {
  const size_t grain = std::max<size_t>(1, centroids.rows() / 64);
  parallel_for(0, centroids.rows(), grain, [&](size_t first, size_t last) {
    std::vector<double> sum(points.cols());
    for (size_t c = first; c < last; ++c) {
      const size_t begin = groups.first[c], end = groups.first[c + 1];
      if (begin == end) continue;
      std::ranges::fill(sum, 0.0);
      for (size_t i = begin; i < end; ++i) {
        const float* row = points.row_data(groups.item_of[i]);
        for (size_t j = 0; j < sum.size(); ++j) sum[j] += static_cast<double>(row[j]);
      }
      for (size_t j = 0; j < sum.size(); ++j) {
        centroids(c, j) = static_cast<float>(sum[j] / static_cast<double>(end - begin));
      }
    }
  });
}

// Empty clusters get the points that are farthest from their centroids, one each.
void reseed_empty(MatrixView<const float> points, const KMeansResult& result,
                  const LabelGroups& groups, Matrix<float>& centroids) {
  std::vector<size_t> empty;
  for (size_t c = 0; c < centroids.rows(); ++c) {
    if (groups.first[c] == groups.first[c + 1]) empty.push_back(c);
  }
  if (empty.empty()) return;
  std::vector<uint32_t> farthest(points.rows());
  std::iota(farthest.begin(), farthest.end(), 0u);
  const auto middle = farthest.begin() + static_cast<ptrdiff_t>(empty.size());
  std::partial_sort(farthest.begin(), middle, farthest.end(), [&](uint32_t a, uint32_t b) {
    return std::pair(-result.distances[a], a) < std::pair(-result.distances[b], b);
  });
  for (size_t i = 0; i < empty.size(); ++i) {
    if (result.distances[farthest[i]] == 0) break;  // all points lie on centroids
    std::ranges::copy(points.row(farthest[i]), centroids.row_data(empty[i]));
  }
}

// The nearest centroid of each point.  True if a label changed.
bool assign(MatrixView<const float> points, KMeansResult& result) {
  const Neighbors nearest = exact_knn(points, result.centroids, 1);
  bool changed = false;
  for (size_t i = 0; i < points.rows(); ++i) {
    const auto label = static_cast<int32_t>(nearest.ids(i, 0));
    changed |= label != result.labels[i];
    result.labels[i] = label;
    result.distances[i] = nearest.distances(i, 0);
  }
  return changed;
}

// The same with penalties, which rise for the clusters that are large now.  step: for one of twice
// the mean size.
bool assign_balanced(MatrixView<const float> points, double step, KMeansResult& result) {
  const size_t n_clusters = result.centroids.rows();
  std::vector<size_t> sizes(n_clusters);
  for (const int32_t label : result.labels) ++sizes[static_cast<size_t>(label)];
  const double mean = static_cast<double>(points.rows()) / static_cast<double>(n_clusters);
  std::vector<float>& penalties = result.penalties;
  for (size_t c = 0; c < n_clusters; ++c) {
    penalties[c] += static_cast<float>(step * (static_cast<double>(sizes[c]) / mean - 1));
  }
  const float least = *std::ranges::min_element(penalties);  // only differences matter
  for (float& penalty : penalties) penalty -= least;
  std::vector<int32_t> labels = assign_with_penalties(points, result.centroids, penalties);
  const bool changed = labels != result.labels;
  result.labels = std::move(labels);
  for (size_t i = 0; i < points.rows(); ++i) {
    const auto centroid = static_cast<size_t>(result.labels[i]);
    result.distances[i] = static_cast<float>(
        squared_distance(points.row_data(i), result.centroids.row_data(centroid), points.cols()));
  }
  return changed;
}

KMeansResult kmeans_once(MatrixView<const float> points, const KMeansOptions& options, Rng& rng,
                         Progress* progress) {
  KMeansResult result;
  result.centroids = plus_plus(points, options.n_clusters, rng);
  result.labels.assign(points.rows(), -1);
  result.distances.assign(points.rows(), 0);
  if (options.balance > 0) result.penalties.assign(options.n_clusters, 0);
  double spread = 0;
  for (size_t iteration = 0;; ++iteration) {
    const bool is_first = iteration == 0;
    const bool changed =
        is_first || options.balance == 0
            ? assign(points, result)
            : assign_balanced(points, options.balance * spread / static_cast<double>(iteration),
                              result);
    if (!changed) break;
    if (is_first) {
      spread = std::accumulate(result.distances.begin(), result.distances.end(), 0.0) /
               static_cast<double>(points.rows());
    }
    advance(progress, 1);
    if (iteration == options.n_iterations) break;
    const LabelGroups groups = group_by_label(result.labels, options.n_clusters);
    move_centroids(points, groups, result.centroids);
    reseed_empty(points, result, groups, result.centroids);
  }
  for (const float distance : result.distances) result.inertia += static_cast<double>(distance);
  return result;
}

}  // namespace

void KMeansOptions::validate(size_t n_points) const {
  require(n_clusters >= 1 && n_clusters <= n_points,
          "n_clusters is {}, but must be in 1 .. {}, the number of points", n_clusters, n_points);
  require(n_iterations >= 1, "n_iterations is 0: k-means needs at least one");
  require(n_init >= 1, "n_init is 0: k-means needs at least one start");
  require(balance >= 0 && std::isfinite(balance), "balance is {}: it must be at least 0", balance);
}

KMeansResult kmeans(MatrixView<const float> points, const KMeansOptions& options,
                    Progress* progress) {
  options.validate(points.rows());
  require_finite(points, "point");
  begin_stage(progress, "k-means", options.n_init * options.n_iterations, "iterations");
  std::optional<KMeansResult> best;
  for (size_t start = 0; start < options.n_init; ++start) {
    Rng rng(options.seed, start);
    KMeansResult result = kmeans_once(points, options, rng, progress);
    if (!best || result.inertia < best->inertia) best = std::move(result);
  }
  return std::move(*best);
}

std::vector<int32_t> assign_with_penalties(MatrixView<const float> points,
                                           MatrixView<const float> centroids,
                                           std::span<const float> penalties) {
  const auto widened = [](MatrixView<const float> rows, auto last) {
    Matrix<float> wide = Matrix<float>::uninitialized(rows.rows(), rows.cols() + 1);
    for (size_t i = 0; i < rows.rows(); ++i) {
      std::ranges::copy(rows.row(i), wide.row_data(i));
      wide(i, rows.cols()) = last(i);
    }
    return wide;
  };
  const Neighbors nearest =
      exact_knn(widened(points, [](size_t) { return 0.0f; }),
                widened(centroids, [&](size_t c) { return std::sqrt(penalties[c]); }), 1);
  return {nearest.ids.flat().begin(), nearest.ids.flat().end()};
}

LabelGroups group_by_label(std::span<const int32_t> labels, size_t n_labels) {
  LabelGroups groups;
  groups.first.assign(n_labels + 1, 0);
  groups.item_of.resize(labels.size());
  for (const int32_t label : labels) ++groups.first[static_cast<size_t>(label) + 1];
  std::partial_sum(groups.first.begin(), groups.first.end(), groups.first.begin());
  std::vector<size_t> next(groups.first.begin(), groups.first.end() - 1);
  for (size_t i = 0; i < labels.size(); ++i) {
    groups.item_of[next[static_cast<size_t>(labels[i])]++] = static_cast<uint32_t>(i);
  }
  return groups;
}

Matrix<float> gather_rows(MatrixView<const float> points, std::span<const uint32_t> ids) {
  auto rows = Matrix<float>::uninitialized(ids.size(), points.cols());
  for (size_t i = 0; i < ids.size(); ++i) std::ranges::copy(points.row(ids[i]), rows.row_data(i));
  return rows;
}

}  // namespace carya
