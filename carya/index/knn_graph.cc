#include "carya/index/knn_graph.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/simd/distance.h"
#include "carya/simd/gemm.h"
#include "carya/simd/kselect.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr size_t kTrainingPoints = 50;   // a part; the centroids of more are no better
constexpr size_t kIterations = 10;       // the parts need not be optimal, only compact
constexpr size_t kQueriesPerTile = 128;  // with a part of 128 points, all of a tile is in L2
// Relative error of a product of two vectors rounded to bf16, at most: 2^-8 for each factor.
constexpr float kBf16Error = 1.0f / 128;
constexpr float kF32Error = 1e-5f;

// Centroids from a sample, spread evenly over the input.
Matrix<float> train_centroids(MatrixView<const float> points, size_t n_parts, uint64_t seed) {
  const size_t n_sample = std::min(points.rows(), n_parts * kTrainingPoints);
  auto sample = Matrix<float>::uninitialized(n_sample, points.cols());
  for (size_t i = 0; i < n_sample; ++i) {
    std::ranges::copy(points.row(i * points.rows() / n_sample), sample.row_data(i));
  }
  return kmeans(sample, {.n_clusters = n_parts, .n_iterations = kIterations, .seed = seed})
      .centroids;
}

Matrix<float> gather(MatrixView<const float> points, std::span<const uint32_t> ids) {
  auto rows = Matrix<float>::uninitialized(ids.size(), points.cols());
  for (size_t i = 0; i < ids.size(); ++i) std::ranges::copy(points.row(ids[i]), rows.row_data(i));
  return rows;
}

// Points by parts, and the lists of nearest points that grow as parts are probed.
class Prober {
 public:
  Prober(MatrixView<const float> points, const KnnGraphOptions& options)
      : points_(points), k_(options.k), squares_(points.rows()), n_found_(points.rows(), 0) {
    const size_t n = points.rows();
    n_parts_ = (n + options.part_size - 1) / options.part_size;
    const Matrix<float> centroids = train_centroids(points, n_parts_, options.seed);
    probes_ = exact_knn(points, centroids, std::min(options.n_probes, n_parts_)).ids;
    parts_ = group(0);
    const WeightFormat format =
        is_fast(WeightFormat::kBf16) ? WeightFormat::kBf16 : WeightFormat::kF32;
    error_ = format == WeightFormat::kBf16 ? kBf16Error : kF32Error;
    packed_.resize(n_parts_);
    parallel_for(0, n_parts_, 1, [&](size_t part, size_t) {
      const auto ids = items_of(parts_, part);
      if (!ids.empty()) packed_[part] = PackedWeights::pack(gather(points_, ids), format);
    });
    parallel_for(0, n, 1024, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) {
        double sum = 0;
        for (float x : points_.row(i)) sum += static_cast<double>(x) * x;
        squares_[i] = static_cast<float>(sum);
      }
    });
    result_.ids = Matrix<uint32_t>::uninitialized(n, k_);
    std::fill_n(result_.ids.data(), result_.ids.size(), kNoNeighbor);
    result_.distances = Matrix<float>::uninitialized(n, k_);
    std::fill_n(result_.distances.data(), result_.distances.size(),
                std::numeric_limits<float>::infinity());
  }

  size_t n_probes() const { return probes_.cols(); }

  // Compares each point with the part that is the rank-th nearest to it.  A point is in one tile of
  // a rank only, so tiles run side by side.
  void probe(size_t rank, Progress* progress) {
    const LabelGroups queries = group(rank);
    parallel_for(0, n_parts_, 1, [&](size_t part, size_t) {
      const auto own = items_of(parts_, part), asking = items_of(queries, part);
      if (own.empty()) return;
      for (size_t first = 0; first < asking.size(); first += kQueriesPerTile) {
        compare(asking.subspan(first, std::min(kQueriesPerTile, asking.size() - first)), part, own);
      }
      advance(progress, asking.size());
    });
  }

  Neighbors take() { return std::move(result_); }

 private:
  LabelGroups group(size_t rank) const {
    std::vector<int32_t> labels(points_.rows());
    for (size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<int32_t>(probes_(i, rank));
    return group_by_label(labels, n_parts_);
  }
  static std::span<const uint32_t> items_of(const LabelGroups& groups, size_t part) {
    return std::span(groups.item_of)
        .subspan(groups.first[part], groups.first[part + 1] - groups.first[part]);
  }

  void compare(std::span<const uint32_t> asking, size_t part, std::span<const uint32_t> own) {
    auto products = Matrix<float>::uninitialized(asking.size(), own.size());
    gemm(gather(points_, asking), packed_[part], {}, products, GemmThreads::kCaller);
    std::vector<float> lower(own.size()), sorted;
    std::vector<uint32_t> ids;
    std::vector<float> exact;
    std::vector<Candidate> batch;
    for (size_t q = 0; q < asking.size(); ++q) {
      const uint32_t self = asking[q];
      KSelect nearest(result_.ids.row(self), result_.distances.row(self), n_found_[self]);
      // |a - b|^2 = |a|^2 + |b|^2 - 2 a.b, less what rounding may have added.
      for (size_t j = 0; j < own.size(); ++j) {
        const float error = 2 * error_ * std::sqrt(squares_[self] * squares_[own[j]]);
        lower[j] = squares_[self] + squares_[own[j]] - 2 * products(q, j) - error;
      }
      float threshold = nearest.threshold();
      if (nearest.found() < k_ && own.size() > k_ + 1) {
        // The first part: what is certainly not among the nearest k + 1 is not looked at.
        sorted = lower;
        const auto kth = sorted.begin() + static_cast<ptrdiff_t>(k_);
        std::nth_element(sorted.begin(), kth, sorted.end());
        float largest = 0;
        for (uint32_t id : own) largest = std::max(largest, squares_[id]);
        threshold = *kth + 4 * error_ * std::sqrt(squares_[self] * largest);
      }
      ids.clear();
      for (size_t j = 0; j < own.size(); ++j) {
        if (lower[j] <= threshold && own[j] != self) ids.push_back(own[j]);
      }
      exact.resize(ids.size());
      distances(Metric::kSquaredL2, points_.row(self), points_, ids, exact);
      batch.clear();
      for (size_t j = 0; j < ids.size(); ++j) batch.push_back({exact[j], ids[j]});
      nearest.merge(batch);
      n_found_[self] = static_cast<uint32_t>(nearest.found());
    }
  }

  MatrixView<const float> points_;
  size_t k_, n_parts_ = 0;
  float error_ = 0;
  std::vector<float> squares_;
  std::vector<uint32_t> n_found_;
  Matrix<uint32_t> probes_;  // [n, n_probes]
  LabelGroups parts_;
  std::vector<PackedWeights> packed_;
  Neighbors result_;
};

