// Rows::train: the range of codes, and how far they can be trusted.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "carya/index/rows.h"

namespace carya {
namespace {

constexpr size_t kQueries = 64;  // vectors of the sample whose nearest in it are looked up
constexpr size_t kNear = 16;     // of them, at most
constexpr double kErrorQuantile = 0.99;
// Rounding may add at most this share to the distance of a near neighbour, or the codes are of no
// use.  Near: of the lowest tenth, in a sample; those of all vectors are nearer.
constexpr double kMaxNoise = 0.05, kNearQuantile = 0.1;

// The scale with the least squared error over the sample: what is far out may be clamped where that
// helps the rest.
Quantizer fit(CodeRange range, bool l2, MatrixView<const float> sample, std::span<const float> low,
              std::span<const float> high) {
  const size_t dim = sample.cols();
  const auto steps = static_cast<float>(range.highest - range.lowest) / 2;  // to either side
  std::vector<float> middle(dim, 0);
  float largest = 0;
  for (size_t j = 0; j < dim; ++j) {
    if (l2) middle[j] = low[j] / 2 + high[j] / 2;
    largest = std::max({largest, middle[j] - low[j], high[j] - middle[j]});
  }
  Quantizer quantizer;
  quantizer.offsets.assign(dim, 0);
  double best = INFINITY;
  for (float share = 1; share > 0.1f; share *= 0.85f) {
    const float scale = std::max(share * largest / steps, kLeastScale);
    double outside = 0;  // squared, in steps
    for (size_t i = 0; i < sample.rows(); ++i) {
      for (size_t j = 0; j < dim; ++j) {
        const float beyond = std::max(std::abs(sample(i, j) - middle[j]) / scale - steps, 0.0f);
        outside += double{beyond} * beyond;
      }
    }
    // Within the range the error of rounding is uniform: its variance is 1/12.
    const double error = (outside + static_cast<double>(sample.rows() * dim) / 12) * scale * scale;
    if (error >= best) continue;
    best = error;
    quantizer.scale = scale;
  }
  for (size_t j = 0; l2 && j < dim; ++j) {
    quantizer.offsets[j] = middle[j] - steps * quantizer.scale;
  }
  return quantizer;
}

double quantile(std::vector<double>& values, double share) {
  if (values.empty()) return 0;
  const auto at =
      values.begin() + static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, at);
  return *at;
}

}  // namespace

bool Rows::train(MatrixView<const float> sample, std::span<const float> low,
                 std::span<const float> high) {
  const bool l2 = metric_ == Metric::kSquaredL2;
  Quantizer quantizer = fit(code_range(format_, metric_), l2, sample, low, high);
  set_quantizer(quantizer);
  Rows coded = *this;
  coded.bytes_ = {};
  coded.resize(sample.rows());
  for (size_t i = 0; i < sample.rows(); ++i) coded.write(i, sample.row(i));

  std::vector<uint32_t> all(sample.rows());
  std::iota(all.begin(), all.end(), 0u);
  std::vector<float> by_codes(all.size());
  std::vector<std::pair<double, uint32_t>> squared(all.size());
  std::vector<double> nearest, errors;
  const size_t n_queries = std::min(kQueries, sample.rows());
  for (size_t q = 0; q < n_queries; ++q) {
    const size_t at = q * sample.rows() / n_queries;
    const std::span<const float> vector = sample.row(at);
    const Query query = coded.query(vector);
    coded.set().distances(query.bytes.data(), all, by_codes.data());
    double length = 0;
    for (float x : vector) length += double{x} * x;
    for (uint32_t i = 0; i < all.size(); ++i) {
      double sum = 0;
      for (size_t j = 0; j < dim_; ++j) {
        const double difference = double{vector[j]} - sample(i, j);
        sum += difference * difference;
      }
      squared[i] = {std::isfinite(sum) ? sum : INFINITY, i};  // a damaged file may hold NaNs
    }
    const size_t n_near = std::min(kNear, squared.size());
    std::ranges::partial_sort(squared, squared.begin() + static_cast<ptrdiff_t>(n_near));
    bool is_first = true;
    for (const auto& [distance, i] : std::span(squared).first(n_near)) {
      if (distance == 0 || !std::isfinite(distance))
        continue;  // equal vectors have one node in a graph
      if (is_first) nearest.push_back(distance);
      is_first = false;
      const double coded_distance = double{by_codes[i]} * query.unit;
      if (l2) {
        errors.push_back((coded_distance - distance) / distance);
      } else if (length > 0) {
        double product = 0;
        for (size_t j = 0; j < dim_; ++j) product += double{vector[j]} * sample(i, j);
        errors.push_back((coded_distance + product) / std::sqrt(length));
      }
    }
  }
  std::erase_if(errors, [](double error) { return !std::isfinite(error); });
  quantizer.error = static_cast<float>(std::max(quantile(errors, kErrorQuantile), 0.0));
  // A relative error e of the larger kind makes least() d (1 - e / (1 + e)).
  if (l2) quantizer.error /= 1 + quantizer.error;
  const bool tells_apart = quantizer.noise() <= kMaxNoise * quantile(nearest, kNearQuantile);
  set_quantizer(std::move(quantizer));
  return tells_apart;
}

}  // namespace carya
