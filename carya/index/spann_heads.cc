#include "carya/index/spann_heads.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "carya/core/parallel.h"
#include "carya/index/vector_store.h"
#include "carya/simd/knn.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr size_t kIterations = 12;  // of each k-means; sizes sway rather than settle after some
constexpr size_t kChunk = 8192;     // items that are assigned at once: bounds the memory
constexpr uint32_t kNoHead = 0xffffffffu;
constexpr double kBalances[] = {1e-3, 1e-2, 1e-1, 1, 1e1, 1e2, 1e3};

// Some of the items, evenly spread.
std::vector<uint32_t> spread(std::span<const uint32_t> items, size_t n) {
  n = std::min(n, items.size());
  std::vector<uint32_t> some(n);
  for (size_t i = 0; i < n; ++i) some[i] = items[i * items.size() / n];
  return some;
}

// Seats by size (largest remainders): their sum is n_seats, none gets more than its size, and each
// that is not empty gets one.  sizes: at most n_seats of them not empty, n_seats <= their sum.
std::vector<size_t> share_out(std::span<const size_t> sizes, size_t n_seats) {
  const size_t total = std::accumulate(sizes.begin(), sizes.end(), size_t{0});
  const double per_item = static_cast<double>(n_seats) / static_cast<double>(total);
  std::vector<size_t> seats(sizes.size());
  size_t given = 0;
  for (size_t i = 0; i < sizes.size(); ++i) {
    const auto exact = static_cast<size_t>(per_item * static_cast<double>(sizes[i]));
    seats[i] = std::clamp(exact, std::min<size_t>(sizes[i], 1), sizes[i]);
    given += seats[i];
  }
  // One by one to whom the most is missing, or from whom the most is over: at most one a part.
  for (; given != n_seats; given += given < n_seats ? 1 : size_t(-1)) {
    const bool is_short = given < n_seats;
    size_t best = sizes.size();
    double most = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < sizes.size(); ++i) {
      if (is_short ? seats[i] == sizes[i] : seats[i] <= 1) continue;
      const double missing =
          per_item * static_cast<double>(sizes[i]) - static_cast<double>(seats[i]);
      if (const double claim = is_short ? missing : -missing; claim > most) {
        most = claim;
        best = i;
      }
    }
    seats[best] += is_short ? 1 : size_t(-1);
  }
  return seats;
}

class HeadSearch {
 public:
  HeadSearch(const IndexedRows& rows, const HeadOptions& options, Progress* progress)
      : rows_(rows),
        options_(options),
        progress_(progress),
        items_(rows.size()),
        heads_(options.n_heads, kNoHead) {
    std::iota(items_.begin(), items_.end(), 0u);
  }

  std::vector<uint32_t> run() {
    choose_balance();
    split(0, items_.size(), 0, options_.n_heads);
    std::erase(heads_, kNoHead);
    return std::move(heads_);
  }

 private:
  // As the paper: the balance that makes sizes the most even, for a split of a sample.
  void choose_balance() {
    const std::vector<uint32_t> sample = spread(items_, options_.n_sample);
    const size_t n_parts = std::min(options_.branch, options_.n_heads);
    if (n_parts < 2) return;
    const Matrix<float> points = rows_.gather(sample);
    double least = std::numeric_limits<double>::infinity();
    for (const double balance : kBalances) {
      const double deviation =
          size_deviation(sizes_of(cluster(points, n_parts, balance, 0).labels, n_parts));
      if (deviation >= least) continue;
      least = deviation;
      balance_ = balance;
    }
  }

  KMeansResult cluster(MatrixView<const float> points, size_t n_parts, double balance,
                       uint64_t seed) const {
    return kmeans(points, {.n_clusters = n_parts,
                           .n_iterations = kIterations,
                           .seed = options_.seed + seed,
                           .balance = balance});
  }

  static std::vector<uint32_t> sizes_of(std::span<const int32_t> labels, size_t n) {
    std::vector<uint32_t> sizes(n);
    for (const int32_t label : labels) ++sizes[static_cast<size_t>(label)];
    return sizes;
  }

  // The parts of items [begin, end).
  std::vector<int32_t> labels(size_t begin, size_t end, size_t n_parts, double balance) const {
    const std::span<const uint32_t> items = std::span(items_).subspan(begin, end - begin);
    const std::vector<uint32_t> sample = spread(items, options_.n_sample);
    const Matrix<float> points = rows_.gather(sample);
    // No two nodes begin alike and have the same number of items.
    KMeansResult result = cluster(points, n_parts, balance, begin << 8 ^ end);
    if (sample.size() == items.size()) return result.labels;
    result.penalties.resize(n_parts);  // there are none without balance
    std::vector<int32_t> all(items.size());
    const size_t n_chunks = (items.size() + kChunk - 1) / kChunk;
    for (size_t chunk = 0; chunk < n_chunks; ++chunk) {  // tiles use all threads
      const size_t first = chunk * kChunk, count = std::min(kChunk, items.size() - first);
      const auto part = assign_with_penalties(rows_.gather(items.subspan(first, count)),
                                              result.centroids, result.penalties);
      std::ranges::copy(part, all.begin() + static_cast<ptrdiff_t>(first));
      advance(progress_, 0);  // may ask to stop
    }
    return all;
  }

