#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace carya {

// Counter-based random numbers (Philox 4x32-10, Salmon et al. 2011): number i of stream s depends
// on (seed, s, i) only.  Give each item or block its own stream, and the result does not depend on
// the number of threads.
class Rng {
 public:
  explicit Rng(uint64_t seed, uint64_t stream = 0) : seed_(seed), stream_(stream) {}
  uint64_t next();             // all 64 bits
  double uniform();            // [0, 1)
  double normal();             // mean 0, variance 1
  uint64_t below(uint64_t n);  // 0 .. n-1, without bias; n >= 1

 private:
  uint64_t seed_, stream_, block_ = 0;
  std::array<uint64_t, 2> buffer_{};
  unsigned left_ = 0;
};

}  // namespace carya
