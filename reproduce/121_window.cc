// Search within windows of labels (Engels et al. 2024), card 121: at every width as fast as the
// better of scanning the window and filtering what a search of everything finds, and much faster
// between; labels that follow the vectors do not make it blind.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/index/window.h"
#include "carya/io/vectors.h"
#include "carya/tree/kmeans.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kHits = 10, kQueries = 200, kRepeats = 5;
constexpr int kNarrowest = 8;  // 2^-8: where the root is searched, too
constexpr double kRecall = 0.95;
constexpr size_t kEfforts[] = {10, 12, 14, 17,  20,  24,  28,  34,  40,  48, 56,
                               68, 80, 96, 112, 136, 160, 192, 224, 270, 320};

double cpu_seconds() {  // neighbours on the machine do not count
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

Matrix<float> rows_of(MatrixView<const float> points, std::span<const uint32_t> rows) {
  auto picked = Matrix<float>::uninitialized(rows.size(), points.cols());
  for (size_t i = 0; i < rows.size(); ++i) {
    std::ranges::copy(points.row(rows[i]), picked.row_data(i));
  }
  return picked;
}

// Queries, a window for each, and the exact answers.
struct Questions {
  MatrixView<const float> queries;
  std::vector<LabelWindow> windows;
  std::vector<std::vector<Hit>> truth;

  Questions(const WindowIndex& index, MatrixView<const float> rows, std::vector<LabelWindow> with)
      : queries(rows), windows(std::move(with)) {
    for (size_t q = 0; q < queries.rows(); ++q) {
      truth.push_back(
          index.search(queries.row(q), windows[q], {.k = kHits}, WindowStrategy::kScan));
    }
  }
};

struct Way {
  WindowStrategy strategy;
  size_t effort = 0;
};
struct Run {
  double recall = 0, distances = 0, seconds = 0;  // a query, one thread
};

Run run(const WindowIndex& index, const Questions& questions, const Way& way) {
  const ThreadLimit one(1);
  const size_t n = questions.queries.rows();
  SearchStats stats;
  std::vector<std::vector<Hit>> found;
  const double begin = cpu_seconds();
  for (size_t q = 0; q < n; ++q) {
    found.push_back(index.search(questions.queries.row(q), questions.windows[q],
                                 {.k = kHits, .effort = way.effort, .stats = &stats},
                                 way.strategy));
  }
  const double seconds = cpu_seconds() - begin;
  size_t n_right = 0, n_all = 0;
  for (size_t q = 0; q < n; ++q) {
    n_all += questions.truth[q].size();
    for (const Hit& hit : questions.truth[q]) {
      n_right += static_cast<size_t>(std::ranges::count(found[q], hit.id, &Hit::id));
    }
  }
  return {.recall = static_cast<double>(n_right) / static_cast<double>(n_all),
          .distances = static_cast<double>(stats.n_distances) / static_cast<double>(n),
          .seconds = seconds / static_cast<double>(n)};
}

// The least effort that finds 0.95 of the neighbours; the largest if none does.
Way at_recall(const WindowIndex& index, const Questions& questions, WindowStrategy strategy) {
  for (const size_t effort : kEfforts) {
    if (run(index, questions, {strategy, effort}).recall >= kRecall) return {strategy, effort};
  }
  return {strategy, std::end(kEfforts)[-1]};
}

// The best time of each of several rounds, in which the ways take turns.
std::vector<Run> compared(const WindowIndex& index, const Questions& questions,
                          std::span<const Way> ways) {
  std::vector<Run> best;
  for (const Way& way : ways) best.push_back(run(index, questions, way));
  for (size_t repeat = 1; repeat < kRepeats; ++repeat) {
    for (size_t i = 0; i < ways.size(); ++i) {
      best[i].seconds = std::min(best[i].seconds, run(index, questions, ways[i]).seconds);
    }
  }
  return best;
}

// Windows of so many labels, anywhere in 0 .. n - 1.
std::vector<LabelWindow> windows_of(double width, size_t n, size_t count, Rng& rng) {
  std::vector<LabelWindow> windows(count);
  const double n_inside = std::max(1.0, std::round(width * static_cast<double>(n)));
  for (LabelWindow& window : windows) {
    const auto low = static_cast<double>(rng.below(n + 1 - static_cast<size_t>(n_inside)));
    window = {.low = low, .high = low + n_inside - 1};
  }
  return windows;
}

}  // namespace

