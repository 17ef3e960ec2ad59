// What moves the recall of HNSW (Elliott & Clark 2024), card 125: the order of insertion, by the
// local intrinsic dimensionality of the items, and the dimension that the data fill.
#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "carya/core/rng.h"
#include "carya/index/hnsw.h"
#include "carya/index/lid.h"
#include "carya/io/vectors.h"
#include "carya/simd/knn.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kHits = 10;

Matrix<float> rows_of(MatrixView<const float> points, std::span<const uint32_t> rows) {
  auto picked = Matrix<float>::uninitialized(rows.size(), points.cols());
  for (size_t i = 0; i < rows.size(); ++i) {
    std::ranges::copy(points.row(rows[i]), picked.row_data(i));
  }
  return picked;
}

// An index of the rows in their order; f32 alone, as the paper's.
Hnsw built(MatrixView<const float> points, std::span<const uint32_t> order, uint64_t seed) {
  const HnswOptions options{.m = 16,
                            .ef_construction = 128,
                            .seed = seed,
                            .storage = {.exact = RowFormat::kF32, .codes = {}}};
  Hnsw index(points.cols(), Metric::kSquaredL2, options);
  const std::vector<ItemId> ids(order.begin(), order.end());
  index.add(ids, rows_of(points, order));
  return index;
}

double recall(const Hnsw& index, MatrixView<const float> queries, const Neighbors& truth,
              size_t effort) {
  size_t found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (const Hit& hit : index.search(queries.row(q), {.k = kHits, .effort = effort})) {
      found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
    }
  }
  return static_cast<double>(found) / static_cast<double>(queries.rows() * kHits);
}

// Mean recall over efforts 10 and 32 and the seeds.
double recall_of(InsertionOrder order, MatrixView<const float> points,
                 MatrixView<const float> queries, const Neighbors& truth,
                 const std::vector<float>& lid, size_t n_seeds) {
  double sum = 0;
  for (uint64_t seed = 0; seed < n_seeds; ++seed) {
    const Hnsw index = built(points, insertion_order(order, lid, seed), seed);
    for (size_t effort : {10, 32}) sum += recall(index, queries, truth, effort) / 2;
  }
  return sum / static_cast<double>(n_seeds);
}

// Gaussian coefficients on `intrinsic` orthonormal directions of 128 dims.
Matrix<float> flat_gaussian(size_t n, size_t intrinsic, uint64_t seed) {
  constexpr size_t kDim = 128;
  Rng rng(seed);
  Matrix<double> basis(intrinsic, kDim);
  for (size_t i = 0; i < intrinsic; ++i) {
    for (double& x : basis.row(i)) x = rng.normal();
    for (size_t j = 0; j <= i; ++j) {  // Gram and Schmidt; at last to length 1
      const double product =
          std::inner_product(basis.row(i).begin(), basis.row(i).end(), basis.row(j).begin(), 0.0);
      for (size_t d = 0; d < kDim; ++d) {
        basis(i, d) =
            j < i ? basis(i, d) - product * basis(j, d) : basis(i, d) / std::sqrt(product);
      }
    }
  }
  Matrix<float> points(n, kDim);
  std::vector<double> sum(kDim);
  for (size_t i = 0; i < n; ++i) {
    std::ranges::fill(sum, 0.0);
    for (size_t j = 0; j < intrinsic; ++j) {
      const double coefficient = rng.normal();
      for (size_t d = 0; d < kDim; ++d) sum[d] += coefficient * basis(j, d);
    }
    std::ranges::copy(sum, points.row_data(i));
  }
  return points;
}

}  // namespace

std::vector<ClaimRow> reproduce_125(const ClaimContext& context) {
  const Matrix<float> words = read_npy(context.cache / "data" / "words" / "vectors.npy");
  const size_t n = std::min<size_t>(words.rows(), context.quick ? 10'000 : 60'000);
  const size_t n_queries = context.quick ? 500 : 2000, n_seeds = context.quick ? 1 : 3;
  std::vector<ClaimRow> rows;

  // Every 30th word is a query (60,000 / 2,000), so that both come from common and rare ones.
  std::vector<uint32_t> query_rows, point_rows;
  for (uint32_t i = 0; i < n; ++i) {
    (i % (n / n_queries) == 0 && query_rows.size() < n_queries ? query_rows : point_rows)
        .push_back(i);
  }
  const Matrix<float> points = rows_of(words, point_rows), queries = rows_of(words, query_rows);
  const Neighbors truth = exact_knn(queries, points, kHits);
  const std::vector<float> lid = local_intrinsic_dimension(points, 100, context.progress);
  const auto at = [&](InsertionOrder order) {
    return recall_of(order, points, queries, truth, lid, n_seeds);
  };
  const double descending = at(InsertionOrder::kLidDescending);
  const double ascending = at(InsertionOrder::kLidAscending);
  const double gain = descending - ascending;
  rows.push_back({"words: recall, LID descending less ascending", "order moves up to 0.12", gain,
                  ">= 0.007", gain >= 0.007});
  if (!context.quick) {
    const double random = at(InsertionOrder::kRandom);
    rows.push_back({"words: recall, LID descending less random", "not stated", descending - random,
                    "> 0", descending > random});
  }

  double last = 2, largest_error = 0;  // above every recall
  bool falls = true;
  for (size_t intrinsic : {2, 4, 8, 16, 32, 64}) {
    const Matrix<float> all = flat_gaussian(10'500, intrinsic, intrinsic);
    const MatrixView<const float> base = all.view().slice(0, 10'000),
                                  asked = all.view().slice(10'000, 500);
    const std::vector<float> dimension = local_intrinsic_dimension(base);
    const Hnsw index = built(base, insertion_order(InsertionOrder::kAsIs, dimension), 0);
    const double found = recall(index, asked, exact_knn(asked, base, kHits), 10);
    falls &= found < last;
    last = found;
    if (intrinsic <= 16) {
      const double mean = std::accumulate(dimension.begin(), dimension.end(), 0.0) / 10'000;
      const auto m = static_cast<double>(intrinsic);
      largest_error = std::max(largest_error, std::abs(mean - m) / m);
    }
    rows.push_back({"recall@10, ef 10, intrinsic dimension " + std::to_string(intrinsic),
                    "falls with the dimension", found, "< the one before", falls});
  }
  rows.push_back({"mean LID, relative error, up to 16 dims", "0.17 (prototype)", largest_error,
                  "<= 0.2", largest_error <= 0.2});
  return rows;
}

}  // namespace carya
