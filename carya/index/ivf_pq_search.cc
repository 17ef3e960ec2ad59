#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "carya/index/ivf_pq.h"
#include "carya/simd/code_scan.h"
#include "carya/simd/distance.h"

namespace carya {
namespace {

constexpr size_t kDefaultProbes = 8;
constexpr size_t kChunk = 1024;  // codes whose sums are looked through at once: they stay in L1

struct Approximate {
  float distance;
  ItemId id;
  friend bool operator<(const Approximate& a, const Approximate& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.id < b.id;
  }
};

// The best of a stream, kept in a pool of twice as many that is thinned when it is full.
class Pool {
 public:
  explicit Pool(size_t n) : n_(n) { pool_.reserve(2 * n + kChunk); }
  float limit() const { return limit_; }
  void add(Approximate entry) {
    if (entry.distance <= limit_) pool_.push_back(entry);
  }
  void thin() {
    if (pool_.size() < 2 * n_) return;
    cut();
  }
  std::vector<Approximate> best() {
    cut();
    std::sort(pool_.begin(), pool_.end());
    return std::move(pool_);
  }

 private:
  void cut() {
    if (pool_.size() <= n_) return;
    std::nth_element(pool_.begin(), pool_.begin() + static_cast<ptrdiff_t>(n_ - 1), pool_.end());
    pool_.resize(n_);
    limit_ = pool_.back().distance;
  }
  size_t n_;
  float limit_ = std::numeric_limits<float>::infinity();
  std::vector<Approximate> pool_;
};

}  // namespace

// One search: tables of the query, then the nearest lists one by one.
class IvfPq::Search {
 public:
  Search(const IvfPq& index, std::span<const float> query, const SearchOptions& options,
         size_t n_kept)
      : index_(index), options_(options), pool_(n_kept) {
    query_ = index.prepared(MatrixView<const float>(query.data(), 1, query.size()));
    products_.resize(index.quantizer_.all_centroids().rows());
    index.quantizer_.products(query_.row(0), products_);
    const float factor = index.metric_ == Metric::kSquaredL2 ? -2.0f : -1.0f;
    for (float& x : products_) x *= factor;
    table_.resize(products_.size());
    if (index.options_.bits == 4) {
      bytes_.resize(16 * padded_parts(index.options_.n_parts));
      sums_.resize(kChunk);
    } else {
      float_sums_.resize(kChunk);
    }
    found_.resize(kChunk);
  }

  std::vector<Approximate> run(size_t n_probes) {
    const Metric inner =
        index_.metric_ == Metric::kSquaredL2 ? Metric::kSquaredL2 : Metric::kInnerProduct;
    std::vector<float> to_centroids(index_.n_lists());
    distances(inner, query_.row(0), index_.centroids_, to_centroids);
    std::vector<Approximate> order;
    for (size_t list = 0; list < to_centroids.size(); ++list) {
      order.push_back({to_centroids[list], list});
    }
    n_probes = std::min(n_probes, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<ptrdiff_t>(n_probes), order.end());
    for (size_t i = 0; i < n_probes; ++i) scan(order[i].id, order[i].distance);
    if (options_.stats != nullptr) {
      options_.stats->n_distances += n_read_;
      options_.stats->n_hops += n_probes;
    }
    return pool_.best();
  }

 private:
  void scan(size_t list, float base) {
    const List& items = index_.lists_[list];
    n_read_ += items.ids.size();
    if (items.ids.size() == 0) return;
    if (index_.options_.bits == 4) {
      make_table(list);
      scan_short(items, base);
    } else {
      const std::span<const float> own = table_of(list);
      for (size_t i = 0; i < table_.size(); ++i) table_[i] = own[i] + products_[i];
      scan_bytes(items, base);
    }
  }

  std::span<const float> table_of(size_t list) {
    if (!index_.tables_.empty()) return index_.tables_.row(list);
    list_table_.resize(table_.size());
    index_.fill_table(list, list_table_);
    return list_table_;
  }

  void make_table(size_t list) {
    const bool is_shared = index_.metric_ != Metric::kSquaredL2;  // the same for all lists
    if (is_shared && !lowest_.empty()) return;
    lowest_.resize(index_.options_.n_parts);
    widest_ = add_tables(table_of(list).data(), products_.data(), lowest_.size(), table_.data(),
                         lowest_.data());
    lowest_sum_ = std::accumulate(lowest_.begin(), lowest_.end(), 0.0f);
    step_ = 0;  // the bytes are of another table
  }

