// Carya and hnswlib on the same vectors in one process; bench/search_peers compiles and runs it.
// Built with -march=native for the peer's sake: Carya's kernels choose their instruction set alone.
//
//   search_peers VECTORS.npy QUERIES.npy l2|ip THREADS FOLDER [hnswlib]
//
// ip: rows of length 1, so cosine.  Prints "engine,what,ef,recall,microseconds,distances": per
// query on one thread; for what = build in all on THREADS threads, for bytes of the file a vector.
// Seconds are of the CPU, so that neighbours on a shared machine do not count.
#include <hnswlib/hnswlib.h>
#include <time.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <numeric>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/index/index_spec.h"
#include "carya/io/vectors.h"
#include "carya/simd/knn.h"

namespace {

using namespace carya;  // NOLINT: a program

constexpr size_t kHits = 10, kRepeats = 5;
constexpr size_t kM = 16, kEfConstruction = 200;  // of hnswlib; Carya's defaults are the same
constexpr size_t kEfs[] = {10, 20, 40, 60, 100, 140, 200, 400};
constexpr size_t kLists[] = {2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 256};

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// What one core can do at most: chains of FMAs on registers.
double peak_gflops() {
  constexpr size_t kChains = 12, kLanes = 16, kSteps = 20'000'000;
  typedef float Lanes __attribute__((vector_size(kLanes * sizeof(float))));
  volatile float one = 1;  // equal chains would be computed once
  Lanes sums[kChains];
  for (size_t i = 0; i < kChains; ++i) sums[i] = Lanes{} + one * static_cast<float>(i);
  const Lanes a = Lanes{} + 0.999f, b = Lanes{} + 0.001f;
  const double begin = cpu_seconds();
  for (size_t i = 0; i < kSteps; ++i) {
#pragma GCC unroll 12
    for (Lanes& sum : sums) sum = sum * a + b;
  }
  const double seconds = cpu_seconds() - begin;
  for (const Lanes& sum : sums) one = one + sum[0];
  return 2e-9 * kChains * kLanes * kSteps / seconds;
}

// Search(query row, ef, out ids) for all efs.
template <class Search>
void curve(const char* engine, std::span<const size_t> efforts, const Matrix<float>& queries,
           const Neighbors& truth, const Search& search) {
  for (size_t ef : efforts) {
    std::vector<double> seconds;
    size_t found = 0, distances = 0;
    for (size_t repeat = 0; repeat < kRepeats; ++repeat) {
      found = distances = 0;
      const double begin = cpu_seconds();
      for (size_t q = 0; q < queries.rows(); ++q) {
        for (uint64_t id : search(queries.row_data(q), ef, distances)) {
          found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), id));
        }
      }
      seconds.push_back(cpu_seconds() - begin);
    }
    std::ranges::sort(seconds);
    const auto n = static_cast<double>(queries.rows());
    std::printf("%s,search,%zu,%.4f,%.1f,%.0f\n", engine, ef,
                static_cast<double>(found) / (n * kHits), 1e6 * seconds[0] / n,
                static_cast<double>(distances) / n);
    std::fflush(stdout);
  }
}

void print_bytes(const char* engine, const std::string& path, size_t n) {
  std::printf("%s,bytes,,,%.0f,\n", engine,
              static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(n));
  std::filesystem::remove(path);
}

void run_carya(const char* name, const IndexSpec& spec, std::span<const size_t> efforts,
               const Matrix<float>& vectors, const Matrix<float>& queries, Metric metric,
               const Neighbors& truth, const std::string& folder) {
  std::vector<ItemId> ids(vectors.rows());
  std::iota(ids.begin(), ids.end(), ItemId{0});
  const double begin = cpu_seconds();
  const auto index = build_index(spec, metric, {.ids = ids, .vectors = vectors});
  std::printf("%s,build,,,%.0f,\n", name, 1e6 * (cpu_seconds() - begin));
  index->save(folder + "/carya");
  print_bytes(name, folder + "/carya", vectors.rows());
  curve(name, efforts, queries, truth, [&](const float* query, size_t ef, size_t& distances) {
    SearchStats stats;
    const SearchOptions options{.k = kHits, .effort = ef, .stats = &stats, .exact = vectors};
    std::vector<uint64_t> found;
    for (const Hit& hit : index->search({query, queries.cols()}, options)) found.push_back(hit.id);
    distances += stats.n_distances;
    return found;
  });
}

void run_hnswlib(const Matrix<float>& vectors, const Matrix<float>& queries, Metric metric,
                 const Neighbors& truth, size_t n_threads, const std::string& folder) {
  hnswlib::L2Space l2(vectors.cols());
  hnswlib::InnerProductSpace product(vectors.cols());
  hnswlib::SpaceInterface<float>* space = &l2;
  if (metric == Metric::kInnerProduct) space = &product;
  hnswlib::HierarchicalNSW<float> index(space, vectors.rows(), kM, kEfConstruction);
  const double begin = cpu_seconds();
  std::atomic<size_t> next = 0;
  std::vector<std::thread> threads;
  for (size_t t = 0; t < n_threads; ++t) {
    threads.emplace_back([&] {
      for (size_t i; (i = next++) < vectors.rows();) index.addPoint(vectors.row_data(i), i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::printf("hnswlib,build,,,%.0f,\n", 1e6 * (cpu_seconds() - begin));
  index.saveIndex(folder + "/hnswlib");
  print_bytes("hnswlib", folder + "/hnswlib", vectors.rows());
  curve("hnswlib", kEfs, queries, truth, [&](const float* query, size_t ef, size_t&) {
    index.setEf(ef);
    std::vector<uint64_t> found;
    for (auto hits = index.searchKnn(query, kHits); !hits.empty(); hits.pop()) {
      found.push_back(hits.top().second);
    }
    return found;
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 6 && argc != 7) {
    std::fprintf(stderr,
                 "usage: search_peers VECTORS.npy QUERIES.npy l2|ip THREADS FOLDER [hnswlib]\n");
    return 2;
  }
  const Matrix<float> vectors = read_npy(argv[1]), queries = read_npy(argv[2]);
  const Metric metric = metric_from_name(argv[3]);
  const size_t n_threads = std::strtoul(argv[4], nullptr, 10);
  ThreadLimit limit(n_threads);
  std::printf("fma,peak_gflops_per_core,,,%.1f,\n", peak_gflops());
  const double begin = cpu_seconds();
  const Neighbors truth = exact_knn(queries, vectors, kHits, metric);
  const double seconds = cpu_seconds() - begin;
  const double flops = 2.0 * static_cast<double>(queries.rows() * vectors.size());
  std::printf("carya,exact_gflops_per_core,,1,%.1f,\n", 1e-9 * flops / seconds);
  const auto run = [&](const char* name, const char* spec, std::span<const size_t> efforts) {
    run_carya(name, IndexSpec::parse(spec), efforts, vectors, queries, metric, truth, argv[5]);
  };
  run("carya", "hnsw", kEfs);
  // The caller's vectors rank the answers: the smallest indexes.
  run("carya-int4", "hnsw:exact=none,codes=int4", kEfs);
  run("carya-ivfpq", "ivf_pq:rotate=no", kLists);
  if (argc == 7) run_hnswlib(vectors, queries, metric, truth, n_threads, argv[5]);
  return 0;
}
