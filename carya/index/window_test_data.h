#pragma once

// What the tests of windows share.

#include <limits>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "carya/core/file.h"
#include "carya/index/test_data.h"
#include "carya/index/window.h"

namespace carya {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr size_t kDim = 12;
constexpr ItemId kFirst = ItemId{1} << 40;  // ids are the caller's, and of 64 bits

using enum WindowStrategy;
constexpr WindowStrategy kAll[] = {kAuto, kScan, kTree, kPostfilter, kThreeSplit, kSuper, kRoot};

// 0 .. n_different - 1, each as often, in random order.
inline std::vector<double> random_labels(size_t n, size_t n_different, uint64_t seed) {
  std::vector<double> labels(n);
  for (size_t i = 0; i < n; ++i) labels[i] = static_cast<double>(i % n_different);
  Rng rng(seed);
  for (size_t i = n; i > 1; --i) std::swap(labels[i - 1], labels[rng.below(i)]);
  return labels;
}

// The definition: items of the window by distance, in double.  Item i has id kFirst + i.
inline std::vector<Hit> naive_in_window(const Matrix<float>& points, std::span<const double> labels,
                                        std::span<const float> query, const LabelWindow& window,
                                        size_t k, Metric metric, const Filter* filter = nullptr) {
  std::vector<Hit> hits = naive_search(points, kFirst, query, points.rows(), metric);
  std::erase_if(hits, [&](const Hit& hit) {
    const double label = labels[hit.id - kFirst];
    return !(label >= window.low && label <= window.high) ||
           (filter != nullptr && !filter->accepts(hit.id));
  });
  hits.resize(std::min(k, hits.size()));
  return hits;
}

inline size_t n_common(std::span<const Hit> a, std::span<const Hit> b) {
  const std::vector<ItemId> ids = ids_of(a);
  const std::set<ItemId> right(ids.begin(), ids.end());
  size_t n = 0;
  for (const ItemId id : ids_of(b)) n += right.count(id);
  return n;
}

struct Items {
  explicit Items(size_t n, size_t n_different, uint64_t seed = 1)
      : points(random_points(n, kDim, seed)),
        labels(random_labels(n, n_different, seed)),
        ids(ids_from(kFirst, n)) {}
  WindowIndex index(Metric metric, const WindowOptions& options) const {
    WindowIndex index(kDim, metric, options);
    index.add(ids, labels, points);
    return index;
  }
  Matrix<float> points;
  std::vector<double> labels;
  std::vector<ItemId> ids;
};

inline std::string bytes_of(const WindowIndex& index) {
  const TempFile file;
  index.save(file.path());
  return read_file(file.path());
}

inline const std::vector<LabelWindow> kWindows = {{-kInfinity, kInfinity},
                                                  {0, 2999},
                                                  {1, 2998},
                                                  {1400, 1600},
                                                  {0, 1499},
                                                  {1500, 2999},
                                                  {700, 800},
                                                  {1000, 1000},
                                                  {990, 2},
                                                  {17, 900},
                                                  {2000, 2700},
                                                  {-50, 60},
                                                  {2950, 1e300},
                                                  {3.5, 3.7}};

}  // namespace carya
