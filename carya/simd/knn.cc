#include "carya/simd/knn.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/simd/bit_rows.h"
#include "carya/simd/distance.h"
#include "carya/simd/knn_block.h"
#include "carya/simd/kselect.h"

namespace carya {
namespace {

constexpr size_t kCenterSample = 1024;  // rows; any point amid the data serves
constexpr size_t kScanRows = 1024;      // distances of a scan that are in L1 when compared
constexpr size_t kBitQueries = 16;      // a task: they share the points of a scan while in L2
constexpr size_t kMinTiledQueries = 4;  // below, packing the points costs more than it saves
constexpr size_t kCandidateBytes = size_t{4} << 20;  // per thread, for the candidates of a block

// Differences lose no digits when the data is far from the origin but its mean is near.
std::vector<float> sample_mean(MatrixView<const float> points) {
  const size_t n = std::min(points.rows(), kCenterSample);
  std::vector<double> sum(points.cols());
  for (size_t s = 0; s < n; ++s) {
    const float* row = points.row_data(s * points.rows() / n);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += row[i];
  }
  std::vector<float> mean(points.cols());
  for (size_t i = 0; i < mean.size(); ++i) {
    mean[i] = static_cast<float>(sum[i] / static_cast<double>(std::max<size_t>(n, 1)));
  }
  return mean;
}

std::vector<float> norms_about(MatrixView<const float> rows, std::span<const float> center) {
  std::vector<float> norms(rows.rows());
  parallel_for(0, rows.rows(), 4096, [&](size_t first, size_t last) {
    centered_norms(rows, center, first, std::span(norms).subspan(first, last - first));
  });
  return norms;
}

bool all_finite(std::span<const float> values) {
  return std::ranges::all_of(values, [](float x) { return std::isfinite(x); });
}

// Few queries: one to a thread.  Many: blocks as large as their candidates allow.
size_t block_size(const KnnTask& task) {
  const size_t candidates = std::max<size_t>(64, 2 * task.k) * sizeof(Candidate);
  const size_t share = (task.queries.rows() + n_threads() - 1) / n_threads();
  const size_t rows = std::min({kMaxKnnBlock, share, kCandidateBytes / candidates});
  return std::max<size_t>((rows + 11) / 12 * 12, 12);
}

Neighbors knn(MatrixView<const float> queries, MatrixView<const float> points, size_t k,
              Metric metric, bool skip_self, Progress* progress) {
  require(k >= 1, "k is 0: ask for at least one neighbour");
  require(metric != Metric::kUser,
          "a user's distance is known to FlatIndex and Hnsw only: search a FlatIndex instead");
  require(queries.cols() == points.cols(), "the queries have {} dims, the points {}",
          queries.cols(), points.cols());
  require(points.rows() < kNoNeighbor, "{} points: at most {} are possible", points.rows(),
          kNoNeighbor - 1);
  Neighbors result{Matrix<uint32_t>::uninitialized(queries.rows(), k),
                   Matrix<float>::uninitialized(queries.rows(), k)};
  begin_stage(progress, "nearest neighbours", queries.rows(), "queries");
  if (is_binary(metric)) {
    require_binary(points, "point");
    require_binary(queries, "query");
    const Matrix<std::byte> point_bits = packed_rows(points);
    const Matrix<std::byte> query_bits = skip_self ? Matrix<std::byte>() : packed_rows(queries);
    const KnnTask task{.queries = queries,
                       .points = points,
                       .k = std::min(k, std::max<size_t>(points.rows(), 1)),
                       .metric = metric,
                       .skip_self = skip_self,
                       .query_bits = skip_self ? point_bits : query_bits,
                       .point_bits = point_bits,
                       .result = &result};
    parallel_for(0, queries.rows(), kBitQueries, [&](size_t first, size_t last) {
      knn_scan(task, first, last - first);
      advance(progress, last - first);
    });
    return result;
  }
  const bool l2 = metric == Metric::kSquaredL2;
  const std::vector<float> center = l2 ? sample_mean(points) : std::vector<float>(points.cols());
  const std::vector<float> point_norms = norms_about(points, center);
  const std::vector<float> query_norms = skip_self ? point_norms : norms_about(queries, center);
  const bool finite = all_finite(point_norms) && all_finite(query_norms);
  if (!finite) {  // a NaN, or numbers above 1e19 whose squares overflow
    require_finite(points, "point");
    require_finite(queries, "query");
  }
  const KnnTask task{.queries = queries,
                     .points = points,
                     .k = std::min(k, std::max<size_t>(points.rows(), 1)),
                     .metric = metric,
                     .skip_self = skip_self,
                     .center = center,
                     .query_norms = query_norms,
                     .point_norms = point_norms,
                     .max_point_norm = points.rows() > 0 ? std::ranges::max(point_norms) : 0,
                     .result = &result};
  const bool tiled = finite && queries.rows() >= kMinTiledQueries;
  parallel_for(0, queries.rows(), tiled ? block_size(task) : 1, [&](size_t first, size_t last) {
    (tiled ? knn_block : knn_scan)(task, first, last - first);
    advance(progress, last - first);
  });
  return result;
}

}  // namespace

void knn_scan(const KnnTask& task, size_t first, size_t count) {
  std::vector<float> values(kScanRows);
  std::vector<Candidate> batch;
  std::vector<size_t> found(count, 0);
  const bool bits = is_binary(task.metric);
  const RowKernel kernel = bits ? row_kernel(RowFormat::kBits, task.metric) : nullptr;
  std::vector<uint32_t> all(bits ? kScanRows : 0);
  std::iota(all.begin(), all.end(), 0u);
  for (size_t begin = 0; begin < task.points.rows(); begin += kScanRows) {
    const auto rows = task.points.slice(begin, std::min(kScanRows, task.points.rows() - begin));
    for (size_t q = first; q < first + count; ++q) {
      KSelect nearest(task.result->ids.row(q).first(task.k),
                      task.result->distances.row(q).first(task.k), found[q - first]);
      if (bits) {
        kernel(task.query_bits.row_data(q), task.point_bits.row_data(begin), task.point_bits.cols(),
               task.points.cols(), all.data(), rows.rows(), values.data());
      } else {
        distances(task.metric, task.queries.row(q), rows, values);
      }
      batch.clear();
      const bool full = nearest.found() == task.k;
      for (size_t i = 0; i < rows.rows(); ++i) {
        const auto id = static_cast<uint32_t>(begin + i);
        if (full && !(values[i] < nearest.threshold())) continue;
        if (task.skip_self && id == q) continue;
        // Finite numbers whose products overflow both ways.
        constexpr float kInfinity = std::numeric_limits<float>::infinity();
        batch.push_back({std::isnan(values[i]) ? kInfinity : values[i], id});
      }
      nearest.merge(batch);
      found[q - first] = nearest.found();
    }
  }
  for (size_t q = first; q < first + count; ++q) {
    for (size_t j = found[q - first]; j < task.result->ids.cols(); ++j) {
      task.result->ids(q, j) = kNoNeighbor;
      task.result->distances(q, j) = std::numeric_limits<float>::infinity();
    }
  }
}

Neighbors exact_knn(MatrixView<const float> queries, MatrixView<const float> points, size_t k,
                    Metric metric, Progress* progress) {
  return knn(queries, points, k, metric, false, progress);
}

Neighbors exact_knn_graph(MatrixView<const float> points, size_t k, Metric metric,
                          Progress* progress) {
  return knn(points, points, k, metric, true, progress);
}

}  // namespace carya
