#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carya/atlas/item_store.h"

namespace carya {

enum class ColumnKind {
  kNumber,    // integers and other numbers
  kDate,      // texts that are all ISO 8601 dates
  kCategory,  // texts of at most kMaxCategories different values
  kText,      // other texts: names, addresses
};
constexpr size_t kMaxCategories = 1000;         // more are no choice that people make
constexpr uint32_t kNoCategory = 0xffffffffu;   // no value
std::string_view column_kind_name(ColumnKind);  // "number", "date", "category", "text"

// Seconds since 1970 of an ISO 8601 date as a whole: 2024-02-29, with a time 2024-02-29T12:30 or
// 2024-02-29 12:30:15.5, with Z or +01:00 (none is UTC). No date that does not exist.
std::optional<double> parse_date(std::string_view text);

// A column of metadata as numbers or codes, for counting.  Immutable, so many threads may share it.
struct ColumnSummary {
  std::string name;
  ColumnKind kind = ColumnKind::kText;
  size_t n_missing = 0, n_distinct = 0;
  double min = 0, max = 0;              // of numbers and dates; 0 if there are none
  std::vector<double> numbers;          // [n_items] for numbers and dates (seconds); NaN: no value
  std::vector<uint32_t> codes;          // [n_items] for categories: into categories, or kNoCategory
  std::vector<std::string> categories;  // the most frequent first, equal ones by their bytes

  // O(n log n).  Throws kInvalidArgument listing the columns if there is no such.
  static ColumnSummary of(const ItemStore& items, std::string_view column);
  // Edges [n_bins + 1] from min to max: equal in width, or, for numbers >= 0 of which the
  // largest is over a hundred times the median, in ratio (the first bin has the zeros, too).  One
  // bin if all numbers are equal.
  std::vector<double> bin_edges(size_t n_bins) const;
  // How many of the items lie in each bin, [edges.size() - 1]; the last bin has its upper edge.
  std::vector<size_t> histogram(std::span<const double> edges,
                                std::span<const uint32_t> items) const;
  // How many of the items have each category, [categories.size()].
  std::vector<size_t> counts(std::span<const uint32_t> items) const;
  size_t count_missing(std::span<const uint32_t> items) const;
};

}  // namespace carya
