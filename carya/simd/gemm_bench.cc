// Bound: FMA throughput; compare GFLOP/s with the row `peak`, which multiplies registers only.
// Peer: OpenBLAS' sgemm (bench with OPENBLAS_NUM_THREADS=1 and its best core type).  The shapes are
// those of MiniLM: m tokens, 384 x 1536, 1536 x 384, 384 x 1152.
#include <benchmark/benchmark.h>
#include <cblas.h>

#include <cmath>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/gemm.h"

namespace carya {
namespace {

Matrix<float> random_matrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix<float> matrix(rows, cols);
  Rng rng(seed);
  for (float& value : matrix.flat()) value = static_cast<float>(rng.uniform() - 0.5);
  return matrix;
}

void set_flops(benchmark::State& state, size_t m, size_t k, size_t n) {
  state.counters["GFLOP/s"] = benchmark::Counter(2e-9 * static_cast<double>(m * n * k),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void carya_gemm(benchmark::State& state, WeightFormat format, Activation activation) {
  const ThreadLimit limit(static_cast<size_t>(state.range(3)));
  const auto m = static_cast<size_t>(state.range(0)), k = static_cast<size_t>(state.range(1)),
             n = static_cast<size_t>(state.range(2));
  const auto x = random_matrix(m, k, 1), w = random_matrix(n, k, 2), bias = random_matrix(1, n, 3);
  Matrix<float> out(m, n), expected(m, n);
  const PackedWeights weights = PackedWeights::pack(w, format);
  const GemmEpilogue epilogue{.bias = bias.flat(), .activation = activation};
  for (auto _ : state) gemm(x, weights, epilogue, out);
  if (activation == Activation::kNone) {
    for (size_t i = 0; i < m; ++i) std::ranges::copy(bias.flat(), expected.row_data(i));
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, x.data(), k, w.data(), k, 1,
                expected.data(), n);
    const float tolerance = format == WeightFormat::kInt8   ? 0.5f
                            : format == WeightFormat::kBf16 ? 0.1f
                                                            : 1e-4f;
    for (size_t i = 0; i < out.size(); ++i) {
      if (std::abs(out.flat()[i] - expected.flat()[i]) > tolerance)
        state.SkipWithError("differs from OpenBLAS");
    }
  }
  set_flops(state, m, k, n);
}

void openblas(benchmark::State& state) {
  const auto m = static_cast<size_t>(state.range(0)), k = static_cast<size_t>(state.range(1)),
             n = static_cast<size_t>(state.range(2));
  const auto x = random_matrix(m, k, 1), w = random_matrix(n, k, 2);
  Matrix<float> out(m, n);
  for (auto _ : state) {
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, m, n, k, 1, x.data(), k, w.data(), k, 0,
                out.data(), n);
  }
  set_flops(state, m, k, n);
}

// Registers only: what the machine can do at this moment.
#if defined(__x86_64__)
using Lanes __attribute__((vector_size(64))) = float;
__attribute__((target("avx512f"))) void peak(benchmark::State& state) {
  Lanes s0 = {}, s1 = {}, s2 = {}, s3 = {}, s4 = {}, s5 = {}, s6 = {}, s7 = {}, x = {};
  for (auto _ : state) {
    for (int i = 0; i < 100'000; ++i) {
#define CARYA_FMA(n) "vfmadd231ps %8, %8, %" #n "\n"
      asm volatile(CARYA_FMA(0) CARYA_FMA(1) CARYA_FMA(2) CARYA_FMA(3) CARYA_FMA(4) CARYA_FMA(5)
                       CARYA_FMA(6) CARYA_FMA(7)
                   : "+v"(s0), "+v"(s1), "+v"(s2), "+v"(s3), "+v"(s4), "+v"(s5), "+v"(s6), "+v"(s7)
                   : "v"(x));
#undef CARYA_FMA
    }
  }
  state.counters["GFLOP/s"] =
      benchmark::Counter(2e-9 * 16 * 8 * 100'000, benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(peak);
#endif

void shapes(benchmark::internal::Benchmark* b) {
  for (int threads : {1, 0}) {
    b->Args({4096, 384, 1536, threads});
    b->Args({4096, 1536, 384, threads});
    b->Args({256, 384, 1152, threads});
    b->Args({16, 384, 1536, threads});
  }
  b->UseRealTime();
}
BENCHMARK_CAPTURE(carya_gemm, f32, WeightFormat::kF32, Activation::kNone)->Apply(shapes);
BENCHMARK_CAPTURE(carya_gemm, f32_gelu, WeightFormat::kF32, Activation::kGelu)
    ->Args({4096, 384, 1536, 1});
BENCHMARK_CAPTURE(carya_gemm, bf16, WeightFormat::kBf16, Activation::kNone)->Apply(shapes);
BENCHMARK_CAPTURE(carya_gemm, bf16_gelu, WeightFormat::kBf16, Activation::kGelu)
    ->Args({4096, 384, 1536, 1});
BENCHMARK_CAPTURE(carya_gemm, int8, WeightFormat::kInt8, Activation::kNone)->Apply(shapes);
BENCHMARK(openblas)->Args({4096, 384, 1536})->Args({4096, 1536, 384})->UseRealTime();

}  // namespace
}  // namespace carya
