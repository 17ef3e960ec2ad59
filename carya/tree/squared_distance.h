#pragma once

#include <cstddef>

namespace carya {

// Squared Euclidean distance in double, from direct differences and in a fixed order of sums: the
// same on every machine and for (a, b) as for (b, a).  Where it decides, float is only a filter.
inline double squared_distance(const float* a, const float* b, size_t dim) noexcept {
  const auto square = [&](size_t j) {
    const double diff = static_cast<double>(a[j]) - static_cast<double>(b[j]);
    return diff * diff;
  };
  double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;  // independent chains
  size_t j = 0;
  for (; j + 4 <= dim; j += 4) {
    sum0 += square(j);
    sum1 += square(j + 1);
    sum2 += square(j + 2);
    sum3 += square(j + 3);
  }
  for (; j < dim; ++j) sum0 += square(j);
  return (sum0 + sum1) + (sum2 + sum3);
}

}  // namespace carya
