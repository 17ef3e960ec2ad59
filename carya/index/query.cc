#include "carya/index/query.h"

#include <algorithm>
#include <cmath>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/index/window.h"

namespace carya {
namespace {

constexpr size_t kQueriesPerTask = 8;  // of 20 us and more each
constexpr size_t kGrowth = 4;          // of k: the last search does three quarters of the work

// answer(query, options) of each row, on all threads; the statistics of all are added up.
template <class Answer>
std::vector<std::vector<Hit>> for_each_query(const Index& index, MatrixView<const float> queries,
                                             const SearchOptions& options, const Answer& answer) {
  require(queries.rows() == 0 || queries.cols() == index.dim(),
          "the queries have {} dims, the index {}", queries.cols(), index.dim());
  require_finite(queries, "query");
  std::vector<std::vector<Hit>> hits(queries.rows());
  std::vector<SearchStats> stats(queries.rows());
  parallel_for(0, queries.rows(), kQueriesPerTask, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      SearchOptions own = options;
      own.stats = &stats[i];
      hits[i] = answer(queries.row(i), own);
    }
  });
  for (const SearchStats& one : stats) {
    if (options.stats == nullptr) break;
    *options.stats += one;
  }
  return hits;
}

}  // namespace

std::vector<std::vector<Hit>> search_batch(const Index& index, MatrixView<const float> queries,
                                           const SearchOptions& options) {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  return for_each_query(index, queries, options,
                        [&](std::span<const float> query, const SearchOptions& own) {
                          return index.search(query, own);
                        });
}

std::vector<std::vector<Hit>> search_batch(const WindowIndex& index,
                                           MatrixView<const float> queries,
                                           const LabelWindow& window,
                                           const SearchOptions& options) {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  return for_each_query(index, queries, options,
                        [&](std::span<const float> query, const SearchOptions& own) {
                          return index.search(query, window, own);
                        });
}

std::vector<Hit> search_range(const Index& index, std::span<const float> query, float radius,
                              const SearchOptions& options) {
  require(!std::isnan(radius), "the radius is not a number");
  SearchOptions wider = options;
  while (true) {
    std::vector<Hit> hits = index.search(query, wider);
    if (hits.size() < wider.k || hits.back().distance > radius) {
      std::erase_if(hits, [&](const Hit& hit) { return hit.distance > radius; });
      return hits;
    }
    wider.k *= kGrowth;
    wider.effort *= kGrowth;
  }
}

std::vector<std::vector<Hit>> search_range_batch(const Index& index,
                                                 MatrixView<const float> queries, float radius,
                                                 const SearchOptions& options) {
  return for_each_query(index, queries, options,
                        [&](std::span<const float> query, const SearchOptions& own) {
                          return search_range(index, query, radius, own);
                        });
}

}  // namespace carya
