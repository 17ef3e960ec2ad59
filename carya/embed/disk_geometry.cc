#include <algorithm>
#include <cmath>
#include <utility>

#include "carya/embed/disk_layout.h"

namespace carya {

std::complex<double> to_poincare(const DiskPoint& point) {
  return std::polar(std::tanh(point.distance / 2), point.angle);
}

double hyperbolic_distance(const DiskPoint& a, const DiskPoint& b) {
  return (DiskMotion::to(a).inverse() * DiskMotion::to(b)).origin().distance;
}

DiskMotion DiskMotion::to(const DiskPoint& point) {
  const std::complex<double> half_turn = std::polar(1.0, point.angle / 2);
  return {half_turn * std::cosh(point.distance / 2), half_turn * std::sinh(point.distance / 2)};
}

DiskMotion DiskMotion::inverse() const { return {std::conj(a_), -b_}; }

DiskMotion DiskMotion::operator*(const DiskMotion& other) const {
  return {a_ * other.a_ + b_ * std::conj(other.b_), a_ * other.b_ + b_ * std::conj(other.a_)};
}

DiskPoint DiskMotion::origin() const { return {std::arg(b_ * a_), 2 * std::asinh(std::abs(b_))}; }

size_t count_coincident(std::span<const DiskPoint> points) {
  std::vector<std::pair<float, float>> places;
  places.reserve(points.size());
  for (const DiskPoint& point : points) {
    const std::complex<double> z = to_poincare(point);
    places.emplace_back(static_cast<float>(z.real()), static_cast<float>(z.imag()));
  }
  std::ranges::sort(places);
  size_t n = 0;
  for (size_t i = 0; i < places.size(); ++i) {
    const bool as_before = i > 0 && places[i] == places[i - 1];
    const bool as_after = i + 1 < places.size() && places[i] == places[i + 1];
    n += as_before || as_after;
  }
  return n;
}

}  // namespace carya
