#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace carya {

// How often label a of one labelling meets label b of another: what every score of two partitions
// is computed from.  Labels are any numbers (-1 is a label like the others) and are renumbered by
// their first item.
struct Contingency {
  struct Cell {
    uint32_t row, col;
    size_t count;  // >= 1
  };
  size_t n_items = 0;
  std::vector<size_t> row_sums, col_sums;  // all >= 1
  std::vector<Cell> cells;                 // those that are not 0, by rising row
};

// a, b: labels [n].  O(n) time.  Throws kInvalidArgument if the lengths differ.
Contingency contingency(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace carya
