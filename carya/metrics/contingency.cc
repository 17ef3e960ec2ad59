#include "carya/metrics/contingency.h"

#include <unordered_map>

#include "carya/core/error.h"

namespace carya {
namespace {

// Labels as 0, 1, ... by their first item, and how often each occurs.
std::vector<uint32_t> renumber(std::span<const int32_t> labels, std::vector<size_t>& sums) {
  std::unordered_map<int32_t, uint32_t> number;
  std::vector<uint32_t> result;
  result.reserve(labels.size());
  for (const int32_t label : labels) {
    const auto [it, is_new] = number.try_emplace(label, static_cast<uint32_t>(sums.size()));
    if (is_new) sums.push_back(0);
    ++sums[it->second];
    result.push_back(it->second);
  }
  return result;
}

}  // namespace

Contingency contingency(std::span<const int32_t> a, std::span<const int32_t> b) {
  require(a.size() == b.size(),
          "two labellings of {} and {} items cannot be compared: give the "
          "labels of the same items in the same order",
          a.size(), b.size());
  Contingency table;
  table.n_items = a.size();
  const std::vector<uint32_t> rows = renumber(a, table.row_sums);
  const std::vector<uint32_t> cols = renumber(b, table.col_sums);

  std::vector<size_t> first(table.row_sums.size() + 1, 0);  // items sorted by row: counting sort
  for (size_t r = 0; r < table.row_sums.size(); ++r) first[r + 1] = first[r] + table.row_sums[r];
  std::vector<uint32_t> col_of(a.size());
  std::vector<size_t> next(first.begin(), first.end() - 1);
  for (size_t i = 0; i < a.size(); ++i) col_of[next[rows[i]]++] = cols[i];

  std::vector<size_t> cell_of_col(table.col_sums.size(), 0);  // its cell in this row, if any
  for (size_t r = 0; r < table.row_sums.size(); ++r) {
    const size_t row_begin = table.cells.size();
    for (size_t i = first[r]; i < first[r + 1]; ++i) {
      const uint32_t col = col_of[i];
      size_t& cell = cell_of_col[col];
      const bool is_known =
          cell >= row_begin && cell < table.cells.size() && table.cells[cell].col == col;
      if (!is_known) {
        cell = table.cells.size();
        table.cells.push_back({static_cast<uint32_t>(r), col, 0});
      }
      ++table.cells[cell].count;
    }
  }
  return table;
}

}  // namespace carya
