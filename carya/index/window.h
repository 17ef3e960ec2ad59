#pragma once

#include <limits>
#include <optional>
#include <string_view>

#include "carya/index/hnsw.h"
#include "carya/index/window_tree.h"

namespace carya {

// Which labels a search may return: a closed interval.
struct LabelWindow {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// How a window is answered: how much of it by which node of a tree over the labels.
enum class WindowStrategy {
  kAuto,        // what costs least, as estimated; a failed guess is noticed and answered otherwise
  kScan,        // all vectors of the window: exact
  kTree,        // the largest nodes within the window, and scans of its ends
  kPostfilter,  // the smallest node around the window, if it is at most 8 times as large
                // and the window not below a quarter of the cutoff; else as kTree
  kThreeSplit,  // the largest nodes within the window, and for each end the smallest node around it
  kSuper,  // the smallest node around the window, shifted ones included (WindowOptions::shifted)
  kRoot,   // the root, as if there were no tree: for comparison
};

struct WindowOptions {
  size_t beta = 2;  // children of a node, 2 .. 64: more take less memory and search longer
  // Nodes of so many items or fewer have no graph, their items are scanned; at least 1.
  size_t cutoff = 1000;
  // Twice the nodes: then each window lies in a node at most about 2 beta times as large.
  bool shifted = false;
  // Changes (items added, updated or removed) that make a rebuild due, as a share of the items, in
  // (0, 1], and more than `cutoff` in any case.
  double delta_share = 0.1;
  // Of the nodes' graphs.  Answers are ranked by the exact vectors, which lie once beside the tree.
  HnswOptions hnsw = {.storage = {.exact = {}, .codes = RowFormat::kInt8}};
  // Makes the nodes' indexes instead of `hnsw`.  They are searched with k = effort = the candidates
  // wanted.
  IndexFactory factory = nullptr;
  void validate(size_t dim) const;  // throws kInvalidArgument
};

// Nearest neighbours among the items whose label (a time, a price) lies in a window that the query
// brings (Engels et al. 2024; card 121).  All vectors lie once, in the order of labels, so that a
// window is a run of rows; over the rows stands a tree of graphs, each node split into `beta` equal
// halves.  A search weighs scans, nodes within the window and nodes around it.
//
// Memory per item: 4 dim + 17 bytes for vector, id and label; and for each level of the tree, of
// which there are log_beta(n / cutoff), that of an Hnsw of codes (8.4 m + 18 + dim bytes, rows
// rounded up to 64 bytes; and about 80 more until it is saved and opened); twice that if shifted.
// 341,000 vectors of 100 dims: 9 levels of 285 bytes each.  Where codes cannot tell neighbours
// apart, the graphs hold f32.
//
// New and updated items lie in a buffer that every search scans.  When changes exceed a share of
// the items, all is built anew: O(n log n) graph insertions, and the memory of a second index
// meanwhile.  A search is const; changes need exclusive access.
//
//   WindowIndex index(384, Metric::kCosine);
//   index.add(ids, times, vectors);
//   std::vector<Hit> hits = index.search(query, LabelWindow{.low = monday, .high = friday}, {.k =
//   10});
class WindowIndex final : public Index {
 public:
  WindowIndex(size_t dim, Metric metric, const WindowOptions& options = {});

  size_t dim() const noexcept override { return store_.dim(); }
  size_t size() const noexcept override { return store_.n_live(); }
  Metric metric() const noexcept override { return store_.metric(); }
  const WindowOptions& options() const noexcept { return options_; }
  const WindowTree& tree() const noexcept { return tree_; }
  size_t n_buffered() const noexcept { return store_.n_slots() - tree_.n_rows(); }

  // labels [ids.size()], infinite ones allowed.  Throws kInvalidArgument on a NaN, and as
  // Index::add does; then nothing is added.  When progress asks to stop, all items are there, but
  // may be in the buffer (kCancelled).
  void add(std::span<const ItemId> ids, std::span<const double> labels,
           MatrixView<const float> vectors, Progress* progress = nullptr);
  // Without a label an item is in no window, and found by searches without one.
  void add(std::span<const ItemId> ids, MatrixView<const float> vectors,
           Progress* progress = nullptr) override;
  bool remove(ItemId id) override;
  // Labels stay.
  void update(std::span<const ItemId> ids, MatrixView<const float> vectors) override;
  void update(std::span<const ItemId> ids, std::span<const double> labels,
              MatrixView<const float> vectors);
  // Sorts the buffer in and drops what was removed.  Strong guarantee: if it throws (kCancelled),
  // nothing has changed.
  void rebuild(Progress* progress = nullptr);

  // The nearest items in the window, fewer than k if there are fewer.  effort: candidates that are
  // kept within each part of the window (kDefaultEffort); options.filter holds besides.  Throws
  // kInvalidArgument if low > high, on a NaN, and as Index::search does.
  std::vector<Hit> search(std::span<const float> query, const LabelWindow& window,
                          const SearchOptions& options,
                          WindowStrategy strategy = WindowStrategy::kAuto) const;
  // Among all items.
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  static constexpr size_t kDefaultEffort = 100;

  // One file.  Nodes that a factory made are not in it: open() makes them anew.
  void save(const std::filesystem::path& path) const override;
  // Maps the file; the first change copies it to memory.  factory: as the index had one, or none.
  // Throws kNotFound, kCorrupt; kInvalidArgument if the factory is missing.
  static WindowIndex open(const std::filesystem::path& path, const IndexFactory& factory = nullptr);
  static constexpr std::string_view kFileKind = "window_index";

 private:
  class Search;
  RowRange rows_of(const LabelWindow& window) const;
  void append(std::span<const ItemId> ids, std::span<const double> labels,
              MatrixView<const float> vectors);
  void replace(std::span<const ItemId> ids, std::span<const double> labels,
               MatrixView<const float> vectors);
  void rebuild_if_due(Progress* progress);

  WindowOptions options_;
  std::optional<Container> file_;  // what mapped arrays read
  // Slots below tree_.n_rows() are rows in the order of labels, those without one last; the rest is
  // the buffer.
  VectorStore store_;
  Column<double> labels_;  // [n_slots]; NaN: none
  size_t n_labelled_ = 0;  // rows that have a label
  WindowTree tree_;
};

}  // namespace carya
