#include "carya/atlas/column_summary.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <map>
#include <unordered_set>

#include "carya/core/error.h"

namespace carya {
namespace {

constexpr double kSkewed = 100;  // largest value over the median, beyond which bins go by ratio
constexpr double kWidest = 1e8;  // largest value over the lowest edge above 0 of such bins

// Digits at the front of `rest`, taken off it; none if there are fewer than n.
std::optional<int> take_digits(std::string_view& rest, size_t n) {
  int value = 0;
  if (rest.size() < n) return std::nullopt;
  for (const char c : rest.substr(0, n)) {
    if (c < '0' || c > '9') return std::nullopt;
    value = 10 * value + (c - '0');
  }
  rest.remove_prefix(n);
  return value;
}

bool take(std::string_view& rest, char c) {
  if (rest.empty() || rest.front() != c) return false;
  rest.remove_prefix(1);
  return true;
}

// Hours and minutes as seconds: 12:30.
std::optional<double> take_hours_minutes(std::string_view& rest) {
  const auto hours = take_digits(rest, 2);
  if (!hours || *hours > 23 || !take(rest, ':')) return std::nullopt;
  const auto minutes = take_digits(rest, 2);
  if (!minutes || *minutes > 59) return std::nullopt;
  return 3600.0 * *hours + 60.0 * *minutes;
}

// :15 or :15.25, as seconds; 0 where there are none.
std::optional<double> take_seconds(std::string_view& rest) {
  if (!take(rest, ':')) return 0;
  const auto whole = take_digits(rest, 2);
  if (!whole || *whole > 60) return std::nullopt;  // 60: a leap second
  double seconds = *whole;
  if (take(rest, '.')) {
    if (rest.empty() || rest.front() < '0' || rest.front() > '9') return std::nullopt;
    for (double unit = 0.1; !rest.empty() && rest.front() >= '0' && rest.front() <= '9';
         unit /= 10) {
      seconds += unit * (rest.front() - '0');
      rest.remove_prefix(1);
    }
  }
  return seconds;
}

// Z, +01:00 or nothing, as seconds east of Greenwich.
std::optional<double> take_zone(std::string_view& rest) {
  if (rest.empty() || take(rest, 'Z')) return 0;
  const double sign = rest.front() == '-' ? -1 : 1;
  if (!take(rest, '+') && !take(rest, '-')) return std::nullopt;
  const auto offset = take_hours_minutes(rest);
  if (!offset) return std::nullopt;
  return sign * *offset;
}

double as_number(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* number = std::get_if<double>(&value)) return *number;
  return std::nan("");
}

std::string_view as_text(const Value& value) {
  const auto* text = std::get_if<std::string>(&value);
  return text == nullptr ? std::string_view() : std::string_view(*text);
}

bool all_dates(std::span<const Value> values) {
  bool any = false;
  for (const Value& value : values) {
    if (value.index() == 0) continue;
    if (!parse_date(as_text(value))) return false;
    any = true;
  }
  return any;
}

void summarize_numbers(ColumnSummary& summary) {
  std::vector<double> present;
  for (const double x : summary.numbers) {
    if (!std::isnan(x)) present.push_back(x);
  }
  summary.n_missing = summary.numbers.size() - present.size();
  std::ranges::sort(present);
  if (!present.empty()) summary.min = present.front(), summary.max = present.back();
  present.erase(std::ranges::unique(present).begin(), present.end());
  summary.n_distinct = present.size();
}

void summarize_texts(ColumnSummary& summary, std::span<const Value> values) {
  std::map<std::string_view, size_t> counts;
  for (const Value& value : values) {
    if (value.index() == 0) {
      ++summary.n_missing;
    } else {
      ++counts[as_text(value)];
    }
  }
  summary.n_distinct = counts.size();
  // Ids and addresses are no categories, even if they are few.
  const bool names_items = counts.size() > 20 && counts.size() * 2 > values.size();
  if (counts.size() > kMaxCategories || names_items) return;
  summary.kind = ColumnKind::kCategory;
  std::vector<std::pair<std::string_view, size_t>> sorted(counts.begin(), counts.end());
  std::ranges::stable_sort(sorted, std::greater<>(),
                           [](const auto& entry) { return entry.second; });
  for (size_t code = 0; code < sorted.size(); ++code) {
    summary.categories.emplace_back(sorted[code].first);
    counts[sorted[code].first] = code;
  }
  for (const Value& value : values) {
    summary.codes.push_back(value.index() == 0 ? kNoCategory
                                               : static_cast<uint32_t>(counts[as_text(value)]));
  }
}

}  // namespace

