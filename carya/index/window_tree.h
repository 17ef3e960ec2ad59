#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "carya/index/index.h"

namespace carya {

// Rows first .. last - 1.
struct RowRange {
  size_t first = 0, last = 0;
  size_t size() const noexcept { return last - first; }
  bool empty() const noexcept { return first >= last; }
  bool contains(const RowRange& rows) const noexcept {
    return first <= rows.first && rows.last <= last;
  }
  RowRange clipped_to(const RowRange& rows) const noexcept;
  bool operator==(const RowRange&) const = default;
};

// An index of some rows; its item ids are rows.
struct WindowNode {
  RowRange rows;
  std::unique_ptr<Index> index;
};

// One search of a plan: for the nearest of `rows` among what a node finds, or by a scan.
struct WindowPart {
  RowRange rows;
  const WindowNode* node = nullptr;  // null: scan
};

// What the parts of a plan cost, in distances of a scan.
class WindowCosts {
 public:
  // effort: candidates wanted within a part, at least k.  selectivity: of the filter, (0, 1]; 1 if
  // none.
  WindowCosts(size_t dim, size_t k, size_t effort, double selectivity, bool has_filter);
  // Candidates to ask a node for, so that `effort` of them lie in `rows` if labels and the filter
  // have nothing to do with the query; at most the node's size.
  size_t beam(const WindowNode& node, const RowRange& rows) const;
  double scan(size_t n_rows) const;
  double search(size_t n_node_rows, size_t beam) const;
  double part(const WindowPart& part) const;
  // Whether no plan with a search in it costs less than a scan.
  bool is_scanned(size_t n_rows) const;

 private:
  double candidate(size_t n_node_rows) const;
  size_t effort_, effort_by_chance_;
  double scanned_;       // nanoseconds
  double per_doubling_;  // of a node's rows: what the search for a candidate costs more
  double selectivity_;
  bool has_filter_;
};

// The nodes over rows that are sorted by label, and the ways to answer for a range of rows by them
// (Engels et al. 2024; card 121).  Level l has beta^l nodes of equal size (within one row); levels
// end before nodes of `cutoff` rows or fewer.  Shifted nodes lie half a node beside those of their
// level: then each range is in a node at most about 2 beta times as large.
class WindowTree {
 public:
  WindowTree() = default;
  // The nodes have no indexes yet.
  WindowTree(size_t n_rows, size_t beta, size_t cutoff, bool is_shifted);

  std::span<WindowNode> nodes() noexcept { return nodes_; }
  std::span<const WindowNode> nodes() const noexcept { return nodes_; }
  size_t n_rows() const noexcept { return n_rows_; }
  // Null if there are too few rows for one.
  const WindowNode* root() const noexcept { return nodes_.empty() ? nullptr : nodes_.data(); }

  // The maximal nodes within `rows`, at most 2 (beta - 1) a level, and scans of the ends.
  std::vector<WindowPart> cover(const RowRange& rows) const;
  enum class Shifted { kWithout, kWith };
  // The smallest node around `rows`; null if there is no node.
  const WindowNode* containing(const RowRange& rows, Shifted shifted) const;
  // The smallest node around `rows`, or the cover where that is more than kMaxRatio times as large
  // or `rows` are less than a quarter of the cutoff.
  std::vector<WindowPart> around(const RowRange& rows, Shifted shifted) const;
  static constexpr size_t kMaxRatio = 8;
  // The largest nodes within `rows` in the middle, and what is around either end.
  std::vector<WindowPart> three_split(const RowRange& rows) const;
  // The least sum of costs over all ways to part `rows` at the bounds of nodes, each part answered
  // by a scan or by a node around it.  O(beta log^2 n).
  std::vector<WindowPart> cheapest(const RowRange& rows, const WindowCosts& costs) const;

 private:
  struct Level {
    size_t n_nodes, first, first_shifted;  // positions in nodes_
  };
  // The node of a level that holds the row.
  size_t node_at(const Level& level, size_t row) const;
  void add_cover(size_t level, size_t node, const RowRange& rows,
                 std::vector<WindowPart>& parts) const;
  double add_cheapest(size_t level, size_t node, const RowRange& rows, const WindowCosts& costs,
                      std::vector<WindowPart>& parts) const;

  size_t n_rows_ = 0, beta_ = 2, cutoff_ = 0;
  bool is_shifted_ = false;
  std::vector<WindowNode> nodes_;  // level by level, then the shifted ones of that level
  std::vector<Level> levels_;
};

}  // namespace carya
