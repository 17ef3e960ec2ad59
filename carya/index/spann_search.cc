// Spann::search: from a query to lists, from lists to hits.
#include <algorithm>
#include <limits>
#include <numeric>
#include <unordered_set>

#include "carya/index/hit_select.h"
#include "carya/index/scan.h"
#include "carya/index/spann.h"
#include "carya/simd/distance.h"

namespace carya {
namespace {

constexpr size_t kHeadEffort = 64;  // candidates of the graph search, at least
constexpr size_t kListGrowth = 4;   // where lists held too little, so many times as many are read

}  // namespace

struct Spann::Question {
  std::span<const float> query;  // as it was asked
  const SearchOptions& options;
  Rows::Query coded;
  HitSelect select;                   // ids are slots
  std::unordered_set<uint32_t> seen;  // slots that came near enough to be selected
  std::vector<uint8_t> is_read;       // by list
  size_t n_found = 0;
  SearchStats stats;
};

// Of the n_lists nearest lists those that were not read yet.
std::vector<uint32_t> Spann::nearest_lists(Question& question, size_t n_lists) const {
  std::vector<uint32_t> lists;
  const auto take = [&](size_t list) {
    // The numbers come from a file: any may stand there, or one twice.
    if (list >= table_.n_lists() || question.is_read[list] != 0) return;
    question.is_read[list] = 1;
    lists.push_back(static_cast<uint32_t>(list));
  };
  if (n_lists >= table_.n_lists()) {
    for (size_t list = 0; list < table_.n_lists(); ++list) take(list);
    return lists;
  }
  const std::vector<Hit> heads = heads_->search(
      question.query,
      {.k = n_lists, .effort = std::max(kHeadEffort, 2 * n_lists), .stats = &question.stats});
  // The second, since a query that is a head itself would have no other list opened.
  const float reference = heads.size() < 2 ? 0 : std::max(heads[1].distance, 0.0f);
  const double limit = (1 + options_.pruning) * double{reference};
  const bool prunes = metric() != Metric::kInnerProduct && question.n_found == 0;
  for (const Hit& head : heads) {
    if (!prunes || head.distance <= limit) take(head.id);
  }
  return lists;
}

void Spann::read(std::span<const uint32_t> lists, Question& question) const {
  RowSet rows = rows_->set();
  const Filter* const filter = question.options.filter;
  std::vector<uint32_t> positions;
  std::vector<float> distances;
  const auto compare = [&](const Posting& posting) {
    const size_t n = posting.slots.size();
    if (positions.size() < n) {
      positions.resize(n);
      std::iota(positions.begin(), positions.end(), 0u);
      distances.resize(n);
    }
    rows.data = posting.rows;
    rows.distances(question.coded.bytes.data(), std::span(positions).first(n), distances.data());
    question.stats.n_distances += n;
    for (size_t i = 0; i < n; ++i) {
      const float distance = distances[i] * question.coded.unit;
      const uint32_t slot = posting.slots[i];
      if (!(distance <= question.select.threshold()) || is_dead(slot)) continue;
      if (!question.seen.insert(slot).second) continue;
      if (filter != nullptr && !filter->accepts(ids_[slot])) continue;
      question.select.push({slot, distance});
      ++question.n_found;
    }
  };
  question.stats.n_bytes += postings_->read(table_, lists, ids_.size(), compare);
}

// What was selected as hits of the index, ranked by exact vectors if the caller has them.
std::vector<Hit> Spann::ranked(Question& question) const {
  std::vector<Hit> hits = question.select.take();
  for (Hit& hit : hits) {
    hit = {.id = ids_[hit.id], .distance = delta_.shown(hit.distance)};
  }
  const MatrixView<const float> exact = question.options.exact;
  if (exact.empty() || is_exact(options_.format)) return hits;
  for (Hit& hit : hits) {
    if (hit.id >= exact.rows()) {  // not the items of this index: they are found last
      hit.distance = std::numeric_limits<float>::infinity();
      continue;
    }
    distances(metric(), question.query, exact.slice(hit.id, 1), {&hit.distance, 1});
  }
  return hits;
}

std::vector<Hit> Spann::search(std::span<const float> query, const SearchOptions& options) const {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  const auto prepared = delta_.prepared(query);
  const bool is_reranked = !options.exact.empty() && !is_exact(options_.format);
  require(!is_reranked || options.exact.cols() == dim(),
          "the exact vectors have {} dims, the index {}", options.exact.cols(), dim());
  std::vector<Hit> hits;
  if (delta_.n_live() > 0) hits = scan(delta_, prepared, options);
  if (n_live_ > 0) {
    const size_t k = std::min(options.k, n_live_);
    Question question{.query = query,
                      .options = options,
                      .coded = rows_->query(prepared),
                      .select = HitSelect(is_reranked ? std::min(n_live_, kRerank * k) : k),
                      .seen = {},
                      .is_read = std::vector<uint8_t>(table_.n_lists()),
                      .n_found = 0,
                      .stats = {}};
    size_t n_lists = options.effort == 0 ? kDefaultEffort : options.effort;
    read(nearest_lists(question, n_lists), question);
    while (n_lists < table_.n_lists() && question.n_found < k &&
           question.n_found + hits.size() < options.k) {
      n_lists = std::min(n_lists * kListGrowth, table_.n_lists());
      read(nearest_lists(question, n_lists), question);
    }
    const std::vector<Hit> found = ranked(question);
    hits.insert(hits.end(), found.begin(), found.end());
    if (options.stats != nullptr) *options.stats += question.stats;
  }
  std::ranges::sort(hits, nearer);
  hits.resize(std::min(hits.size(), options.k));
  return hits;
}

}  // namespace carya
