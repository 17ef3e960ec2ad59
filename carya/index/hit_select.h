#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "carya/index/index.h"

namespace carya {

// The order of all answers.  A distance that overflowed to NaN counts as infinite, or sorting would
// run out of bounds.
inline bool nearer(const Hit& a, const Hit& b) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float x = std::isnan(a.distance) ? kInfinity : a.distance;
  const float y = std::isnan(b.distance) ? kInfinity : b.distance;
  return x < y || (x == y && a.id < b.id);
}

// Keeps the k nearest hits of a stream in any order.  O(1) amortised per hit, 2 k + 64 hits.
class HitSelect {
 public:
  explicit HitSelect(size_t k) : k_(k) {}
  // What is farther cannot enter.
  float threshold() const noexcept { return threshold_; }
  void push(const Hit& hit) {
    hits_.push_back(hit);
    if (hits_.size() == 2 * k_ + 64) shrink();
  }
  void push(std::span<const Hit> hits) {
    for (const Hit& hit : hits) push(hit);
  }
  // The k nearest, nearest first.  The selection is empty then.
  std::vector<Hit> take() {
    if (hits_.size() > k_) shrink();
    std::ranges::sort(hits_, nearer);
    return std::move(hits_);
  }

 private:
  void shrink() {
    std::ranges::nth_element(hits_, hits_.begin() + static_cast<ptrdiff_t>(k_ - 1), nearer);
    hits_.resize(k_);
    threshold_ = hits_.back().distance;
  }
  size_t k_;
  float threshold_ = std::numeric_limits<float>::infinity();
  std::vector<Hit> hits_;
};

}  // namespace carya
