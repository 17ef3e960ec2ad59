// Flat and product-quantised search (Johnson, Douze & Jegou 2017), card 173: exact tiles give what
// a double loop gives; 16 bytes a vector keep the true neighbour among the first few; 4-bit codes
// in registers are scanned several times faster than bytes.
#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/index/ivf_pq.h"
#include "carya/io/vectors.h"
#include "carya/simd/code_scan.h"
#include "carya/simd/distance.h"
#include "carya/simd/knn.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kQueries = 500, kLists = 64, kProbes = 8;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// The share of queries whose nearest point is among the first k hits.
double recall_of_first(const IvfPq& index, MatrixView<const float> queries, const Neighbors& truth,
                       const SearchOptions& options) {
  size_t n_found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    const auto hits = index.search(queries.row(q), options);
    n_found += std::ranges::any_of(hits, [&](const Hit& hit) { return hit.id == truth.ids(q, 0); });
  }
  return static_cast<double>(n_found) / static_cast<double>(queries.rows());
}

// Of queries for which the tiles give the ids that all distances, sorted, give.
double equal_share(MatrixView<const float> queries, MatrixView<const float> points,
                   const Neighbors& tiles) {
  const size_t k = tiles.ids.cols();
  size_t n_equal = 0;
  std::vector<float> row(points.rows());
  std::vector<uint32_t> order(points.rows());
  for (size_t q = 0; q < queries.rows(); ++q) {
    distances(Metric::kSquaredL2, queries.row(q), points, row);
    std::iota(order.begin(), order.end(), 0u);
    std::partial_sort(
        order.begin(), order.begin() + static_cast<ptrdiff_t>(k), order.end(),
        [&](uint32_t a, uint32_t b) { return row[a] != row[b] ? row[a] < row[b] : a < b; });
    n_equal += std::equal(tiles.ids.row(q).begin(), tiles.ids.row(q).end(), order.begin());
  }
  return static_cast<double>(n_equal) / static_cast<double>(queries.rows());
}

// Seconds for a pass over codes of 16 bytes that stay in the second cache, the best of many.
template <class Pass>
double least_seconds(const Pass& pass) {
  double best = 1e30;
  for (int repeat = 0; repeat < 200; ++repeat) {
    const double begin = now();
    pass();
    best = std::min(best, now() - begin);
  }
  return best;
}

double short_codes_speedup() {
  constexpr size_t kCodes = 32'768, kBytes = 16;
  std::vector<uint8_t> codes(kCodes * kBytes), short_tables(16 * 2 * kBytes);
  for (size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<uint8_t>(i * 2654435761u >> 13);
  for (size_t i = 0; i < short_tables.size(); ++i) short_tables[i] = static_cast<uint8_t>(i * 37);
  std::vector<float> tables(256 * kBytes), sums(kCodes);
  for (size_t i = 0; i < tables.size(); ++i) tables[i] = static_cast<float>(i % 251);
  std::vector<uint16_t> short_sums(kCodes);
  const double by_bytes = least_seconds(
      [&] { sum_byte_codes(codes.data(), kCodes, kBytes, tables.data(), sums.data()); });
  const double by_nibbles = least_seconds([&] {
    sum_codes(codes.data(), kCodes / kCodesPerBlock, 2 * kBytes, short_tables.data(),
              short_sums.data());
  });
  return by_bytes / by_nibbles;
}

}  // namespace

std::vector<ClaimRow> reproduce_173(const ClaimContext& context) {
  const std::filesystem::path folder = context.cache / "data" / "mnist";
  const Matrix<float> all = read_idx(folder / "train-images-idx3-ubyte");
  const Matrix<float> test = read_idx(folder / "t10k-images-idx3-ubyte");
  const size_t n = std::min<size_t>(all.rows(), context.quick ? 16'000 : 60'000);
  const MatrixView<const float> vectors = all.view().slice(0, n);
  const MatrixView<const float> queries = test.view().slice(0, kQueries);
  const Neighbors truth = exact_knn(queries, vectors, 10);
  const double equal = equal_share(queries, vectors, truth);

  IvfPq index(vectors.cols(), Metric::kSquaredL2,
              {.n_lists = kLists, .n_parts = 16, .bits = 8, .rotate = false});
  index.train(vectors, context.progress);
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), ItemId{0});
  index.add(ids, vectors, context.progress);
  const double first10 = recall_of_first(index, queries, truth, {.k = 10, .effort = kProbes});
  const double first100 = recall_of_first(index, queries, truth, {.k = 100, .effort = kProbes});
  std::vector<ClaimRow> rows = {
      {"queries with the ids of a double loop", "all", equal, "= 1", equal == 1},
      {"true neighbour in the first 10, 16 bytes", "0.918 (faiss)", first10, ">= 0.90",
       first10 >= 0.90},
      {"true neighbour in the first 100", "0.996 (faiss)", first100, ">= 0.985", first100 >= 0.985},
  };
  const double speedup = short_codes_speedup();
  rows.push_back(
      {"4-bit scan, times faster than 8-bit, equal bytes", ">= 3", speedup, ">= 3", speedup >= 3});
  return rows;
}

}  // namespace carya
