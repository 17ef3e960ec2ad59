// Texts of a file, a line each (default: 4,096 lines of words of package descriptions), through the
// encoder.  Bound: FMA throughput; GFLOP/s beside the row `peak` of gemm_bench.
// CARYA_VECTORS=file gets the vectors, for comparing (bench/encoder_peers.py).
//   CARYA_TEXTS=descriptions.txt sentence_encoder_bench
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <fstream>

#include "carya/core/parallel.h"
#include "carya/text/sentence_encoder.h"
#include "carya/text/static_encoder.h"

namespace carya {
namespace {

std::filesystem::path model() {
  const char* cache = std::getenv("CARYA_CACHE");
  const char* home = std::getenv("HOME");
  return (cache != nullptr ? std::filesystem::path(cache)
                           : std::filesystem::path(home != nullptr ? home : "/") / ".cache/carya") /
         "models/all-MiniLM-L6-v2";
}

std::vector<std::string> texts() {
  std::vector<std::string> lines;
  if (const char* path = std::getenv("CARYA_TEXTS")) {
    std::ifstream in(path);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
  }
  for (size_t i = 0; lines.size() < 4096 && std::getenv("CARYA_TEXTS") == nullptr; ++i) {
    std::string line = "lib" + std::to_string(i);
    for (size_t j = 0; j < 4 + i % 9; ++j) line += j % 2 ? " development" : " library for files";
    lines.push_back(line);
  }
  return lines;
}

void encode(benchmark::State& state, WeightFormat format) {
  const ThreadLimit limit(static_cast<size_t>(state.range(0)));
  const auto encoder = SentenceEncoder::open(model(), {.precision = format});
  const auto lines = texts();
  const std::vector<std::string_view> views(lines.begin(), lines.end());
  Matrix<float> vectors(views.size(), encoder.dim());
  std::vector<int32_t> ids;
  for (const auto view : views) encoder.tokenizer().encode(view, encoder.max_tokens(), ids);
  for (auto _ : state) encoder.encode(views, vectors);
  if (const char* path = std::getenv("CARYA_VECTORS")) {
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(vectors.data()),
               static_cast<std::streamsize>(vectors.flat().size_bytes()));
  }
  const BertConfig& c = encoder.network().config();
  const double flops = 2.0 * static_cast<double>(ids.size() * c.n_layers * c.hidden_size *
                                                 (4 * c.hidden_size + 2 * c.intermediate_size));
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(flops * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["texts/s"] =
      Counter(static_cast<double>(views.size()), Counter::kIsIterationInvariantRate);
  state.counters["tokens"] = static_cast<double>(ids.size());
}
BENCHMARK_CAPTURE(encode, f32, WeightFormat::kF32)
    ->Arg(1)
    ->Arg(2)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, bf16, WeightFormat::kBf16)
    ->Arg(1)
    ->Arg(2)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(encode, int8, WeightFormat::kInt8)
    ->Arg(1)
    ->Arg(2)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// The table that is distilled from it: bound by reading 1 KB a token.
void encode_static(benchmark::State& state) {
  const ThreadLimit limit(static_cast<size_t>(state.range(0)));
  const StaticEncoder encoder = StaticEncoder::distil(SentenceEncoder::open(model()));
  const auto lines = texts();
  const std::vector<std::string_view> views(lines.begin(), lines.end());
  Matrix<float> vectors(views.size(), encoder.dim());
  for (auto _ : state) encoder.encode(views, vectors);
  state.counters["texts/s"] = benchmark::Counter(static_cast<double>(views.size()),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}
BENCHMARK(encode_static)
    ->Arg(1)
    ->Arg(2)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

// Tokens a second of one thread.
void tokenize(benchmark::State& state) {
  const WordPiece tokenizer = WordPiece::open(model());
  const auto lines = texts();
  std::vector<int32_t> ids;
  for (auto _ : state) {
    ids.clear();
    for (const auto& line : lines) tokenizer.encode(line, 256, ids);
  }
  state.SetItemsProcessed(static_cast<int64_t>(ids.size()) *
                          static_cast<int64_t>(state.iterations()));
}
BENCHMARK(tokenize)->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace carya