std::string_view column_kind_name(ColumnKind kind) {
  switch (kind) {
    case ColumnKind::kNumber:
      return "number";
    case ColumnKind::kDate:
      return "date";
    case ColumnKind::kCategory:
      return "category";
    case ColumnKind::kText:
      return "text";
  }
  return "";
}

std::optional<double> parse_date(std::string_view text) {
  using namespace std::chrono;
  const auto y = take_digits(text, 4);
  if (!y || !take(text, '-')) return std::nullopt;
  const auto m = take_digits(text, 2);
  if (!m || !take(text, '-')) return std::nullopt;
  const auto d = take_digits(text, 2);
  if (!d) return std::nullopt;
  const year_month_day date(year(*y), month(static_cast<unsigned>(*m)),
                            day(static_cast<unsigned>(*d)));
  if (!date.ok()) return std::nullopt;
  double result = 86400.0 * static_cast<double>(sys_days(date).time_since_epoch().count());
  if (text.empty()) return result;
  if (!take(text, 'T') && !take(text, ' ')) return std::nullopt;
  const auto clock = take_hours_minutes(text);
  if (!clock) return std::nullopt;
  const auto seconds = take_seconds(text);
  if (!seconds) return std::nullopt;
  const auto zone = take_zone(text);
  if (!zone || !text.empty()) return std::nullopt;
  return result + *clock + *seconds - *zone;
}

ColumnSummary ColumnSummary::of(const ItemStore& items, std::string_view column) {
  const std::vector<Value> values = items.values(column);
  const auto known = std::ranges::find(items.columns(), column, &MetadataColumn::name);
  ColumnSummary summary;
  summary.name = column;
  if (known->type != ColumnType::kText) {
    summary.kind = ColumnKind::kNumber;
    for (const Value& value : values) summary.numbers.push_back(as_number(value));
    summarize_numbers(summary);
  } else if (all_dates(values)) {
    summary.kind = ColumnKind::kDate;
    for (const Value& value : values) {
      summary.numbers.push_back(parse_date(as_text(value)).value_or(std::nan("")));
    }
    summarize_numbers(summary);
  } else {
    summarize_texts(summary, values);
  }
  return summary;
}

std::vector<double> ColumnSummary::bin_edges(size_t n_bins) const {
  require(n_bins >= 1, "a histogram has one bin or more");
  if (min == max) return {min, max};
  std::vector<double> present;
  for (const double x : numbers) {
    if (!std::isnan(x)) present.push_back(x);
  }
  const auto middle = present.begin() + static_cast<ptrdiff_t>(present.size() / 2);
  std::ranges::nth_element(present, middle);
  const bool by_ratio = kind == ColumnKind::kNumber && min >= 0 && max > kSkewed * *middle;
  double least = max;  // positive number
  for (const double x : present) {
    if (x > 0) least = std::min(least, x);
  }
  least = std::max(least, max / kWidest);
  std::vector<double> edges(n_bins + 1);
  for (size_t i = 0; i <= n_bins; ++i) {
    const double t = static_cast<double>(i) / static_cast<double>(n_bins);
    // (1 - t) min + t max, so that a range beyond the largest double does not overflow
    edges[i] = by_ratio ? least * std::pow(max / least, t) : (1 - t) * min + t * max;
  }
  edges.front() = min;
  edges.back() = max;
  return edges;
}

std::vector<size_t> ColumnSummary::histogram(std::span<const double> edges,
                                             std::span<const uint32_t> items) const {
  CARYA_ASSERT(edges.size() >= 2);
  std::vector<size_t> counts(edges.size() - 1);
  for (const uint32_t item : items) {
    const double x = numbers[item];
    if (std::isnan(x)) continue;
    const auto above = std::ranges::upper_bound(edges, x);
    const auto bin = std::clamp<ptrdiff_t>(above - edges.begin() - 1, 0,
                                           static_cast<ptrdiff_t>(counts.size()) - 1);
    ++counts[static_cast<size_t>(bin)];
  }
  return counts;
}

std::vector<size_t> ColumnSummary::counts(std::span<const uint32_t> items) const {
  std::vector<size_t> result(categories.size());
  for (const uint32_t item : items) {
    if (codes[item] != kNoCategory) ++result[codes[item]];
  }
  return result;
}

size_t ColumnSummary::count_missing(std::span<const uint32_t> items) const {
  return static_cast<size_t>(std::ranges::count_if(items, [&](uint32_t item) {
    return codes.empty() ? std::isnan(numbers[item]) : codes[item] == kNoCategory;
  }));
}

}  // namespace carya
