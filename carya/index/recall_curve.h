#pragma once

#include <optional>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/index/index.h"

namespace carya {

// What a search of some effort finds, and what it costs.
struct RecallPoint {
  size_t effort;
  double recall;                 // share of the true neighbours that are among the k hits
  double seconds, slow_seconds;  // a query's on one thread: the mean, the 99th percentile
  double n_distances;            // a query's, the mean
  double queries_per_second() const { return 1 / seconds; }
};

// The k nearest of each query as a search that reads everything finds them, ids [n_queries, k], -1
// where there are fewer.  Exact for flat indexes and for graphs that have exact vectors or get them
// in options.exact; the others find what their codes show.
Matrix<int64_t> true_neighbors(const Index& index, MatrixView<const float> queries,
                               const SearchOptions& options, Progress* progress = nullptr);

// One point: all queries, one after another.  truth [n_queries, >= options.k] ids, nearest first;
// equal distances are not seen, so a tie may cost recall.  Throws kInvalidArgument if there are no
// queries, or truth has another number of rows or too few columns.
RecallPoint measure_recall(const Index& index, MatrixView<const float> queries,
                           MatrixView<const int64_t> truth, const SearchOptions& options);

// From effort 1 on, each about a half more than the last, until all is found or effort is the
// number of items.  Efforts that do what a smaller one did are left out.
std::vector<RecallPoint> recall_curve(const Index& index, MatrixView<const float> queries,
                                      MatrixView<const int64_t> truth, const SearchOptions& options,
                                      Progress* progress = nullptr);

// The least effort whose recall is at least `recall`, within 5 %; nothing if none is.
std::optional<RecallPoint> least_effort(const Index& index, MatrixView<const float> queries,
                                        MatrixView<const int64_t> truth,
                                        const SearchOptions& options, double recall,
                                        Progress* progress = nullptr);

}  // namespace carya
