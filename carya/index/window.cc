#include "carya/index/window.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "carya/index/window_build.h"

namespace carya {
namespace {

constexpr double kNoLabel = std::numeric_limits<double>::quiet_NaN();

void check_labels(std::span<const ItemId> ids, std::span<const double> labels) {
  require(labels.size() == ids.size(), "{} labels came with {} ids: each needs one", labels.size(),
          ids.size());
  for (size_t i = 0; i < labels.size(); ++i) {
    require(!std::isnan(labels[i]), "label {} (id {}) is not a number", i, ids[i]);
  }
}

}  // namespace

void WindowOptions::validate(size_t dim) const {
  require(beta >= 2 && beta <= 64, "beta is {}: a node has 2 to 64 children", beta);
  require(cutoff >= 1, "cutoff is 0: a node with a graph needs 2 items, so 1 is the least cutoff");
  require(delta_share > 0 && delta_share <= 1,
          "delta_share is {}: it must be a share above 0 and up to 1", delta_share);
  hnsw.validate();
  hnsw.storage.validate(dim, Metric::kSquaredL2);
}

WindowIndex::WindowIndex(size_t dim, Metric metric, const WindowOptions& options)
    : options_(options), store_(dim, metric, VectorStorage{}) {
  require_vectors("window", metric);
  options_.validate(dim);
}

// Rows in the order of labels; NaN compares with nothing, but stands behind n_labelled_.
RowRange WindowIndex::rows_of(const LabelWindow& window) const {
  const auto labels = labels_.values().first(n_labelled_);
  const auto first = std::ranges::lower_bound(labels, window.low);
  const auto last = std::ranges::upper_bound(labels, window.high);
  return {static_cast<size_t>(first - labels.begin()), static_cast<size_t>(last - labels.begin())};
}

void WindowIndex::append(std::span<const ItemId> ids, std::span<const double> labels,
                         MatrixView<const float> vectors) {
  const size_t first = store_.n_slots();
  labels_.resize(first + ids.size());
  std::ranges::copy(labels, labels_.mutable_data() + first);
  std::vector<uint32_t> slots(ids.size());
  std::iota(slots.begin(), slots.end(), static_cast<uint32_t>(first));
  store_.place(slots, ids, vectors);
}

void WindowIndex::add(std::span<const ItemId> ids, std::span<const double> labels,
                      MatrixView<const float> vectors, Progress* progress) {
  check_labels(ids, labels);
  store_.check_new(ids, vectors);
  append(ids, labels, vectors);
  rebuild_if_due(progress);
}

void WindowIndex::add(std::span<const ItemId> ids, MatrixView<const float> vectors,
                      Progress* progress) {
  store_.check_new(ids, vectors);
  append(ids, std::vector<double>(ids.size(), kNoLabel), vectors);
  rebuild_if_due(progress);
}

bool WindowIndex::remove(ItemId id) {
  const std::optional<uint32_t> slot = store_.find(id);
  if (!slot) return false;
  store_.kill(*slot);
  rebuild_if_due(nullptr);
  return true;
}

void WindowIndex::update(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  store_.check_known(ids, vectors);
  std::vector<double> labels;
  for (const ItemId id : ids) labels.push_back(labels_[*store_.find(id)]);
  replace(ids, labels, vectors);
}

void WindowIndex::update(std::span<const ItemId> ids, std::span<const double> labels,
                         MatrixView<const float> vectors) {
  check_labels(ids, labels);
  store_.check_known(ids, vectors);
  replace(ids, labels, vectors);
}

void WindowIndex::replace(std::span<const ItemId> ids, std::span<const double> labels,
                          MatrixView<const float> vectors) {
  std::vector<uint32_t> replaced;
  for (const ItemId id : ids) replaced.push_back(*store_.find(id));
  append(ids, labels, vectors);
  for (const uint32_t slot : replaced) store_.kill(slot);
  rebuild_if_due(nullptr);
}

void WindowIndex::rebuild_if_due(Progress* progress) {
  const size_t n_dead = store_.n_slots() - store_.n_live();
  const auto share = options_.delta_share * static_cast<double>(tree_.n_rows());
  const auto n_changes = static_cast<double>(n_buffered() + n_dead);
  if (n_changes > std::max(share, static_cast<double>(options_.cutoff))) rebuild(progress);
}

void WindowIndex::rebuild(Progress* progress) {
  std::vector<uint32_t> order;
  for (uint32_t slot = 0; slot < store_.n_slots(); ++slot) {
    if (store_.is_live(slot)) order.push_back(slot);
  }
  // Equal labels by id, so that the order of additions does not matter.
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
    const double x = labels_[a], y = labels_[b];
    if (std::isnan(x) != std::isnan(y)) return std::isnan(y);
    if (x != y && !std::isnan(x)) return x < y;
    return store_.id(a) < store_.id(b);
  });
  VectorStore sorted = store_.ordered(order);
  Column<double> labels;
  labels.resize(order.size());
  size_t n_labelled = 0;
  for (size_t i = 0; i < order.size(); ++i) {
    labels.mutable_data()[i] = labels_[order[i]];
    n_labelled += !std::isnan(labels_[order[i]]);
  }
  WindowTree tree(order.size(), options_.beta, options_.cutoff, options_.shifted);
  build_nodes(tree.nodes(), sorted, options_, progress);
  store_ = std::move(sorted);
  labels_ = std::move(labels);
  n_labelled_ = n_labelled;
  tree_ = std::move(tree);
  file_.reset();
}

}  // namespace carya
