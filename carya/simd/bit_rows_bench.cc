#include <benchmark/benchmark.h>

#include <bit>
#include <numeric>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/bit_rows.h"

namespace carya {
namespace {

constexpr size_t kDim = 1024;
constexpr size_t kBlock = 4096;  // rows a task

// The loop that one would write: a word at a time, with the CPU's instruction for it.
#if defined(__x86_64__)
__attribute__((target("popcnt")))
#endif
void popcount_loop(const std::byte* query, const std::byte* rows, size_t stride, size_t,
                   const uint32_t* ids, size_t n_ids, float* out) {
  const auto* const from = reinterpret_cast<const uint64_t*>(query);
  for (size_t r = 0; r < n_ids; ++r) {
    const auto* const row = reinterpret_cast<const uint64_t*>(rows + size_t{ids[r]} * stride);
    int sum = 0;
    for (size_t i = 0; i < stride / sizeof(uint64_t); ++i) sum += std::popcount(from[i] ^ row[i]);
    out[r] = static_cast<float>(sum);
  }
}

// Bound: reads, so bytes per second and core of CPU time against its share of the machine's 43 GB/s
// where rows are in memory.
void scan(benchmark::State& state, RowKernel kernel, Metric metric) {
  const auto n = static_cast<size_t>(state.range(0));
  const size_t stride = row_bytes(RowFormat::kBits, kDim);
  Matrix<std::byte> rows = Matrix<std::byte>::uninitialized(n + 1, stride);
  parallel_for(0, n + 1, kBlock, [&](size_t first, size_t last) {
    Rng rng(1, first);
    for (size_t i = first; i < last; ++i) {
      for (std::byte& byte : rows.row(i)) byte = static_cast<std::byte>(rng.below(256));
    }
  });
  std::vector<uint32_t> ids(n);
  std::iota(ids.begin(), ids.end(), 0u);
  std::vector<float> out(n), expected(n);
  const auto run = [&](RowKernel counting, std::vector<float>& to) {
    parallel_for(0, n, kBlock, [&](size_t first, size_t last) {
      counting(rows.row_data(n), rows.data(), stride, kDim, ids.data() + first, last - first,
               to.data() + first);
    });
  };
  for (auto _ : state) run(kernel, out);
  if (metric == Metric::kHamming) {
    run(popcount_loop, expected);
    if (out != expected) state.SkipWithError("result differs from the loop's");
  }
  state.SetBytesProcessed(static_cast<int64_t>(state.iterations() * n * stride));
  state.counters["bits/s"] = benchmark::Counter(static_cast<double>(n * kDim),
                                                benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK_CAPTURE(scan, hamming, row_kernel(RowFormat::kBits, Metric::kHamming), Metric::kHamming)
    ->MeasureProcessCPUTime()
    ->Arg(4000)
    ->Arg(4'000'000);  // in L2; in memory
BENCHMARK_CAPTURE(scan, jaccard, row_kernel(RowFormat::kBits, Metric::kJaccard), Metric::kJaccard)
    ->MeasureProcessCPUTime()
    ->Arg(4000)
    ->Arg(4'000'000);
BENCHMARK_CAPTURE(scan, std_popcount, popcount_loop, Metric::kHamming)
    ->MeasureProcessCPUTime()
    ->Arg(4000)
    ->Arg(4'000'000);

}  // namespace
}  // namespace carya
