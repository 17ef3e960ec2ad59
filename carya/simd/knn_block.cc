// One block of queries against all points.
//
// The points come in tiles that fit L2, packed so that a panel of 2 registers' width lies k-major;
// a micro-tile of kTileRows queries x 2 registers of points keeps its sums in registers.  A sum
// starts at the point's norm and adds -2 a.b, so what comes out is, but for |a|^2, a distance with
// a rounding error of at most error * (|a|^2 + |b|^2).  That error is taken off beforehand: sums
// are LOWER BOUNDS of the distance that distances() computes.  A sum below the query's current k-th
// distance makes its point a candidate; candidates are computed directly, so the result is what a
// scan with distances() gives, bit for bit.  About k ln(n / k) candidates come per query.
#include "carya/simd/knn_block.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "carya/simd/kselect.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/knn_block.cc"
#include <hwy/foreach_target.h>
// clang-format off: these must follow foreach_target.h
#include <hwy/highway.h>

#include "carya/simd/distance-inl.h"
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {

// Sums of a micro-tile + 2 registers of points + 1 of a query must fit the 32 or 16 registers.
constexpr size_t kTileRows = HWY_TARGET <= HWY_AVX3 || HWY_ARCH_ARM ? 12 : 6;
constexpr size_t kPanel = 2 * kFloats;           // points per panel
constexpr size_t kTileFloats = size_t{1} << 17;  // 512 KB of packed points: half of a 1 MB L2
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// What the packed numbers of a metric are multiplied with, and what the bounds add.
struct Packing {
  float query_scale, norm_weight, error;
  explicit Packing(const KnnTask& task) {
    // 2^-24 times: dim roundings of a sum that starts at |b|^2 (2 dim), the sums of the norms and
    // of the direct distance (dim/32 + 6 each), the centering (4), the comparison (4).
    const float ulp = 0x1.0p-24f * (2.2f * static_cast<float>(task.points.cols()) + 48);
    const bool l2 = task.metric == Metric::kSquaredL2;
    query_scale = l2 ? -2.0f : -1.0f;
    error = l2 ? ulp : ulp / 2;  // |a| |b| <= (|a|^2 + |b|^2) / 2
    norm_weight = (l2 ? 1.0f : 0.0f) - error;
  }
};

class Block {
 public:
  Block(const KnnTask& task, size_t first, size_t count)
      : task_(task),
        packing_(task),
        first_(first),
        count_(count),
        dim_(task.points.cols()),
        n_rows_((count + kTileRows - 1) / kTileRows * kTileRows),
        tile_points_(std::clamp<size_t>(kTileFloats / std::max<size_t>(dim_, 1) / kPanel, 1, 64) *
                     kPanel),
        capacity_(std::max<size_t>(64, 2 * task.k)),
        queries_(Matrix<float>::uninitialized(n_rows_, dim_)),
        points_(Matrix<float>::uninitialized(tile_points_, dim_)),
        start_(Matrix<float>::uninitialized(1, tile_points_)),
        limits_(n_rows_, -kInfinity),  // padding rows take nothing
        offsets_(n_rows_),
        slacks_(n_rows_),
        n_candidates_(n_rows_),
        found_(n_rows_),
        candidates_(count * capacity_),
        ids_(capacity_),
        exact_(capacity_) {
    pack_queries();
  }

  void run() {
    for (size_t begin = 0; begin < task_.points.rows(); begin += tile_points_) {
      const size_t n = std::min(tile_points_, task_.points.rows() - begin);
      pack_points(begin, n);
      const size_t n_panels = (n + kPanel - 1) / kPanel;
      for (size_t row = 0; row < n_rows_; row += kTileRows) sweep(row, begin, n_panels);
      for (size_t row = 0; row < count_; ++row) {
        if (n_candidates_[row] > 0) flush(row);
      }
    }
    for (size_t row = 0; row < count_; ++row) {
      for (size_t j = found_[row]; j < task_.result->ids.cols(); ++j) {
        task_.result->ids(first_ + row, j) = kNoNeighbor;
        task_.result->distances(first_ + row, j) = kInfinity;
      }
    }
  }

 private:
  bool cosine() const { return task_.metric == Metric::kCosine; }
  static float inverse_norm(float squared) {
    return squared > 0 ? 1.0f / std::sqrt(squared) : 0.0f;
  }

  void pack_queries() {
    for (size_t row = 0; row < n_rows_; ++row) {
      float* to = queries_.data() + row / kTileRows * kTileRows * dim_ + row % kTileRows;
      if (row >= count_) {
        for (size_t i = 0; i < dim_; ++i) to[i * kTileRows] = 0;
        continue;
      }
      const float* from = task_.queries.row_data(first_ + row);
      const float squared = task_.query_norms[first_ + row];
      const float scale = packing_.query_scale * (cosine() ? inverse_norm(squared) : 1.0f);
      for (size_t i = 0; i < dim_; ++i) to[i * kTileRows] = (from[i] - task_.center[i]) * scale;
      const float norm = cosine() ? 1.0f : squared;
      offsets_[row] = norm * packing_.norm_weight + (cosine() ? 1.0f : 0.0f);
      slacks_[row] = 2 * packing_.error * (norm + (cosine() ? 1.0f : task_.max_point_norm));
      limits_[row] = kInfinity;
    }
  }

  void pack_points(size_t begin, size_t n) {
    for (size_t p = 0; p < (n + kPanel - 1) / kPanel * kPanel; ++p) {
      float* to = points_.data() + p / kPanel * kPanel * dim_ + p % kPanel;
      if (p >= n) {
        for (size_t i = 0; i < dim_; ++i) to[i * kPanel] = 0;
        start_(0, p) = kInfinity;
        continue;
      }
      const float* from = task_.points.row_data(begin + p);
      const float squared = task_.point_norms[begin + p];
      const float scale = cosine() ? inverse_norm(squared) : 1.0f;
      for (size_t i = 0; i < dim_; ++i) to[i * kPanel] = (from[i] - task_.center[i]) * scale;
      start_(0, p) = (cosine() ? 1.0f : squared) * packing_.norm_weight;
    }
  }

  // kTileRows queries against all panels of the tile.
  HWY_NOINLINE void sweep(size_t row, size_t begin, size_t n_panels) {
    const FloatTag d;
    const float* HWY_RESTRICT query = queries_.data() + row * dim_;
    const float* HWY_RESTRICT panel = points_.data();
    for (size_t p = 0; p < n_panels; ++p, panel += kPanel * dim_) {
      Floats sum0[kTileRows], sum1[kTileRows];
      const Floats start0 = hn::Load(d, start_.data() + p * kPanel);
      const Floats start1 = hn::Load(d, start_.data() + p * kPanel + kFloats);
#pragma GCC unroll 16
      for (size_t r = 0; r < kTileRows; ++r) {
        sum0[r] = start0;
        sum1[r] = start1;
      }
      for (size_t i = 0; i < dim_; ++i) {
        const Floats point0 = hn::Load(d, panel + i * kPanel);
        const Floats point1 = hn::Load(d, panel + i * kPanel + kFloats);
#pragma GCC unroll 16
        for (size_t r = 0; r < kTileRows; ++r) {
          const Floats q = hn::Set(d, query[i * kTileRows + r]);
          sum0[r] = hn::MulAdd(q, point0, sum0[r]);
          sum1[r] = hn::MulAdd(q, point1, sum1[r]);
        }
      }
#pragma GCC unroll 16
      for (size_t r = 0; r < kTileRows; ++r) {
        const Floats limit = hn::Set(d, limits_[row + r]);
        const auto near0 = hn::Lt(sum0[r], limit), near1 = hn::Lt(sum1[r], limit);
        if (!hn::AllFalse(d, hn::Or(near0, near1))) {
          HWY_ALIGN float sums[kPanel];
          hn::Store(sum0[r], d, sums);
          hn::Store(sum1[r], d, sums + kFloats);
          take(row + r, sums, bits_of(near0) | bits_of(near1) << kFloats, begin + p * kPanel);
        }
      }
    }
  }

  template <class M>
  static HWY_INLINE uint32_t bits_of(M mask) {
    uint8_t bytes[8] = {};
    hn::StoreMaskBits(FloatTag(), mask, bytes);
    return bytes[0] | uint32_t{bytes[1]} << 8;
  }

  // One row of a micro-tile has candidates, where bits are set.
  HWY_NOINLINE void take(size_t row, const float* sums, uint32_t bits, size_t first_id) {
    if (task_.k == 1 && !task_.skip_self) {  // the nearest so far bounds the nearest
      const float least = *std::min_element(sums, sums + kPanel) + slacks_[row];
      limits_[row] = std::min(limits_[row], std::nextafter(least, kInfinity));
    }
    for (; bits != 0; bits &= bits - 1) {
      const auto j = static_cast<size_t>(std::countr_zero(bits));
      const auto id = static_cast<uint32_t>(first_id + j);
      if (!(sums[j] < limits_[row]) || (task_.skip_self && id == first_ + row)) continue;
      candidates_[row * capacity_ + n_candidates_[row]] = {sums[j], id};
      if (++n_candidates_[row] == capacity_) flush(row);
    }
  }

  // Computes the distances of a row's candidates and keeps the k nearest.
  HWY_NOINLINE void flush(size_t row) {
    Candidate* const batch = &candidates_[row * capacity_];
    size_t n = n_candidates_[row];
    n_candidates_[row] = 0;
    float limit = limits_[row];
    if (n > task_.k) {  // k of them are at most this far
      std::nth_element(batch, batch + task_.k - 1, batch + n);
      limit =
          std::min(limit, std::nextafter(batch[task_.k - 1].distance + slacks_[row], kInfinity));
    }
    size_t kept = 0;
    for (size_t i = 0; i < n; ++i) {
      if (batch[i].distance < limit) ids_[kept++] = batch[i].id;
    }
    const float* const query = task_.queries.row_data(first_ + row);
    // The norms of the points are there: a cosine needs the product only.
    each_distance(
        cosine() ? Metric::kInnerProduct : task_.metric, query, dim_, kept,
        [&](size_t i) HWY_ATTR { return task_.points.row_data(ids_[i]); }, exact_.data());
    for (size_t i = 0; i < kept; ++i) {
      if (cosine()) {
        exact_[i] = cosine_distance(-exact_[i], task_.query_norms[first_ + row],
                                    task_.point_norms[ids_[i]]);
      }
      batch[i] = {exact_[i], ids_[i]};
    }
    KSelect nearest(task_.result->ids.row(first_ + row).first(task_.k),
                    task_.result->distances.row(first_ + row).first(task_.k), found_[row]);
    nearest.merge({batch, kept});
    found_[row] = nearest.found();
    const float threshold = nearest.threshold();
    // Nothing is nearer than 0, and equal distances with larger ids lose.
    const bool done = threshold == 0 && task_.metric == Metric::kSquaredL2;
    limits_[row] = done ? -kInfinity : threshold - offsets_[row];
  }

  const KnnTask& task_;
  const Packing packing_;
  const size_t first_, count_, dim_, n_rows_, tile_points_, capacity_;
  Matrix<float> queries_, points_, start_;  // packed; start_: where the sums begin
  // Per row: sums below limit are candidates; distance - offset is a limit; upper - lower bound.
  std::vector<float> limits_, offsets_, slacks_;
  std::vector<size_t> n_candidates_, found_;
  std::vector<Candidate> candidates_;  // [count, capacity], with lower bounds
  std::vector<uint32_t> ids_;          // of one flush
  std::vector<float> exact_;
};

void run_block(const KnnTask& task, size_t first, size_t count) { Block(task, first, count).run(); }

void norms_of(MatrixView<const float> rows, const float* center, size_t first, size_t count,
              float* out) {
  for (size_t i = 0; i < count; ++i) {
    const float* row = rows.row_data(first + i);
    sum_rows<1, SquaredDifference>(center, &row, rows.cols(), out + i);
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(run_block);
HWY_EXPORT(norms_of);

void centered_norms(MatrixView<const float> rows, std::span<const float> center, size_t first,
                    std::span<float> out) {
  HWY_DYNAMIC_DISPATCH(norms_of)(rows, center.data(), first, out.size(), out.data());
}

void knn_block(const KnnTask& task, size_t first, size_t count) {
  HWY_DYNAMIC_DISPATCH(run_block)(task, first, count);
}
}  // namespace carya
#endif