std::vector<ClaimRow> reproduce_121(const ClaimContext& context) {
  const Matrix<float> words = read_npy(context.cache / "data" / "words" / "vectors.npy");
  const size_t n_words = std::min<size_t>(words.rows(), context.quick ? 40'000 : words.rows());
  std::vector<uint32_t> query_rows, item_rows;
  for (uint32_t i = 0; i < n_words; ++i) {  // queries are common and rare words
    (i % (n_words / kQueries) == 0 && query_rows.size() < kQueries ? query_rows : item_rows)
        .push_back(i);
  }
  const Matrix<float> items = rows_of(words, item_rows), queries = rows_of(words, query_rows);
  const size_t n = items.rows();
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), ItemId{0});
  std::vector<double> labels(n);
  std::iota(labels.begin(), labels.end(), 0.0);
  Rng rng(1);
  for (size_t i = n; i > 1; --i) std::swap(labels[i - 1], labels[rng.below(i)]);
  std::vector<ClaimRow> rows;
  {
    WindowIndex index(words.cols(), Metric::kCosine);
    index.add(ids, labels, items, context.progress);
    double least_recall = 1, slowest = 0, least_gain = 1e30;
    int slowest_at = 0;
    for (int power = 16; power >= 0; --power) {
      const double width = std::ldexp(1.0, -power);
      const Questions questions(index, queries, windows_of(width, n, queries.rows(), rng));
      std::vector<Way> ways = {at_recall(index, questions, WindowStrategy::kAuto),
                               {WindowStrategy::kScan}};
      // In narrower windows the root has to give more than an eighth of its items.
      if (power <= kNarrowest) ways.push_back(at_recall(index, questions, WindowStrategy::kRoot));
      const std::vector<Run> runs = compared(index, questions, ways);
      const Run &mine = runs[0], &scan = runs[1], &root = runs.back();
      least_recall = std::min(least_recall, mine.recall);
      const double ratio = mine.seconds / std::min(scan.seconds, root.seconds);
      if (ratio > slowest) slowest_at = power;
      slowest = std::max(slowest, ratio);
      if (power != 5 && power != 6) continue;
      least_gain = std::min(least_gain, std::min(scan.distances, root.distances) / mine.distances);
    }
    rows.push_back({"recall@10 at every width 2^-16 .. 1, the least", ">= 0.95", least_recall,
                    ">= 0.95", least_recall >= kRecall});
    rows.push_back({"time / better of scan and root, the most: at 2^-" + std::to_string(slowest_at),
                    "<= 1.3", slowest, "<= 1.3", slowest <= 1.3});
    if (!context.quick) {  // with fewer items such windows are not worth a graph
      rows.push_back({"width 2^-5, 2^-6: times fewer distances than either", ">= 3 (extrapolated)",
                      least_gain, ">= 3", least_gain >= 3});
    }

    const Questions narrow(index, queries, windows_of(0.01, n, queries.rows(), rng));
    const std::vector<Run> runs =
        compared(index, narrow,
                 std::vector<Way>{at_recall(index, narrow, WindowStrategy::kAuto),
                                  at_recall(index, narrow, WindowStrategy::kRoot)});
    const double speedup = runs[0].recall >= kRecall && runs[1].recall >= kRecall
                               ? runs[1].seconds / runs[0].seconds
                               : 0;
    rows.push_back({"1 % of the labels: times faster than filtering after the search", ">= 10",
                    speedup, ">= 10", speedup >= 10});
  }

  // A label is the word's cluster; the window is another cluster than that of the query.
  constexpr size_t kClusters = 64;
  const MatrixView<const float> grouped = items.view().slice(0, std::min<size_t>(n, 100'000));
  const KMeansResult clusters =
      kmeans(grouped, {.n_clusters = kClusters, .n_iterations = 10}, context.progress);
  labels.assign(clusters.labels.begin(), clusters.labels.end());
  ids.resize(labels.size());
  WindowIndex index(words.cols(), Metric::kCosine);
  index.add(ids, labels, grouped, context.progress);
  std::vector<LabelWindow> elsewhere;
  for (size_t q = 0; q < queries.rows(); ++q) {
    const Hit nearest = index.search(queries.row(q), SearchOptions{.k = 1})[0];
    const double label = std::fmod(labels[nearest.id] + kClusters / 2.0, kClusters);
    elsewhere.push_back({.low = label, .high = label});
  }
  const Questions questions(index, queries, elsewhere);
  const Run mine = run(index, questions, at_recall(index, questions, WindowStrategy::kAuto));
  const Run scan = run(index, questions, {WindowStrategy::kScan});
  const Run root = run(index, questions, {WindowStrategy::kRoot, kEfforts[0]});
  const double share = root.distances / static_cast<double>(ids.size());
  rows.push_back({"label = another cluster: recall@10", ">= 0.95", mine.recall, ">= 0.95",
                  mine.recall >= kRecall});
  const double of_scan = mine.distances / scan.distances;
  rows.push_back({"its distances / those of a scan of the window", "does not collapse", of_scan,
                  "<= 1.3", of_scan <= 1.3});
  rows.push_back(
      {"postfilter at the root: distances / n", "collapses", share, ">= 0.2", share >= 0.2});
  return rows;
}

}  // namespace carya
