#include "carya/index/knn_graph.h"

#include <algorithm>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/simd/distance.h"
#include "carya/simd/kselect.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr size_t kTrainingPoints = 40;  // a part; the centroids of more are no better
constexpr size_t kIterations = 6;       // the parts need not be optimal, only compact

// Centroids from a sample, spread evenly over the input.
Matrix<float> train_centroids(MatrixView<const float> points, size_t n_parts, uint64_t seed) {
  const size_t n_sample = std::min(points.rows(), n_parts * kTrainingPoints);
  auto sample = Matrix<float>::uninitialized(n_sample, points.cols());
  for (size_t i = 0; i < n_sample; ++i) {
    std::ranges::copy(points.row(i * points.rows() / n_sample), sample.row_data(i));
  }
  return kmeans(sample, {.n_clusters = n_parts, .n_iterations = kIterations, .seed = seed}).centroids;
}

// One round: each point is compared with the nearest neighbours of its nearest neighbours.
Neighbors look_further(MatrixView<const float> points, const Neighbors& known, size_t n_looked_at,
                       Progress* progress) {
  const size_t n = points.rows(), k = known.ids.cols(), m = std::min(n_looked_at, k);
  Neighbors better{known.ids.copy(), known.distances.copy()};
  parallel_for(0, n, 256, [&](size_t first, size_t last) {
    std::vector<uint32_t> ids;
    std::vector<float> found;
    std::vector<Candidate> batch;
    for (size_t i = first; i < last; ++i) {
      ids.clear();
      for (uint32_t near : known.ids.row(i).first(m)) {
        if (near == kNoNeighbor) break;
        for (uint32_t other : known.ids.row(near).first(m)) {
          if (other != kNoNeighbor && other != i) ids.push_back(other);
        }
      }
      std::ranges::sort(ids);
      const auto [begin, end] = std::ranges::unique(ids);
      ids.erase(begin, end);
      std::vector<uint32_t> own(known.ids.row(i).begin(), known.ids.row(i).end());
      std::ranges::sort(own);
      std::erase_if(ids, [&](uint32_t id) { return std::ranges::binary_search(own, id); });
      found.resize(ids.size());
      distances(Metric::kSquaredL2, points.row(i), points, ids, found);
      const size_t n_found = static_cast<size_t>(std::ranges::count_if(
          known.ids.row(i), [](uint32_t id) { return id != kNoNeighbor; }));
      KSelect nearest(better.ids.row(i), better.distances.row(i), n_found);
      batch.clear();
      for (size_t c = 0; c < ids.size(); ++c) batch.push_back({found[c], ids[c]});
      nearest.merge(batch);
    }
    advance(progress, last - first);
  });
  return better;
}

}  // namespace

void KnnGraphOptions::validate() const {
  require(k >= 1, "k is 0: ask for at least one neighbour");
  require(part_size >= 1, "part_size is 0: a part holds at least one point");
  require(n_surrounding >= 1, "n_surrounding is 0: a part is at least compared with itself");
}

Neighbors knn_graph(MatrixView<const float> points, const KnnGraphOptions& options, Progress* progress) {
  options.validate();
  const size_t n = points.rows(), dim = points.cols();
  if (n <= options.max_exact) return exact_knn_graph(points, options.k, Metric::kSquaredL2, progress);
  const size_t n_parts = (n + options.part_size - 1) / options.part_size;
  const Matrix<float> centroids = train_centroids(points, n_parts, options.seed);
  const Neighbors nearest = exact_knn(points, centroids, 1);
  const std::vector<int32_t> labels(nearest.ids.data(), nearest.ids.data() + n);
  const LabelGroups parts = group_by_label(labels, n_parts);
  const size_t n_surrounding = std::min(options.n_surrounding, n_parts);
  const Neighbors surroundings = exact_knn(centroids, centroids, n_surrounding);

  Neighbors result{Matrix<uint32_t>::uninitialized(n, options.k), Matrix<float>::uninitialized(n, options.k)};
  begin_stage(progress, "nearest neighbours", n, "items");
  parallel_for(0, n_parts, 1, [&](size_t part, size_t) {
    const size_t own = parts.first[part + 1] - parts.first[part];
    if (own == 0) return;
    std::vector<uint32_t> items;  // of the surroundings, rising, so that ties go to the smaller id
    for (uint32_t other : surroundings.ids.row(part)) {
      items.insert(items.end(), parts.item_of.begin() + static_cast<ptrdiff_t>(parts.first[other]),
                   parts.item_of.begin() + static_cast<ptrdiff_t>(parts.first[other + 1]));
    }
    std::ranges::sort(items);
    const auto gather = [&](std::span<const uint32_t> ids) {
      auto gathered = Matrix<float>::uninitialized(ids.size(), dim);
      for (size_t i = 0; i < ids.size(); ++i) std::ranges::copy(points.row(ids[i]), gathered.row_data(i));
      return gathered;
    };
    const std::span<const uint32_t> queries(parts.item_of.data() + parts.first[part], own);
    // One more than k, for the point itself, which with duplicates need not be the first.
    const Neighbors found = exact_knn(gather(queries), gather(items), options.k + 1);
    for (size_t q = 0; q < own; ++q) {
      const uint32_t self = queries[q];
      size_t kept = 0;
      for (size_t i = 0; i <= options.k && kept < options.k; ++i) {
        const uint32_t at = found.ids(q, i);
        if (at != kNoNeighbor && items[at] == self) continue;
        result.ids(self, kept) = at == kNoNeighbor ? kNoNeighbor : items[at];
        result.distances(self, kept++) = found.distances(q, i);
      }
    }
    advance(progress, own);
  });
  for (size_t round = 0; round < options.n_rounds; ++round) {
    begin_stage(progress, "their neighbours", n, "items");
    result = look_further(points, result, options.n_looked_at, progress);
  }
  return result;
}

}  // namespace carya
