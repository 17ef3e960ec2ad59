// Carya's part of bench/binary_peers.py, which compiles and runs it.
//
//   binary_peers VECTORS QUERIES DIM hamming|jaccard
//
// Files of packed rows, bit j of a row in bit j % 8 of byte j / 8.  Prints lines "what effort
// recall microseconds sum": of CPU per query; recall: the share of hits no farther than the 10th
// nearest, since distances of bits tie; sum: of all distances found, to compare with another
// program's.
#include <time.h>

#include <cstdio>
#include <cstdlib>
#include <numeric>
#include <vector>

#include "carya/core/file.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/simd/bit_rows.h"
#include "carya/simd/knn.h"

namespace {

using namespace carya;  // NOLINT: a program

constexpr size_t kHits = 10;

double cpu_us() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return 1e6 * static_cast<double>(t.tv_sec) + 1e-3 * static_cast<double>(t.tv_nsec);
}

Matrix<float> read_bits(const char* path, size_t dim) {
  const MappedFile file = MappedFile::open(path);
  const size_t stride = dim / 8;
  Matrix<float> rows(file.bytes().size() / stride, dim);
  for (size_t i = 0; i < rows.rows(); ++i) {
    unpack_bits(file.bytes().data() + i * stride, rows.row(i));
  }
  return rows;
}

void print_search(const char* what, const Index& index, const Matrix<float>& queries,
                  const Neighbors& truth, size_t effort) {
  size_t found = 0;
  double sum = 0;
  const double begin = cpu_us();
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (const Hit& hit : index.search(queries.row(q), {.k = kHits, .effort = effort})) {
      found += hit.distance <= truth.distances(q, kHits - 1);
      sum += hit.distance;
    }
  }
  const auto n = static_cast<double>(queries.rows());
  std::printf("%s %zu %.4f %.1f %.3f\n", what, effort, static_cast<double>(found) / (n * kHits),
              (cpu_us() - begin) / n, sum);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::fprintf(stderr, "usage: binary_peers VECTORS QUERIES DIM hamming|jaccard\n");
    return 2;
  }
  const size_t dim = std::strtoul(argv[3], nullptr, 10);
  const Matrix<float> vectors = read_bits(argv[1], dim), queries = read_bits(argv[2], dim);
  const Metric metric = metric_from_name(argv[4]);
  double begin = cpu_us();
  const Neighbors truth = exact_knn(queries, vectors, kHits, metric);
  const auto n = static_cast<double>(queries.rows());
  std::printf("exact_batch 0 1 %.1f %.3f\n", (cpu_us() - begin) / n,
              std::accumulate(truth.distances.flat().begin(), truth.distances.flat().end(), 0.0));
  std::vector<ItemId> ids(vectors.rows());
  std::iota(ids.begin(), ids.end(), ItemId{0});
  FlatIndex flat(dim, metric);
  flat.add(ids, vectors);
  print_search("flat", flat, queries, truth, 0);
  begin = cpu_us();
  Hnsw graph(dim, metric);
  graph.add(ids, vectors);
  graph.compact();
  std::printf("build 0 0 %.0f 0\n", cpu_us() - begin);
  for (size_t effort : {10, 20, 40, 60, 100, 200, 400}) {
    print_search("hnsw", graph, queries, truth, effort);
  }
  return 0;
}
