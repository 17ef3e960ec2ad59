#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

namespace carya {

// How far two vectors are apart; small = near.  For the first three float sums in a fixed order, so
// a pair has the same distance whatever the number of threads; the binary ones are exact.
enum class Metric : uint32_t {
  kSquaredL2 = 0,     // sum (a_i - b_i)^2; its root is the Euclidean distance
  kInnerProduct = 1,  // -sum a_i b_i: may be negative, no metric in the strict sense
  kCosine = 2,        // 1 - a.b / (|a| |b|); 1 if one of them is 0
  kHamming = 3,       // of numbers 0 and 1: how many differ
  kJaccard = 4,       // of numbers 0 and 1, as sets: 1 - |a & b| / |a | b|; 0 if both are empty
  kUser = 5,          // a DistanceFunction; FlatIndex and Hnsw take one in their options
};

// A distance of the caller's own between two vectors of the same dim; small = near.  Symmetric, the
// same for the same vectors whenever it is asked, safe to call from many threads at once, and never
// throwing.  A NaN counts as infinitely far.
using DistanceFunction = std::function<float(std::span<const float> a, std::span<const float> b)>;

// Whether all numbers must be 0 or 1.
constexpr bool is_binary(Metric metric) {
  return metric == Metric::kHamming || metric == Metric::kJaccard;
}

// "squared_l2", "inner_product", "cosine", "hamming", "jaccard", "user"
std::string_view metric_name(Metric metric);
// Throws kInvalidArgument naming what is allowed.  "l2", "ip" and "cos" are accepted too, "user" is
// not: a name holds no function.
Metric metric_from_name(std::string_view name);

}  // namespace carya
