#include "carya/index/lid.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "carya/core/error.h"
#include "carya/core/rng.h"
#include "carya/simd/knn.h"

namespace carya {

std::vector<float> local_intrinsic_dimension(MatrixView<const float> points, size_t k,
                                             Progress* progress) {
  require(k >= 2, "k is {}: a dimension shows from 2 neighbours on", k);
  require(k < points.rows(), "k is {}, but a point has {} others: lower k", k,
          std::max<size_t>(points.rows(), 1) - 1);
  const Neighbors near = exact_knn_graph(points, k, Metric::kSquaredL2, progress);
  std::vector<float> lid(points.rows());
  for (size_t i = 0; i < lid.size(); ++i) {
    const std::span<const float> squared = near.distances.row(i);
    double sum = 0;
    size_t n = 0;
    for (float r2 : squared) {
      if (r2 <= 0) continue;
      sum += 0.5 * std::log(double{r2} / squared.back());  // squares: half the logarithm
      ++n;
    }
    lid[i] = n == 0    ? 0.0f
             : sum < 0 ? static_cast<float>(-static_cast<double>(n) / sum)
                       : std::numeric_limits<float>::infinity();
  }
  return lid;
}

std::vector<uint32_t> insertion_order(InsertionOrder order, const std::vector<float>& lid,
                                      uint64_t seed) {
  std::vector<uint32_t> rows(lid.size());
  std::iota(rows.begin(), rows.end(), 0u);
  Rng rng(seed);
  switch (order) {
    case InsertionOrder::kAsIs:
      break;
    case InsertionOrder::kRandom:
      for (size_t i = rows.size(); i > 1; --i) std::swap(rows[i - 1], rows[rng.below(i)]);
      break;
    case InsertionOrder::kLidAscending:
      std::ranges::stable_sort(rows, {}, [&](uint32_t row) { return lid[row]; });
      break;
    case InsertionOrder::kLidDescending:
      std::ranges::stable_sort(rows, std::ranges::greater(),
                               [&](uint32_t row) { return lid[row]; });
      break;
  }
  return rows;
}

}  // namespace carya
