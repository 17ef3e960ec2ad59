#include "carya/index/recall_curve.h"

#include <algorithm>
#include <chrono>
#include <numeric>

#include "carya/core/error.h"
#include "carya/core/parallel.h"

namespace carya {
namespace {

constexpr double kStep = 1.5;  // from one effort of a curve to the next
constexpr double kAllFound = 0.9999;

void check(MatrixView<const float> queries, MatrixView<const int64_t> truth,
           const SearchOptions& options) {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  require(queries.rows() >= 1, "there are no queries to measure with");
  require(truth.rows() == queries.rows(), "there are {} queries, but true neighbours of {}",
          queries.rows(), truth.rows());
  require(truth.cols() >= options.k, "k is {}, but only {} true neighbours are known of a query",
          options.k, truth.cols());
}

size_t next_effort(size_t effort) {
  return std::max(effort + 1, static_cast<size_t>(static_cast<double>(effort) * kStep));
}

}  // namespace

Matrix<int64_t> true_neighbors(const Index& index, MatrixView<const float> queries,
                               const SearchOptions& options, Progress* progress) {
  Matrix<int64_t> truth(queries.rows(), options.k);
  std::ranges::fill(truth.flat(), -1);
  begin_stage(progress, "find true neighbours", queries.rows(), "queries");
  constexpr size_t kBlock = 16;
  for (size_t begin = 0; begin < queries.rows(); begin += kBlock) {
    const size_t end = std::min(begin + kBlock, queries.rows());
    parallel_for(begin, end, 1, [&](size_t i, size_t) {
      SearchOptions everything = options;
      everything.effort = std::max<size_t>(index.size(), 1);
      everything.stats = nullptr;
      const std::vector<Hit> hits = index.search(queries.row(i), everything);
      for (size_t j = 0; j < hits.size(); ++j) truth(i, j) = static_cast<int64_t>(hits[j].id);
    });
    advance(progress, end - begin);
  }
  return truth;
}

RecallPoint measure_recall(const Index& index, MatrixView<const float> queries,
                           MatrixView<const int64_t> truth, const SearchOptions& options) {
  check(queries, truth, options);
  using Clock = std::chrono::steady_clock;
  const ThreadLimit one_thread(1);
  SearchOptions own = options;
  SearchStats stats;
  std::vector<double> seconds(queries.rows());
  size_t n_found = 0, n_true = 0;
  for (size_t i = 0; i < queries.rows(); ++i) {
    own.stats = &stats;
    auto begin = Clock::now();
    const std::vector<Hit> hits = index.search(queries.row(i), own);
    seconds[i] = std::chrono::duration<double>(Clock::now() - begin).count();
    own.stats = nullptr;  // once more: other programs may have disturbed the first
    begin = Clock::now();
    index.search(queries.row(i), own);
    seconds[i] = std::min(seconds[i], std::chrono::duration<double>(Clock::now() - begin).count());
    const auto nearest = truth.row(i).first(options.k);
    for (const Hit& hit : hits) {
      n_found += std::ranges::find(nearest, static_cast<int64_t>(hit.id)) != nearest.end();
    }
    n_true +=
        static_cast<size_t>(std::ranges::count_if(nearest, [](int64_t id) { return id >= 0; }));
  }
  const auto n = static_cast<double>(queries.rows());
  const double mean = std::accumulate(seconds.begin(), seconds.end(), 0.0) / n;
  const size_t slow = (seconds.size() - 1) * 99 / 100;
  std::ranges::nth_element(seconds, seconds.begin() + static_cast<ptrdiff_t>(slow));
  return {.effort = options.effort,
          .recall = n_true == 0 ? 1 : static_cast<double>(n_found) / static_cast<double>(n_true),
          .seconds = mean,
          .slow_seconds = seconds[slow],
          .n_distances = static_cast<double>(stats.n_distances) / n};
}

std::vector<RecallPoint> recall_curve(const Index& index, MatrixView<const float> queries,
                                      MatrixView<const int64_t> truth, const SearchOptions& options,
                                      Progress* progress) {
  std::vector<RecallPoint> curve;
  begin_stage(progress, "measure recall", 0, "efforts");
  for (size_t effort = 1;; effort = next_effort(effort)) {
    SearchOptions own = options;
    own.effort = std::min(effort, std::max<size_t>(index.size(), 1));
    const RecallPoint point = measure_recall(index, queries, truth, own);
    advance(progress, 1);
    const bool is_same = !curve.empty() && point.n_distances == curve.back().n_distances &&
                         point.recall == curve.back().recall;
    if (!is_same) curve.push_back(point);
    if (point.recall >= kAllFound || effort >= index.size()) return curve;
  }
}

std::optional<RecallPoint> least_effort(const Index& index, MatrixView<const float> queries,
                                        MatrixView<const int64_t> truth,
                                        const SearchOptions& options, double recall,
                                        Progress* progress) {
  require(recall > 0 && recall <= 1, "a recall of {} cannot be: above 0 and at most 1", recall);
  begin_stage(progress, "find the least effort", 0, "efforts");
  const auto at = [&](size_t effort) {
    SearchOptions own = options;
    own.effort = effort;
    const RecallPoint point = measure_recall(index, queries, truth, own);
    advance(progress, 1);
    return point;
  };
  const size_t most = std::max<size_t>(index.size(), 1);
  size_t low = 0, high = 1;  // low does not reach it
  RecallPoint best = at(high);
  while (best.recall < recall) {
    if (high == most) return std::nullopt;
    low = high;
    high = std::min(2 * high, most);
    best = at(high);
  }
  while (high - low > std::max<size_t>(1, low / 20)) {
    const size_t middle = low + (high - low) / 2;
    const RecallPoint point = at(middle);
    if (point.recall >= recall) {
      high = middle;
      best = point;
    } else {
      low = middle;
    }
  }
  return best;
}

}  // namespace carya
