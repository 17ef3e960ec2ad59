#include "carya/index/window_tree.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace carya {
namespace {

// What searches cost, in distances of a scan: measured on nodes of 1,000 .. 60,000 words of 100
// dims and of 5,000 .. 20,000 MNIST images of 784, one thread, vectors in memory; within a third.
constexpr double kAsking = 0.07;  // the filter, about one item
// Nanoseconds: a scanned vector; a candidate of a search, for each doubling of the node from 2^4.4.
constexpr double kScanned = 1, kScannedDim = 0.22;
constexpr double kCandidate = 42, kCandidateDim = 0.03, kFirstDoubling = 4.4;
constexpr double kBegin = 6000;      // nanoseconds: to plan, to begin a search, to rank
constexpr double kEntry = 6;         // candidates' worth, to come near
constexpr double kCodes = 2;         // a code, where a node finds it cheaper to read all
constexpr size_t kLeastNode = 1024;  // rows; there are hardly smaller ones

// Consecutive scans become one.
void add_part(const WindowPart& part, std::vector<WindowPart>& parts) {
  if (part.rows.empty()) return;
  const bool joins = !parts.empty() && part.node == nullptr && parts.back().node == nullptr &&
                     parts.back().rows.last == part.rows.first;
  if (joins) {
    parts.back().rows.last = part.rows.last;
  } else {
    parts.push_back(part);
  }
}

}  // namespace

RowRange RowRange::clipped_to(const RowRange& rows) const noexcept {
  RowRange clipped{std::max(first, rows.first), std::min(last, rows.last)};
  if (clipped.empty()) clipped.last = clipped.first;
  return clipped;
}

WindowCosts::WindowCosts(size_t dim, size_t k, size_t effort, double selectivity, bool has_filter)
    : effort_(effort),
      effort_by_chance_(
          std::max(effort, k + static_cast<size_t>(2 * std::sqrt(static_cast<double>(k))))),
      scanned_(kScanned + kScannedDim * static_cast<double>(dim)),
      per_doubling_((kCandidate + kCandidateDim * static_cast<double>(dim)) / scanned_),
      selectivity_(selectivity),
      has_filter_(has_filter) {}

double WindowCosts::candidate(size_t n_node_rows) const {
  return per_doubling_ *
         (std::log2(static_cast<double>(std::max(n_node_rows, kLeastNode))) - kFirstDoubling);
}

size_t WindowCosts::beam(const WindowNode& node, const RowRange& rows) const {
  const double share =
      static_cast<double>(rows.size()) / static_cast<double>(node.rows.size()) * selectivity_;
  // How many of a beam lie in a part is a matter of chance: two deviations more than k, or every
  // second search would find too few and begin again.
  const double wanted = share == 1 ? static_cast<double>(effort_)
                                   : std::ceil(static_cast<double>(effort_by_chance_) / share);
  const size_t most = std::max<size_t>(node.rows.size(), 1);
  return wanted < static_cast<double>(most) ? static_cast<size_t>(wanted) : most;
}

double WindowCosts::scan(size_t n_rows) const {
  const auto n = static_cast<double>(n_rows);
  return has_filter_ ? (selectivity_ + kAsking) * n : n;
}

double WindowCosts::search(size_t n_node_rows, size_t beam) const {
  return kBegin / scanned_ + std::min(candidate(n_node_rows) * (static_cast<double>(beam) + kEntry),
                                      kCodes * static_cast<double>(n_node_rows));
}

double WindowCosts::part(const WindowPart& part) const {
  if (part.node == nullptr) return scan(part.rows.size());
  return search(part.node->rows.size(), beam(*part.node, part.rows));
}

// A search of a part costs at least candidate(its rows) (effort + kEntry), which is concave: if
// that is more than a scan of all rows, so it is for each part of them.
bool WindowCosts::is_scanned(size_t n_rows) const {
  return scan(n_rows) <=
         kBegin / scanned_ + candidate(n_rows) * (static_cast<double>(effort_) + kEntry);
}

WindowTree::WindowTree(size_t n_rows, size_t beta, size_t cutoff, bool is_shifted)
    : n_rows_(n_rows), beta_(beta), cutoff_(cutoff), is_shifted_(is_shifted) {
  for (size_t n_nodes = 1; n_rows / n_nodes > cutoff; n_nodes *= beta) {
    Level level{.n_nodes = n_nodes, .first = nodes_.size(), .first_shifted = 0};
    for (size_t i = 0; i < n_nodes; ++i) {
      nodes_.push_back({{n_rows * i / n_nodes, n_rows * (i + 1) / n_nodes}, nullptr});
    }
    level.first_shifted = nodes_.size();
    for (size_t i = 0; is_shifted && i + 1 < n_nodes; ++i) {
      nodes_.push_back(
          {{n_rows * (2 * i + 1) / (2 * n_nodes), n_rows * (2 * i + 3) / (2 * n_nodes)}, nullptr});
    }
    levels_.push_back(level);
  }
}

