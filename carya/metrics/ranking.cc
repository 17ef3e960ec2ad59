#include "carya/metrics/ranking.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

namespace carya {
namespace {

double discounted_gain(std::span<const float> gains, size_t k) {
  double sum = 0;
  for (size_t i = 0; i < std::min(k, gains.size()); ++i) {
    sum += static_cast<double>(gains[i]) / std::log2(static_cast<double>(i) + 2);
  }
  return sum;
}

}  // namespace

double recall_at_k(MatrixView<const uint32_t> found, MatrixView<const uint32_t> exact, size_t k) {
  require(found.rows() == exact.rows(), "{} answers for {} queries", found.rows(), exact.rows());
  require(k >= 1 && k <= found.cols() && k <= exact.cols(),
          "k is {}, but {} hits were found and {} exact ones given: k is in 1 .. {}", k,
          found.cols(), exact.cols(), std::min(found.cols(), exact.cols()));
  if (found.rows() == 0) return 1;
  size_t n_common = 0;
  std::vector<uint32_t> a, b;
  for (size_t q = 0; q < found.rows(); ++q) {
    const auto sorted = [&](std::span<const uint32_t> row, std::vector<uint32_t>& ids) {
      ids.assign(row.begin(), row.begin() + static_cast<ptrdiff_t>(k));
      std::ranges::sort(ids);
    };
    sorted(found.row(q), a);
    sorted(exact.row(q), b);
    for (size_t i = 0, j = 0; i < k && j < k;) {
      n_common += a[i] == b[j];
      const bool a_first = a[i] < b[j], b_first = b[j] < a[i];
      i += !b_first;
      j += !a_first;
    }
  }
  return static_cast<double>(n_common) / static_cast<double>(found.rows() * k);
}

double reciprocal_rank(std::span<const float> gains) {
  const auto first = std::ranges::find_if(gains, [](float gain) { return gain > 0; });
  return first == gains.end() ? 0 : 1.0 / static_cast<double>(first - gains.begin() + 1);
}

double average_precision(std::span<const float> gains, size_t n_relevant) {
  size_t n_found = 0;
  double sum = 0;
  for (size_t i = 0; i < gains.size(); ++i) {
    if (gains[i] > 0) sum += static_cast<double>(++n_found) / static_cast<double>(i + 1);
  }
  require(n_found <= n_relevant, "{} relevant hits of {} relevant items", n_found, n_relevant);
  return n_relevant == 0 ? 0 : sum / static_cast<double>(n_relevant);
}

double ndcg_at_k(std::span<const float> gains, std::span<const float> ideal_gains, size_t k) {
  std::vector<float> best(ideal_gains.begin(), ideal_gains.end());
  std::ranges::sort(best, std::greater<>());
  const double ideal = discounted_gain(best, k);
  return ideal == 0 ? 0 : discounted_gain(gains, k) / ideal;
}

}  // namespace carya