  // The item nearest to the mean.
  uint32_t middle(size_t begin, size_t end) const {
    const std::span<const uint32_t> all = std::span(items_).subspan(begin, end - begin);
    const std::vector<uint32_t> items = spread(all, options_.n_sample);
    const Matrix<float> points = rows_.gather(items);
    Matrix<float> mean(1, rows_.dim());
    std::vector<double> sum(rows_.dim());
    for (size_t i = 0; i < points.rows(); ++i) {
      for (size_t j = 0; j < sum.size(); ++j) sum[j] += double{points(i, j)};
    }
    for (size_t j = 0; j < sum.size(); ++j) {
      mean(0, j) = static_cast<float>(sum[j] / static_cast<double>(points.rows()));
    }
    return items[exact_knn(mean, points, 1).ids(0, 0)];
  }

  // Heads for items [begin, end), to heads_[first_head ..).
  void split(size_t begin, size_t end, size_t first_head, size_t n_heads) {
    if (n_heads == 1) {
      heads_[first_head] = middle(begin, end);
      advance(progress_, end - begin);
      return;
    }
    const size_t n_parts = std::min(options_.branch, n_heads);
    std::vector<int32_t> parts = labels(begin, end, n_parts, balance_);
    const auto is_one = [&] { return std::ranges::count(parts, parts[0]) == std::ssize(parts); };
    if (is_one()) parts = labels(begin, end, n_parts, 0);  // too much of it for these
    if (is_one()) {  // they are equal, as far as can be seen: one head is as good as many
      split(begin, end, first_head, 1);
      return;
    }
    const LabelGroups groups = group_by_label(parts, n_parts);
    std::vector<size_t> sizes(n_parts);
    for (size_t part = 0; part < n_parts; ++part) {
      sizes[part] = groups.first[part + 1] - groups.first[part];
    }
    const std::vector<uint32_t> old(items_.begin() + static_cast<ptrdiff_t>(begin),
                                    items_.begin() + static_cast<ptrdiff_t>(end));
    for (size_t i = 0; i < old.size(); ++i) items_[begin + i] = old[groups.item_of[i]];
    const std::vector<size_t> seats = share_out(sizes, n_heads);
    std::vector<size_t> first_seat(n_parts + 1, first_head);
    std::partial_sum(seats.begin(), seats.end(), first_seat.begin() + 1);
    for (size_t part = 1; part <= n_parts; ++part) first_seat[part] += first_head;
    parallel_for(0, n_parts, 1, [&](size_t part, size_t) {
      if (sizes[part] == 0) return;
      split(begin + groups.first[part], begin + groups.first[part + 1], first_seat[part],
            seats[part]);
    });
  }

  const IndexedRows& rows_;
  const HeadOptions& options_;
  Progress* progress_;
  double balance_ = 0;
  std::vector<uint32_t> items_;  // those of a cluster side by side
  std::vector<uint32_t> heads_;
};

}  // namespace

Matrix<float> IndexedRows::gather(std::span<const uint32_t> items) const {
  Matrix<float> rows = gather_rows(vectors, items);
  if (metric == Metric::kCosine) {
    for (size_t i = 0; i < rows.rows(); ++i) scale_to_unit(rows.row(i));
  }
  return rows;
}

std::vector<uint32_t> balanced_heads(const IndexedRows& rows, const HeadOptions& options,
                                     Progress* progress) {
  require(options.n_heads >= 1 && options.n_heads <= rows.size(),
          "n_heads is {}, but must be in 1 .. {}, the number of rows", options.n_heads,
          rows.size());
  require(options.branch >= 2 && options.n_sample >= options.branch,
          "branch is {} with samples of {}: it must be from 2 to the sample", options.branch,
          options.n_sample);
  begin_stage(progress, "heads", rows.size(), "vectors");
  return HeadSearch(rows, options, progress).run();
}

double size_deviation(std::span<const uint32_t> sizes) {
  if (sizes.empty()) return 0;
  double sum = 0, squared = 0;
  for (const uint32_t size : sizes) sum += size;
  const double mean = sum / static_cast<double>(sizes.size());
  for (const uint32_t size : sizes) squared += (size - mean) * (size - mean);
  return mean > 0 ? std::sqrt(squared / static_cast<double>(sizes.size())) / mean : 0;
}

}  // namespace carya