size_t WindowTree::node_at(const Level& level, size_t row) const {
  return ((row + 1) * level.n_nodes - 1) / n_rows_;
}

const WindowNode* WindowTree::containing(const RowRange& rows, Shifted shifted) const {
  for (auto level = levels_.rbegin(); level != levels_.rend(); ++level) {
    const size_t at = node_at(*level, rows.first);
    const WindowNode& node = nodes_[level->first + at];
    if (node.rows.contains(rows)) return &node;
    if (shifted == Shifted::kWithout || !is_shifted_) continue;
    for (size_t i = at == 0 ? 0 : at - 1; i < std::min(at + 1, level->n_nodes - 1); ++i) {
      const WindowNode& beside = nodes_[level->first_shifted + i];
      if (beside.rows.contains(rows)) return &beside;
    }
  }
  return nullptr;
}

std::vector<WindowPart> WindowTree::cover(const RowRange& rows) const {
  std::vector<WindowPart> parts;
  if (levels_.empty()) {
    add_part({rows}, parts);
  } else {
    add_cover(0, 0, rows, parts);
  }
  return parts;
}

void WindowTree::add_cover(size_t level, size_t index, const RowRange& rows,
                           std::vector<WindowPart>& parts) const {
  const WindowNode& node = nodes_[levels_[level].first + index];
  const RowRange part = rows.clipped_to(node.rows);
  if (part.empty()) return;
  if (part == node.rows) return add_part({part, &node}, parts);
  if (level + 1 == levels_.size()) return add_part({part}, parts);
  for (size_t child = index * beta_; child < (index + 1) * beta_; ++child) {
    add_cover(level + 1, child, rows, parts);
  }
}

std::vector<WindowPart> WindowTree::around(const RowRange& rows, Shifted shifted) const {
  constexpr size_t kMinShare = 4;  // of the cutoff
  const WindowNode* const node = containing(rows, shifted);
  const bool pays = node != nullptr && node->rows.size() <= kMaxRatio * rows.size() &&
                    rows.size() >= cutoff_ / kMinShare;
  return pays ? std::vector<WindowPart>{{rows, node}} : cover(rows);
}

std::vector<WindowPart> WindowTree::three_split(const RowRange& rows) const {
  const std::vector<WindowPart> whole = cover(rows);
  size_t largest = 0;
  for (const WindowPart& part : whole) {
    if (part.node != nullptr) largest = std::max(largest, part.rows.size());
  }
  // Nodes of one level differ by one row; they lie side by side in the middle.
  RowRange middle{rows.last, rows.last};
  std::vector<WindowPart> parts;
  for (const WindowPart& part : whole) {
    if (part.node == nullptr || part.rows.size() + 1 < largest) continue;
    if (parts.empty()) middle.first = part.rows.first;
    middle.last = part.rows.last;
    parts.push_back(part);
  }
  if (parts.empty()) middle = {rows.first, rows.first};
  for (const RowRange& end :
       {RowRange{rows.first, middle.first}, RowRange{middle.last, rows.last}}) {
    if (end.empty()) continue;
    for (const WindowPart& part : around(end, Shifted::kWithout)) add_part(part, parts);
  }
  return parts;
}

// A shifted node is weighed for the whole window only: parts end where nodes do, and the nodes
// there are around them as closely.
std::vector<WindowPart> WindowTree::cheapest(const RowRange& rows, const WindowCosts& costs) const {
  std::vector<WindowPart> parts;
  if (levels_.empty() || costs.is_scanned(rows.size())) {
    add_part({rows}, parts);
    return parts;
  }
  const double least = add_cheapest(0, 0, rows, costs, parts);
  if (is_shifted_) {
    const WindowPart whole{rows, containing(rows, Shifted::kWith)};
    if (costs.part(whole) < least) parts = {whole};
  }
  return parts;
}

double WindowTree::add_cheapest(size_t level, size_t index, const RowRange& rows,
                                const WindowCosts& costs, std::vector<WindowPart>& parts) const {
  const WindowNode& node = nodes_[levels_[level].first + index];
  const RowRange part = rows.clipped_to(node.rows);
  if (part.empty()) return 0;
  const double scanning = costs.scan(part.size()), searching = costs.part({part, &node});
  const double least = std::min(scanning, searching);
  const size_t n_before = parts.size();
  if (level + 1 < levels_.size() && part != node.rows) {
    double sum = 0;
    for (size_t child = index * beta_; child < (index + 1) * beta_; ++child) {
      sum += add_cheapest(level + 1, child, rows, costs, parts);
    }
    if (sum < least) return sum;
    parts.resize(n_before);
  }
  parts.push_back({part, scanning <= searching ? nullptr : &node});
  return least;
}

}  // namespace carya
