// HNSW (Malkov & Yashunin 2016), card 015: on MNIST nearly all of the exact neighbours are found by
// reading few vectors, and their number grows slowly with the size of the index.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/io/vectors.h"
#include "carya/simd/knn.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kQueries = 1000, kHits = 10;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Run {
  double recall = 0;     // share of the exact kHits nearest
  double distances = 0;  // per query
  double seconds = 0;    // for all queries, one thread
};

Run run(const Index& index, MatrixView<const float> queries, const Neighbors& truth,
        size_t effort) {
  SearchStats stats;
  size_t found = 0;
  ThreadLimit one(1);
  const double begin = now();
  for (size_t q = 0; q < queries.rows(); ++q) {
    const SearchOptions options{.k = kHits, .effort = effort, .stats = &stats};
    for (const Hit& hit : index.search(queries.row(q), options)) {
      found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
    }
  }
  const auto n = static_cast<double>(queries.rows());
  return {.recall = static_cast<double>(found) / (n * kHits),
          .distances = static_cast<double>(stats.n_distances) / n,
          .seconds = now() - begin};
}

Hnsw built(MatrixView<const float> vectors, Progress* progress) {
  std::vector<ItemId> ids(vectors.rows());
  std::iota(ids.begin(), ids.end(), ItemId{0});
  Hnsw index(vectors.cols(), Metric::kSquaredL2, {.m = 16, .ef_construction = 200});
  index.add(ids, vectors, progress);
  return index;
}

// The slope of log y over log x, by least squares.
double power_exponent(std::span<const double> x, std::span<const double> y) {
  double mean_x = 0, mean_y = 0, xy = 0, xx = 0;
  const auto n = static_cast<double>(x.size());
  for (size_t i = 0; i < x.size(); ++i) {
    mean_x += std::log(x[i]) / n;
    mean_y += std::log(y[i]) / n;
  }
  for (size_t i = 0; i < x.size(); ++i) {
    xy += (std::log(x[i]) - mean_x) * (std::log(y[i]) - mean_y);
    xx += (std::log(x[i]) - mean_x) * (std::log(x[i]) - mean_x);
  }
  return xy / xx;
}

}  // namespace

std::vector<ClaimRow> reproduce_015(const ClaimContext& context) {
  const std::filesystem::path folder = context.cache / "data" / "mnist";
  const Matrix<float> all = read_idx(folder / "train-images-idx3-ubyte");
  const Matrix<float> test = read_idx(folder / "t10k-images-idx3-ubyte");
  const size_t n = std::min<size_t>(all.rows(), context.quick ? 16'000 : 60'000);
  const MatrixView<const float> vectors = all.view().slice(0, n);
  const MatrixView<const float> queries = test.view().slice(0, std::min(kQueries, test.rows()));

  const Hnsw index = built(vectors, context.progress);
  const Neighbors truth = exact_knn(queries, vectors, kHits);
  const Run wide = run(index, queries, truth, 100), narrow = run(index, queries, truth, 20);
  const double share = wide.distances / static_cast<double>(n);
  std::vector<ClaimRow> rows = {
      {"recall@10 at ef 100", "0.9989 (hnswlib)", wide.recall, ">= 0.997", wide.recall >= 0.997},
      {"recall@10 at ef 20", "0.974 (hnswlib)", narrow.recall, ">= 0.968", narrow.recall >= 0.968},
  };
  if (context.quick) return rows;  // what follows is about large n

  rows.push_back({"distances at ef 100 / n", "0.016 (hnswlib)", share, "<= 0.025", share <= 0.025});
  FlatIndex flat(vectors.cols(), Metric::kSquaredL2);
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), ItemId{0});
  flat.add(ids, vectors);
  const Run scan = run(flat, queries.slice(0, 100), truth, 0);
  const double speedup = scan.seconds * static_cast<double>(queries.rows()) / 100 / wide.seconds;
  rows.push_back(
      {"times faster than a scan, ef 100", "23 (hnswlib)", speedup, ">= 15", speedup >= 15});

  std::vector<double> sizes, distances;
  for (const size_t size : {size_t{1000}, size_t{4000}, size_t{16'000}, n}) {
    const MatrixView<const float> part = vectors.slice(0, size);
    const Run small = size == n ? narrow : run(built(part, nullptr), queries, truth, 20);
    sizes.push_back(static_cast<double>(size));
    distances.push_back(small.distances);
  }
  const double exponent = power_exponent(sizes, distances);
  rows.push_back({"exponent of n in distances at ef 20", "log n; 0.13 (hnswlib)", exponent,
                  "< 0.25", exponent < 0.25});
  return rows;
}

}  // namespace carya
