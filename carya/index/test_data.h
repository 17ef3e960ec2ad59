#pragma once

// What the tests of this module share: points, the definition of a search, files that go away.

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/rng.h"
#include "carya/index/index.h"

namespace carya {

inline Matrix<float> random_points(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (float& x : points.flat()) x = static_cast<float>(rng.normal());
  return points;
}

// first, first + 1, ...
inline std::vector<ItemId> ids_from(ItemId first, size_t n) {
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

inline std::vector<ItemId> ids_of(std::span<const Hit> hits) {
  std::vector<ItemId> ids;
  for (const Hit& hit : hits) ids.push_back(hit.id);
  return ids;
}

// The definition, in double: row i has id first_id + i.
inline std::vector<Hit> naive_search(const Matrix<float>& vectors, ItemId first_id,
                                     std::span<const float> query, size_t k, Metric metric) {
  std::vector<std::pair<double, ItemId>> all;
  for (size_t i = 0; i < vectors.rows(); ++i) {
    double squared = 0, product = 0, aa = 0, bb = 0;
    for (size_t j = 0; j < query.size(); ++j) {
      const double a = query[j], b = vectors(i, j);
      squared += (a - b) * (a - b);
      product += a * b;
      aa += a * a;
      bb += b * b;
    }
    const double distance = metric == Metric::kSquaredL2      ? squared
                            : metric == Metric::kInnerProduct ? -product
                                                              : 1 - product / std::sqrt(aa * bb);
    all.emplace_back(distance, first_id + i);
  }
  std::sort(all.begin(), all.end());
  all.resize(std::min(k, all.size()));
  std::vector<Hit> hits;
  for (const auto& [distance, id] : all) hits.push_back({id, static_cast<float>(distance)});
  return hits;
}

class EveryNth : public Filter {
 public:
  explicit EveryNth(size_t n) : n_(n) {}
  bool accepts(ItemId id) const override { return id % n_ == 0; }
  double selectivity() const override { return 1.0 / static_cast<double>(n_); }

 private:
  size_t n_;
};

// A name for a file that is removed at the end.
class TempFile {
 public:
  TempFile() {
    static int counter = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("carya_index_test_" + std::to_string(::getpid()) + "_" + std::to_string(counter++));
  }
  ~TempFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// What the Error that `call` throws says.
template <class Call>
std::string message(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace carya
