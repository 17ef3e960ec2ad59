#include "carya/core/rng.h"

#include <Random123/philox.h>

#include <cmath>
#include <numbers>

#include "carya/core/error.h"

namespace carya {

uint64_t Rng::next() {
  if (left_ == 0) {
    const auto low = [](uint64_t x) { return static_cast<uint32_t>(x); };
    const auto high = [](uint64_t x) { return static_cast<uint32_t>(x >> 32); };
    const r123::Philox4x32::ctr_type counter{
        {low(block_), high(block_), low(stream_), high(stream_)}};
    const r123::Philox4x32::key_type key{{low(seed_), high(seed_)}};
    const auto bits = r123::Philox4x32{}(counter, key);
    buffer_ = {bits[0] | uint64_t{bits[1]} << 32, bits[2] | uint64_t{bits[3]} << 32};
    ++block_;
    left_ = 2;
  }
  return buffer_[--left_];
}

double Rng::uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }

double Rng::normal() {  // Box & Muller; the second value is dropped, so that no state is hidden
  const double radius = std::sqrt(-2 * std::log(1 - uniform()));
  return radius * std::cos(2 * std::numbers::pi * uniform());
}

uint64_t Rng::below(uint64_t n) {
  CARYA_ASSERT(n >= 1);
  const uint64_t biased = (0 - n) % n;  // the first 2^64 mod n values would be drawn too often
  for (;;) {
    const uint64_t x = next();
    if (x >= biased) return x % n;
  }
}

}  // namespace carya
