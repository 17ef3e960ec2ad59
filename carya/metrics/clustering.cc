#include "carya/metrics/clustering.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <vector>

namespace carya {
namespace {

// sum of -p log p, in nats.
double entropy(const std::vector<size_t>& sums, size_t n_items) {
  const auto n = static_cast<double>(n_items);
  double result = 0;
  for (const size_t sum : sums) {
    const auto count = static_cast<double>(sum);
    result -= count / n * std::log(count / n);
  }
  return result;
}

double mutual_information(const Contingency& table) {
  const auto n = static_cast<double>(table.n_items);
  double result = 0;
  for (const auto& cell : table.cells) {
    const auto count = static_cast<double>(cell.count);
    const auto row_sum = static_cast<double>(table.row_sums[cell.row]);
    const auto col_sum = static_cast<double>(table.col_sums[cell.col]);
    result += count / n * (std::log(count / row_sum) + std::log(n / col_sum));
  }
  return std::max(0.0, result);
}

// Both labellings say the same, or there is nothing to say.
bool is_same_partition(const Contingency& table) {
  return table.cells.size() == table.row_sums.size() && table.cells.size() == table.col_sums.size();
}

// E[x/n log(x n / (a b))] for x hypergeometric: a of n items drawn, b of them marked.  Its
// probabilities follow from the mode's by a ratio of neighbours and are then normalised, so that
// no factorial is needed; 1e-18 of the mode's is below what a double sum can hold.
double expected_cell(double a, double b, double n, const std::vector<double>& log_of) {
  constexpr double kNegligible = 1e-18;
  const double lowest = std::max(0.0, a + b - n), highest = std::min(a, b);
  const double mode = std::clamp(std::floor((a + 1) * (b + 1) / (n + 2)), lowest, highest);
  const double offset = std::log(n) - std::log(a) - std::log(b);
  double total = 0, sum = 0;
  const auto add = [&](double x, double probability) {
    total += probability;
    if (x >= 1) sum += probability * x * (log_of[static_cast<size_t>(x)] + offset);
  };
  double probability = 1;
  add(mode, probability);
  for (double x = mode; x < highest && probability > kNegligible; ++x) {
    probability *= (a - x) * (b - x) / ((x + 1) * (n - a - b + x + 1));
    add(x + 1, probability);
  }
  probability = 1;
  for (double x = mode; x > lowest && probability > kNegligible; --x) {
    probability *= x * (n - a - b + x) / ((a - x + 1) * (b - x + 1));
    add(x - 1, probability);
  }
  return sum / total / n;
}

// How many clusters have each size: pairs of equal sizes have equal expectations.
std::map<size_t, size_t> size_counts(const std::vector<size_t>& sums) {
  std::map<size_t, size_t> counts;
  for (const size_t sum : sums) ++counts[sum];
  return counts;
}

double expected_mutual_information(const Contingency& table) {
  const std::map<size_t, size_t> rows = size_counts(table.row_sums);
  const std::map<size_t, size_t> cols = size_counts(table.col_sums);
  const size_t largest = std::min(rows.rbegin()->first, cols.rbegin()->first);
  std::vector<double> log_of(largest + 1, 0);
  for (size_t i = 1; i <= largest; ++i) log_of[i] = std::log(static_cast<double>(i));
  double result = 0;
  for (const auto& [a, n_a] : rows) {
    for (const auto& [b, n_b] : cols) {
      result += static_cast<double>(n_a) * static_cast<double>(n_b) *
                expected_cell(static_cast<double>(a), static_cast<double>(b),
                              static_cast<double>(table.n_items), log_of);
    }
  }
  return result;
}

}  // namespace

double adjusted_rand_index(const Contingency& table) {
  if (is_same_partition(table)) return 1;
  const auto pairs = [](size_t count) {
    return static_cast<double>(count) * (static_cast<double>(count) - 1) / 2;
  };
  double together = 0, in_rows = 0, in_cols = 0;
  for (const auto& cell : table.cells) together += pairs(cell.count);
  for (const size_t sum : table.row_sums) in_rows += pairs(sum);
  for (const size_t sum : table.col_sums) in_cols += pairs(sum);
  const double expected = in_rows * in_cols / pairs(table.n_items);
  return (together - expected) / ((in_rows + in_cols) / 2 - expected);
}

double adjusted_mutual_information(const Contingency& table) {
  if (is_same_partition(table)) return 1;
  const double expected = expected_mutual_information(table);
  const double mean_entropy =
      (entropy(table.row_sums, table.n_items) + entropy(table.col_sums, table.n_items)) / 2;
  const double range = mean_entropy - expected;  // 0 if one labelling has single items only
  const double smallest = std::numeric_limits<double>::epsilon();
  return (mutual_information(table) - expected) /
         (range < 0 ? std::min(range, -smallest) : std::max(range, smallest));
}

double normalized_mutual_information(const Contingency& table) {
  if (is_same_partition(table)) return 1;
  const double mean_entropy =
      (entropy(table.row_sums, table.n_items) + entropy(table.col_sums, table.n_items)) / 2;
  return mutual_information(table) / mean_entropy;
}

double purity(const Contingency& table) {
  if (table.n_items == 0) return 1;
  std::vector<size_t> most(table.row_sums.size(), 0);
  for (const auto& cell : table.cells) most[cell.row] = std::max(most[cell.row], cell.count);
  size_t sum = 0;
  for (const size_t count : most) sum += count;
  return static_cast<double>(sum) / static_cast<double>(table.n_items);
}

double adjusted_rand_index(std::span<const int32_t> a, std::span<const int32_t> b) {
  return adjusted_rand_index(contingency(a, b));
}
double adjusted_mutual_information(std::span<const int32_t> a, std::span<const int32_t> b) {
  return adjusted_mutual_information(contingency(a, b));
}
double normalized_mutual_information(std::span<const int32_t> a, std::span<const int32_t> b) {
  return normalized_mutual_information(contingency(a, b));
}
double purity(std::span<const int32_t> clusters, std::span<const int32_t> classes) {
  return purity(contingency(clusters, classes));
}

}  // namespace carya
