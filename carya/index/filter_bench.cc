// Filters at every selectivity: recall and time of a graph search that accepts some items only.
//
//   CARYA_WORDS=.../words/vectors.npy filter_bench
//
// Bound: the vectors that are read, at random places (graph) or one after another (scan).  "random"
// accepts any item alike; "first" the most frequent words, which lie far from the rare ones that
// ask: the worst case.  One thread.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <numeric>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/index/filter.h"
#include "carya/index/hnsw.h"
#include "carya/index/recall_curve.h"
#include "carya/io/vectors.h"

namespace carya {
namespace {

constexpr size_t kItems = 200'000, kQueries = 200;
constexpr int64_t kParts = 10'000;  // a share is given in ten-thousandths

struct Words {
  Words() : all(read_npy(std::getenv("CARYA_WORDS"))) {
    std::vector<ItemId> ids(kItems);
    std::iota(ids.begin(), ids.end(), ItemId{0});
    index.add(ids, all.view().slice(0, kItems));
    index.compact();
  }
  Matrix<float> all;
  Hnsw index = Hnsw(all.cols(), Metric::kCosine);
  MatrixView<const float> queries = all.view().slice(kItems, kQueries);
};

const Words& words() {
  static const Words words;
  return words;
}

void filtered_search(benchmark::State& state, bool is_random) {
  if (std::getenv("CARYA_WORDS") == nullptr) return state.SkipWithError("CARYA_WORDS is not set");
  const ThreadLimit one_thread(1);
  std::vector<bool> accepted(kItems);
  Rng rng(1);
  for (size_t i = 0; i < kItems; ++i) {
    const auto place = is_random ? static_cast<int64_t>(rng.uniform() * kParts)
                                 : static_cast<int64_t>(i * kParts / kItems);
    accepted[i] = place < state.range(0);
  }
  const BitmapFilter filter(std::move(accepted));
  const SearchOptions options{.k = 10, .effort = 100, .filter = &filter};
  const Matrix<int64_t> truth = true_neighbors(words().index, words().queries, options);
  RecallPoint point{};
  for (auto _ : state) {
    point = measure_recall(words().index, words().queries, truth, options);
    state.SetIterationTime(point.seconds * kQueries);
  }
  state.counters["recall"] = point.recall;
  state.counters["us"] = 1e6 * point.seconds;
  state.counters["distances"] = point.n_distances;
}
void shares(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseManualTime()->Unit(benchmark::kMillisecond);
  for (const int64_t part : {1, 10, 100, 300, 1000, 2000, 3000, 5000, 7000, 10'000}) {
    benchmark->Arg(part);
  }
}
BENCHMARK_CAPTURE(filtered_search, random, true)->Apply(shares);
BENCHMARK_CAPTURE(filtered_search, first, false)->Apply(shares);

}  // namespace
}  // namespace carya
