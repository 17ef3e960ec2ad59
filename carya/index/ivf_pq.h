#pragma once

#include <optional>
#include <string_view>
#include <unordered_map>

#include "carya/core/container.h"
#include "carya/index/column.h"
#include "carya/index/index.h"
#include "carya/index/product_quantizer.h"

namespace carya {

struct IvfPqOptions {
  size_t n_lists = 0;  // 0: about 2 sqrt(n), of at least 40 training points each
  // Of a code, a divisor of the dim; 0: the one nearest to dim / 2, or dim / 4 where bits is 8.
  size_t n_parts = 0;
  size_t bits = 4;     // 4: scanned in registers; 8: finer, and slower by the byte
  bool rotate = true;  // learn a rotation first (OPQ)
  uint64_t seed = 0;
  size_t max_table_bytes = size_t{64} << 20;  // of precomputed tables; without them lists cost more
  void validate(size_t dim) const;            // throws kInvalidArgument
};

// Compressed vectors in lists: a vector lies in the list of its nearest centroid, as the product
// code of its difference to it (Johnson, Douze & Jegou 2017; card 173).  n_parts bits / 8 bytes and
// 8 for the id an item.  A search reads the lists of the nearest `effort` centroids (8 by default)
// and ranks by the codes; with SearchOptions::exact, the best kRerank k of them by the exact
// vectors.
//
//   IvfPq index(784, Metric::kSquaredL2, {.n_parts = 32});
//   index.train(vectors);
//   index.add(ids, vectors);
//   hits = index.search(query, {.k = 10, .effort = 16, .exact = vectors});
class IvfPq final : public Index {
 public:
  static constexpr size_t kRerank = 10;
  IvfPq(size_t dim, Metric metric, const IvfPqOptions& options = {});

  // Learns centroids, rotation and codes, once, before the first add().  points [n, dim], finite,
  // at least 2^bits.  Throws kInvalidArgument.
  void train(MatrixView<const float> points, Progress* progress = nullptr);
  bool is_trained() const noexcept { return quantizer_.n_parts() > 0; }
  size_t n_lists() const noexcept { return lists_.size(); }
  const IvfPqOptions& options() const noexcept { return options_; }

  size_t dim() const noexcept override { return dim_; }
  size_t size() const noexcept override { return size_; }
  Metric metric() const noexcept override { return metric_; }
  // Throws kInvalidArgument if it is not trained.
  void add(std::span<const ItemId> ids, MatrixView<const float> vectors,
           Progress* progress = nullptr) override;
  bool remove(ItemId id) override;
  void update(std::span<const ItemId> ids, MatrixView<const float> vectors) override;
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  // The vector that an item's code stands for, [dim] (of length about 1 for cosine).  O(size) until
  // the first change.
  std::optional<std::vector<float>> reconstruct(ItemId id) const;
  void save(const std::filesystem::path& path) const override;
  static IvfPq open(const std::filesystem::path& path);
  static constexpr std::string_view kFileKind = "ivf_pq";

 private:
  struct List {
    Column<ItemId> ids;
    Column<uint8_t> codes;  // blocks of code_scan.h, or [size, n_parts] bytes
  };
  struct Place {
    uint32_t list, position;
  };
  class Search;

  std::optional<Place> find(ItemId id) const;
  Matrix<float> prepared(MatrixView<const float> vectors) const;
  void check_rows(std::span<const ItemId> ids, MatrixView<const float> vectors) const;
  void index_ids();
  void make_tables();
  void fill_table(size_t list, std::span<float> table) const;
  size_t code_bytes(size_t n_items) const;
  void put(uint32_t list, ItemId id, std::span<const uint8_t> numbers);

  size_t dim_, size_ = 0;
  Metric metric_;
  IvfPqOptions options_;
  std::optional<Container> file_;  // what mapped lists read
  Matrix<float> rotation_;         // [dim, dim], or empty
  Matrix<float> centroids_;        // [n_lists, dim], rotated
  ProductQuantizer quantizer_;
  Matrix<float> tables_;  // [n_lists, n_parts * n_centroids], or empty: see fill_table
  std::vector<List> lists_;
  bool is_indexed_ = false;  // at the first change
  std::unordered_map<ItemId, Place> places_;
};

}  // namespace carya