// For each point those that list it among their first m neighbours, at most m, by rising id.
std::vector<std::vector<uint32_t>> listed_by(const Matrix<uint32_t>& ids, size_t m) {
  std::vector<std::vector<uint32_t>> lists(ids.rows());
  for (uint32_t i = 0; i < ids.rows(); ++i) {
    for (uint32_t other : ids.row(i).first(m)) {
      if (other != kNoNeighbor && lists[other].size() < m) lists[other].push_back(i);
    }
  }
  return lists;
}

// One round: each point is compared with the nearest neighbours of its nearest neighbours, where
// who lists a point counts as its neighbour too.
Neighbors look_further(MatrixView<const float> points, const Neighbors& known, size_t n_looked_at,
                       Progress* progress) {
  const size_t n = points.rows(), m = std::min(n_looked_at, known.ids.cols());
  const std::vector<std::vector<uint32_t>> reverse = listed_by(known.ids, m);
  Neighbors better{known.ids.copy(), known.distances.copy()};
  parallel_for(0, n, 256, [&](size_t first, size_t last) {
    std::vector<uint32_t> ids, own;
    std::vector<float> found;
    std::vector<Candidate> batch;
    const auto add_neighbors = [&](std::vector<uint32_t>& to, size_t point) {
      for (uint32_t near : known.ids.row(point).first(m)) {
        if (near != kNoNeighbor) to.push_back(near);
      }
      to.insert(to.end(), reverse[point].begin(), reverse[point].end());
    };
    for (size_t i = first; i < last; ++i) {
      ids.clear();
      own.clear();
      add_neighbors(own, i);
      for (uint32_t near : own) add_neighbors(ids, near);
      ids.insert(ids.end(), reverse[i].begin(), reverse[i].end());
      own.assign(known.ids.row(i).begin(), known.ids.row(i).end());
      own.push_back(static_cast<uint32_t>(i));
      std::ranges::sort(own);
      std::ranges::sort(ids);
      const auto [begin, end] = std::ranges::unique(ids);
      ids.erase(begin, end);
      std::erase_if(ids, [&](uint32_t id) { return std::ranges::binary_search(own, id); });
      found.resize(ids.size());
      distances(Metric::kSquaredL2, points.row(i), points, ids, found);
      const auto n_known = static_cast<size_t>(
          std::ranges::count_if(known.ids.row(i), [](uint32_t id) { return id != kNoNeighbor; }));
      KSelect nearest(better.ids.row(i), better.distances.row(i), n_known);
      batch.clear();
      for (size_t c = 0; c < ids.size(); ++c) {
        if (found[c] <= nearest.threshold()) batch.push_back({found[c], ids[c]});
      }
      nearest.merge(batch);
    }
    advance(progress, last - first);
  });
  return better;
}

}  // namespace

void KnnGraphOptions::validate() const {
  require(k >= 1, "k is 0: ask for at least one neighbour");
  require(part_size >= 1, "part_size is 0: a part holds at least one point");
  require(n_probes >= 1, "n_probes is 0: a point is at least compared with its own part");
}

Neighbors knn_graph(MatrixView<const float> points, const KnnGraphOptions& options,
                    Progress* progress) {
  options.validate();
  const size_t n = points.rows();
  if (n <= options.max_exact)
    return exact_knn_graph(points, options.k, Metric::kSquaredL2, progress);
  Neighbors result = [&] {
    Prober prober(points, options);
    begin_stage(progress, "nearest neighbours", n * prober.n_probes(), "comparisons");
    for (size_t rank = 0; rank < prober.n_probes(); ++rank) prober.probe(rank, progress);
    return prober.take();
  }();
  for (size_t round = 0; round < options.n_rounds; ++round) {
    begin_stage(progress, "their neighbours", n, "items");
    result = look_further(points, result, options.n_looked_at, progress);
  }
  return result;
}

}  // namespace carya
