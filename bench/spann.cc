// What bench/spann compiles and runs: builds a SPANN index of a raw float file, or measures one.
//
//   spann make VECTORS QUERIES N                     128 dims, of which normal numbers fill 12
//   spann build VECTORS N DIM INDEX RATIO FORMAT     the vectors stay in their file, mapped
//   spann search INDEX VECTORS N DIM QUERIES CACHE   CACHE: warm, cold (forgotten before each
//   query)
//                                                    or direct (O_DIRECT)
// Prints lines of comma-separated values.
#include "carya/index/spann.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <numeric>
#include <string>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/knn.h"

namespace {

using namespace carya;

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// Of /proc/self/status, in MB.
double megabytes(const std::string& field) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(field + ":")) return std::stod(line.substr(field.size() + 1)) * 1024 / 1e6;
  }
  return 0;
}

// The largest memory that is not a mapped file, as far as reports come.
class Peak : public Progress {
 public:
  void begin(std::string_view, size_t, std::string_view) override { look(); }
  void advance(size_t) override {
    if (++n_ % 64 == 0) look();
  }
  double peak() const { return peak_; }

 private:
  void look() { peak_ = std::max(peak_.load(), megabytes("RssAnon")); }
  std::atomic<size_t> n_ = 0;
  std::atomic<double> peak_ = 0;
};

MatrixView<const float> rows_of(const MappedFile& file, size_t dim) {
  return {reinterpret_cast<const float*>(file.bytes().data()),
          file.bytes().size() / sizeof(float) / dim, dim};
}

// A random orthonormal basis of 12 in 128 dims, by Gram and Schmidt; normal coefficients.
void make(char** args) {
  constexpr size_t kDim = 128, kFilled = 12, kQueries = 1000;
  Rng rng(kFilled);
  Matrix<double> basis(kFilled, kDim);
  for (size_t i = 0; i < kFilled; ++i) {
    for (double& x : basis.row(i)) x = rng.normal();
    for (size_t j = 0; j <= i; ++j) {  // at last to length 1
      const double product =
          std::inner_product(basis.row(i).begin(), basis.row(i).end(), basis.row(j).begin(), 0.0);
      for (size_t d = 0; d < kDim; ++d) {
        basis(i, d) =
            j < i ? basis(i, d) - product * basis(j, d) : basis(i, d) / std::sqrt(product);
      }
    }
  }
  const auto write = [&](const char* path, size_t n) {
    std::ofstream out(path, std::ios::binary);
    std::vector<double> sum(kDim);
    std::vector<float> row(kDim);
    for (size_t i = 0; i < n; ++i) {
      std::ranges::fill(sum, 0.0);
      for (size_t j = 0; j < kFilled; ++j) {
        const double coefficient = rng.normal();
        for (size_t d = 0; d < kDim; ++d) sum[d] += coefficient * basis(j, d);
      }
      std::ranges::transform(sum, row.begin(), [](double x) { return static_cast<float>(x); });
      out.write(reinterpret_cast<const char*>(row.data()), kDim * sizeof(float));
    }
  };
  write(args[0], std::stoul(args[2]));
  write(args[1], kQueries);
}

void build(char** args) {
  const MappedFile file = MappedFile::open(args[0]);
  const size_t n = std::stoul(args[1]);
  const MatrixView<const float> vectors = rows_of(file, std::stoul(args[2])).slice(0, n);
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), ItemId{0});
  Peak peak;
  const double begin = now();
  const std::string format = args[5];
  const SpannOptions options{.head_ratio = std::stod(args[4]),
                             .format = format == "int8" ? RowFormat::kInt8 : RowFormat::kF32};
  const Spann index = Spann::build(args[3], ids, vectors, Metric::kSquaredL2, options, &peak);
  const std::span<const uint32_t> sizes = index.list_sizes();
  const double copies = std::accumulate(sizes.begin(), sizes.end(), 0.0) / static_cast<double>(n);
  std::printf("build,%.1f,%.1f,%zu,%.3f,%.2f,%.3f\n", now() - begin, peak.peak(), sizes.size(),
              static_cast<double>(index.posting_bytes()) / 1e9, copies, size_deviation(sizes));
}

