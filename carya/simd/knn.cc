#include "carya/simd/knn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "carya/core/parallel.h"

namespace carya {
namespace {

float pair_distance(const float* a, const float* b, size_t dim, Metric metric) {
  float sum = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < dim; ++i) {
    if (metric == Metric::kSquaredL2) {
      sum += (a[i] - b[i]) * (a[i] - b[i]);
    } else {
      sum += a[i] * b[i];
      aa += a[i] * a[i];
      bb += b[i] * b[i];
    }
  }
  if (metric == Metric::kSquaredL2) return sum;
  if (metric == Metric::kInnerProduct) return -sum;
  return aa == 0 || bb == 0 ? 1.0f : 1.0f - sum / std::sqrt(aa * bb);
}

Neighbors knn(MatrixView<const float> queries, MatrixView<const float> points, size_t k,
              Metric metric, bool skip_self, Progress* progress) {
  require(k >= 1, "k is 0: ask for at least one neighbour");
  require(queries.cols() == points.cols(), "queries have {} dims, the points {}", queries.cols(),
          points.cols());
  Neighbors result{Matrix<uint32_t>(queries.rows(), k), Matrix<float>(queries.rows(), k)};
  begin_stage(progress, "nearest neighbours", queries.rows(), "queries");
  parallel_for(0, queries.rows(), 64, [&](size_t first, size_t last) {
    std::vector<std::pair<float, uint32_t>> all;
    for (size_t q = first; q < last; ++q) {
      all.clear();
      for (size_t p = 0; p < points.rows(); ++p) {
        if (skip_self && p == q) continue;
        all.emplace_back(pair_distance(queries.row_data(q), points.row_data(p), points.cols(), metric),
                         static_cast<uint32_t>(p));
      }
      const size_t found = std::min(k, all.size());
      std::partial_sort(all.begin(), all.begin() + static_cast<ptrdiff_t>(found), all.end());
      for (size_t i = 0; i < k; ++i) {
        result.ids(q, i) = i < found ? all[i].second : kNoNeighbor;
        result.distances(q, i) =
            i < found ? all[i].first : std::numeric_limits<float>::infinity();
      }
    }
    advance(progress, last - first);
  });
  return result;
}

}  // namespace

Neighbors exact_knn(MatrixView<const float> queries, MatrixView<const float> points, size_t k,
                    Metric metric, Progress* progress) {
  return knn(queries, points, k, metric, false, progress);
}

Neighbors exact_knn_graph(MatrixView<const float> points, size_t k, Metric metric,
                          Progress* progress) {
  return knn(points, points, k, metric, true, progress);
}

}  // namespace carya
