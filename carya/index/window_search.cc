// WindowIndex::search: from a window to hits.
#include <algorithm>
#include <array>
#include <cmath>

#include "carya/index/hit_select.h"
#include "carya/index/ranker.h"
#include "carya/index/scan.h"
#include "carya/index/window.h"

namespace carya {
namespace {

constexpr size_t kBatch = 64;  // rows that are compared while their vectors come

double selectivity_of(const Filter* filter) {
  return filter == nullptr ? 1 : std::clamp(filter->selectivity(), 1e-9, 1.0);
}

}  // namespace

// One search: the parts of a plan give hits to one selection.
class WindowIndex::Search {
 public:
  Search(const WindowIndex& index, std::span<const float> query, const SearchOptions& options,
         WindowStrategy strategy)
      : index_(index),
        store_(index.store_),
        asked_(query),
        prepared_(store_.prepared(query)),
        options_(options),
        strategy_(strategy),
        k_(std::min(options.k, std::max<size_t>(store_.n_slots(), 1))),
        effort_(std::max(options.effort == 0 ? kDefaultEffort : options.effort, k_)),
        costs_(store_.dim(), k_, effort_, selectivity_of(options.filter),
               options.filter != nullptr),
        ranker_(store_, prepared_, {}),
        select_(k_) {}

  // window: null for all items.
  std::vector<Hit> run(const RowRange& rows, const LabelWindow* window) {
    if (!rows.empty()) {
      for (const WindowPart& part : plan(rows)) search_part(part);
    }
    search_buffer(window);
    return select_.take();
  }

 private:
  std::vector<WindowPart> plan(const RowRange& rows) const;
  void search_part(const WindowPart& part) {
    if (part.node == nullptr) {
      scan_rows(part.rows);
    } else {
      search_node(part);
    }
  }
  void search_node(const WindowPart& part);
  // What costs less than to ask a node for `beam` candidates: empty if nothing.
  std::vector<WindowPart> instead_of(const WindowPart& part, size_t beam) const;
  void scan_rows(const RowRange& rows);
  void search_buffer(const LabelWindow* window);
  bool accepts(uint32_t slot) const {
    return store_.is_live(slot) &&
           (options_.filter == nullptr || options_.filter->accepts(store_.id(slot)));
  }
  void rank(std::span<const uint32_t> slots);
  void count(size_t n_distances) {
    if (options_.stats != nullptr) options_.stats->n_distances += n_distances;
  }

  const WindowIndex& index_;
  const VectorStore& store_;
  std::span<const float> asked_;
  std::vector<float, CacheLineAllocator<float>> prepared_;
  const SearchOptions& options_;
  WindowStrategy strategy_;
  size_t k_, effort_;
  WindowCosts costs_;
  Ranker ranker_;
  HitSelect select_;
};

std::vector<WindowPart> WindowIndex::Search::plan(const RowRange& rows) const {
  const WindowTree& tree = index_.tree_;
  switch (strategy_) {
    case WindowStrategy::kAuto:
      return tree.cheapest(rows, costs_);
    case WindowStrategy::kScan:
      return {{rows}};
    case WindowStrategy::kTree:
      return tree.cover(rows);
    case WindowStrategy::kThreeSplit:
      return tree.three_split(rows);
    case WindowStrategy::kRoot:
      return {{rows, tree.root()}};
    case WindowStrategy::kPostfilter:
      return tree.around(rows, WindowTree::Shifted::kWithout);
    case WindowStrategy::kSuper:
      return tree.around(rows, WindowTree::Shifted::kWith);
  }
  return {};
}

// Of the candidates that a node finds, those in the part are ranked by the exact vectors.  If they
// are few, what lies near the query has other labels: more candidates, twice as many each time.
void WindowIndex::Search::search_node(const WindowPart& part) {
  const WindowNode& node = *part.node;
  const size_t wanted = std::min(part.rows.size(), std::max(k_, effort_ / 2));
  std::vector<uint32_t> slots;
  for (size_t beam = costs_.beam(node, part.rows);; beam = std::min(2 * beam, node.rows.size())) {
    slots.clear();
    const SearchOptions options{.k = beam, .effort = beam, .stats = options_.stats};
    for (const Hit& hit : node.index->search(asked_, options)) {
      if (hit.id < part.rows.first || hit.id >= part.rows.last) continue;
      const auto slot = static_cast<uint32_t>(hit.id);
      if (accepts(slot)) slots.push_back(slot);
    }
    if (slots.size() >= wanted || beam >= node.rows.size()) break;
    if (strategy_ != WindowStrategy::kAuto) continue;
    const std::vector<WindowPart> others = instead_of(part, 2 * beam);
    if (others.empty()) continue;
    for (const WindowPart& other : others) search_part(other);
    return;
  }
  rank(slots);
}

std::vector<WindowPart> WindowIndex::Search::instead_of(const WindowPart& part, size_t beam) const {
  const double least = costs_.search(part.node->rows.size(), beam);
  const double scanning = costs_.scan(part.rows.size());
  double covering = std::numeric_limits<double>::infinity();
  std::vector<WindowPart> cover;
  if (part.rows != part.node->rows) {  // else the node covers itself
    cover = index_.tree_.cover(part.rows);
    covering = 0;
    for (const WindowPart& other : cover) covering += costs_.part(other);
  }
  if (std::min(scanning, covering) > least) return {};
  return scanning <= covering ? std::vector<WindowPart>{{part.rows}} : cover;
}

void WindowIndex::Search::scan_rows(const RowRange& rows) {
  const SearchOptions options{.k = k_, .filter = options_.filter, .stats = options_.stats};
  select_.push(scan(store_, prepared_, options, rows.first, rows.last));
}

void WindowIndex::Search::rank(std::span<const uint32_t> slots) {
  const RowSet rows = store_.ranked().set();
  std::array<float, kBatch> distances;
  for (size_t first = 0; first < slots.size(); first += kBatch) {
    const auto batch = slots.subspan(first, std::min(kBatch, slots.size() - first));
    for (const uint32_t slot : batch) rows.prefetch(slot);
    ranker_.distances(batch, distances);
    for (size_t i = 0; i < batch.size(); ++i) {
      select_.push({store_.id(batch[i]), store_.shown(distances[i])});
    }
  }
  count(slots.size());
}

void WindowIndex::Search::search_buffer(const LabelWindow* window) {
  std::vector<uint32_t> slots;
  for (auto slot = static_cast<uint32_t>(index_.tree_.n_rows()); slot < store_.n_slots(); ++slot) {
    const double label = index_.labels_[slot];
    const bool is_inside = window == nullptr || (label >= window->low && label <= window->high);
    if (is_inside && accepts(slot)) slots.push_back(slot);
  }
  rank(slots);
}

std::vector<Hit> WindowIndex::search(std::span<const float> query, const LabelWindow& window,
                                     const SearchOptions& options, WindowStrategy strategy) const {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  require(!std::isnan(window.low) && !std::isnan(window.high), "a bound of the window is a NaN");
  require(window.low <= window.high, "the window begins at {}, behind its end {}", window.low,
          window.high);
  require(strategy != WindowStrategy::kSuper || options_.shifted,
          "the index has no shifted nodes: build it with WindowOptions::shifted");
  return Search(*this, query, options, strategy).run(rows_of(window), &window);
}

std::vector<Hit> WindowIndex::search(std::span<const float> query,
                                     const SearchOptions& options) const {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  return Search(*this, query, options, WindowStrategy::kAuto).run({0, tree_.n_rows()}, nullptr);
}

}  // namespace carya