double quantile(std::vector<double>& values, double share) {
  const auto at = static_cast<ptrdiff_t>(share * static_cast<double>(values.size() - 1));
  std::ranges::nth_element(values, values.begin() + at);
  return values[static_cast<size_t>(at)];
}

void search(char** args) {
  const std::string mode = args[5];
  const size_t n = std::stoul(args[2]), dim = std::stoul(args[3]);
  const MappedFile query_file = MappedFile::open(args[4]);
  const MatrixView<const float> queries = rows_of(query_file, dim);
  const double before = megabytes("VmRSS");
  const Spann index =
      Spann::open(args[0], mode == "direct" ? PostingCache::kNone : PostingCache::kSystem);
  const double opened = megabytes("VmRSS") - before;
  const ThreadLimit one(mode == "direct" ? 0 : 1);
  // All queries first, then the truth: its memory is not the index's.
  struct Point {
    size_t n_lists;
    std::vector<std::vector<Hit>> hits;
    SearchStats stats;
    double median, tail;
  };
  std::vector<Point> points;
  for (const size_t n_lists : {4, 8, 16, 32, 64}) {
    Point point{.n_lists = n_lists, .hits = {}, .stats = {}, .median = 0, .tail = 0};
    const size_t n_queries = mode == "warm" ? queries.rows() : queries.rows() / 5;
    if (mode == "warm") {
      for (size_t q = 0; q < n_queries; ++q) index.search(queries.row(q), {.effort = n_lists});
    }
    std::vector<double> seconds;
    for (size_t q = 0; q < n_queries; ++q) {
      if (mode == "cold") index.forget_lists();
      const double begin = now();
      point.hits.push_back(
          index.search(queries.row(q), {.k = 10, .effort = n_lists, .stats = &point.stats}));
      seconds.push_back(now() - begin);
    }
    point.median = quantile(seconds, 0.5);
    point.tail = quantile(seconds, 0.95);
    points.push_back(std::move(point));
  }
  std::printf("memory,%s,%.1f,%.1f,%.1f\n", mode.c_str(),
              static_cast<double>(index.memory_bytes()) / 1e6, opened, megabytes("VmRSS") - before);
  const MappedFile file = MappedFile::open(args[1]);
  const Neighbors truth = exact_knn(queries, rows_of(file, dim).slice(0, n), 10);
  for (const Point& point : points) {
    size_t found = 0;
    for (size_t q = 0; q < point.hits.size(); ++q) {
      for (const Hit& hit : point.hits[q]) {
        found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
      }
    }
    const auto n_queries = static_cast<double>(point.hits.size());
    const double bytes = static_cast<double>(point.stats.n_bytes) / n_queries;
    std::printf("search,%s,%zu,%.4f,%.0f,%.1f,%.6f,%.3f,%.3f\n", mode.c_str(), point.n_lists,
                static_cast<double>(found) / n_queries / 10,
                static_cast<double>(point.stats.n_distances) / n_queries, bytes / 1e3,
                bytes / static_cast<double>(index.posting_bytes()), point.median * 1e3,
                point.tail * 1e3);
  }
}

}  // namespace

int main(int n_args, char** args) {
  const std::string verb = n_args == 5 || n_args == 8 ? args[1] : "";
  try {
    if (verb == "make" && n_args == 5) return make(args + 2), 0;
    if (verb == "build" && n_args == 8) return build(args + 2), 0;
    if (verb == "search" && n_args == 8) return search(args + 2), 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
  std::fputs("see the head of bench/spann.cc for the arguments\n", stderr);
  return 2;
}
