#pragma once

#include <cstdint>
#include <string_view>

namespace carya {

// How far two vectors are apart; small = near.  For all of them float sums in a fixed order, so a
// pair has the same distance whatever the number of threads.
enum class Metric : uint32_t {
  kSquaredL2 = 0,     // sum (a_i - b_i)^2; its root is the Euclidean distance
  kInnerProduct = 1,  // -sum a_i b_i: may be negative, no metric in the strict sense
  kCosine = 2,        // 1 - a.b / (|a| |b|); 1 if one of them is 0
};

std::string_view metric_name(Metric metric);  // "squared_l2", "inner_product", "cosine"
// Throws kInvalidArgument naming what is allowed.  "l2", "ip" and "cos" are accepted too.
Metric metric_from_name(std::string_view name);

}  // namespace carya
