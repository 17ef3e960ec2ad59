#include <benchmark/benchmark.h>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

// Bound: FMA throughput.  GFLOP/s count the products only; per core of CPU time.  Hold them against
// the peak that bench/search_peers measures (117 on Zen 4 with AVX-512 at 3.7 GHz), with faiss and
// equality of results there.
Matrix<float> random_points(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  parallel_for(0, n, 1024, [&](size_t first, size_t last) {
    Rng rng(seed, first);
    for (size_t i = first; i < last; ++i) {
      for (float& x : points.row(i)) x = static_cast<float>(rng.uniform());
    }
  });
  return points;
}

void set_gflops(benchmark::State& state, size_t n_queries, const Matrix<float>& points) {
  const double flops = 2e-9 * static_cast<double>(n_queries) * static_cast<double>(points.size());
  state.counters["GFLOP/s/core"] =
      benchmark::Counter(flops, benchmark::Counter::kIsIterationInvariantRate);
}

void queries_in_points(benchmark::State& state) {  // n_queries, n, dim, k
  const auto n_queries = static_cast<size_t>(state.range(0));
  const Matrix<float> points = random_points(state.range(1), state.range(2), 1);
  const Matrix<float> queries = random_points(n_queries, state.range(2), 2);
  for (auto _ : state) {
    benchmark::DoNotOptimize(exact_knn(queries, points, state.range(3)).ids.data());
  }
  set_gflops(state, n_queries, points);
}
BENCHMARK(queries_in_points)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({1000, 200'000, 100, 10})
    ->Args({60'000, 57, 100, 1})
    ->Args({60'000, 1000, 60, 1});

void points_among_themselves(benchmark::State& state) {  // n, dim, k
  const Matrix<float> points = random_points(state.range(0), state.range(1), 1);
  for (auto _ : state) {
    benchmark::DoNotOptimize(exact_knn_graph(points, state.range(2)).ids.data());
  }
  set_gflops(state, points.rows(), points);
}
BENCHMARK(points_among_themselves)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond)
    ->Args({60'000, 10, 30})
    ->Args({20'000, 384, 30});

}  // namespace
}  // namespace carya