  // Tables as bytes, all parts with one step: a sum is off by at most half a step a part.  What
  // alone puts a code out of the best is 255, so the steps get finer as the best get better.
  void scan_short(const List& items, float base) {
    const size_t n_parts = index_.options_.n_parts;
    base += lowest_sum_;
    if (base > pool_.limit()) return;
    const float range = std::min(widest_, pool_.limit() - base);
    constexpr float kFineEnough = 1.5f;  // steps that are so much too wide are left as they are
    if (step_ == 0 || 255 * step_ < range || 255 * step_ > kFineEnough * range) {
      step_ = range > 0 ? range / 255 : 1;
      tables_to_bytes(table_.data(), lowest_.data(), n_parts, step_, bytes_.data());
    }
    const float step = step_;
    const size_t n = items.ids.size(), bytes = block_bytes(n_parts);
    for (size_t first = 0; first < n; first += kChunk) {
      const size_t count = std::min(kChunk, n - first);
      sum_codes(items.codes.data() + first / kCodesPerBlock * bytes,
                (count + kCodesPerBlock - 1) / kCodesPerBlock, n_parts, bytes_.data(),
                sums_.data());
      const float room = (pool_.limit() - base) / step;
      if (room < 0) continue;
      const auto limit = static_cast<uint16_t>(std::min(room, 65535.0f));
      const size_t n_found = select_at_most(sums_.data(), count, limit, found_.data());
      for (size_t i = 0; i < n_found; ++i) {
        keep(base + step * static_cast<float>(sums_[found_[i]]), items.ids[first + found_[i]]);
      }
      pool_.thin();
    }
  }

  void scan_bytes(const List& items, float base) {
    const size_t n_parts = index_.options_.n_parts, n = items.ids.size();
    for (size_t first = 0; first < n; first += kChunk) {
      const size_t count = std::min(kChunk, n - first);
      sum_byte_codes(items.codes.data() + first * n_parts, count, n_parts, table_.data(),
                     float_sums_.data());
      for (size_t i = 0; i < count; ++i) {
        if (base + float_sums_[i] <= pool_.limit()) {
          keep(base + float_sums_[i], items.ids[first + i]);
        }
      }
      pool_.thin();
    }
  }

  void keep(float distance, ItemId id) {
    if (options_.filter == nullptr || options_.filter->accepts(id)) pool_.add({distance, id});
  }

  const IvfPq& index_;
  const SearchOptions& options_;
  Pool pool_;
  Matrix<float> query_;            // [1, dim], prepared
  std::vector<float> products_;    // with all numbers of the codes, times -2 or -1
  std::vector<float> list_table_;  // where it is not precomputed
  std::vector<float> table_;       // of a list: what each number adds to a distance
  std::vector<float> lowest_;      // of each part of table_
  float lowest_sum_ = 0, widest_ = 0;
  std::vector<uint8_t> bytes_;  // table_ in steps
  float step_ = 0;
  std::vector<uint16_t> sums_;
  std::vector<float> float_sums_;
  std::vector<uint32_t> found_;
  size_t n_read_ = 0;
};

std::vector<Hit> IvfPq::search(std::span<const float> query, const SearchOptions& options) const {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  require(query.size() == dim_, "the query has {} dimensions, the index {}", query.size(), dim_);
  for (const float x : query)
    require(std::isfinite(x), "the query has a number that is not finite");
  if (size_ == 0) return {};
  const bool has_exact = !options.exact.empty();
  require(!has_exact || options.exact.cols() == dim_,
          "the exact vectors have {} dimensions, the index {}", options.exact.cols(), dim_);
  const size_t k = std::min(options.k, size_);
  Search search(*this, query, options, has_exact ? std::min(size_, kRerank * k) : k);
  std::vector<Approximate> found =
      search.run(options.effort == 0 ? kDefaultProbes : options.effort);
  if (has_exact) {
    std::vector<uint32_t> rows;
    for (const Approximate& entry : found) {
      require(entry.id < options.exact.rows(), "there is no exact vector of id {}", entry.id);
      rows.push_back(static_cast<uint32_t>(entry.id));
    }
    std::vector<float> exact(rows.size());
    distances(metric_, query, options.exact, rows, exact);
    for (size_t i = 0; i < rows.size(); ++i) found[i].distance = exact[i];
    std::sort(found.begin(), found.end());
  }
  std::vector<Hit> hits;
  for (size_t i = 0; i < std::min(k, found.size()); ++i) {
    const bool is_shifted = metric_ == Metric::kCosine && !has_exact;
    hits.push_back({found[i].id, is_shifted ? 1 + found[i].distance : found[i].distance});
  }
  return hits;
}

}  // namespace carya
