// Search within windows of labels, four ways, on the same vectors and queries (card 121):
//   window       WindowIndex, kAuto
//   scan         all vectors of the window
//   filter       one Hnsw with a Filter on the window: what Carya does without the index
//   postfilter   the root's graph, and of its answers those in the window; down to 2^-8, where it
//                has read most of the graph
//
//   window_search VECTORS.npy INDEX [N_QUERIES] [strategies]
//
// After cmake --build --preset release, in the root of the repository:
//   B=build/release/carya
//   LIBRARIES="$B/index/libcarya_index.a $B/tree/libcarya_tree.a $B/io/libcarya_io.a"
//   LIBRARIES="$LIBRARIES $B/simd/libcarya_simd.a $B/core/libcarya_core.a"
//   c++ -std=c++20 -O3 -I. bench/window_search.cc $LIBRARIES -ltbb -lfmt -lhwy -lxxhash -lsimdjson
//
// Labels are a random order of the rows; windows of width 2^-16 .. 1 lie anywhere.  Vectors are
// compared by cosine; queries are rows, evenly apart, that are no items.  The index is built and
// saved as INDEX unless it is there.  Prints a line for each width and way: the least effort of a
// grid that reaches recall@10 0.95 (or the largest), its recall, microseconds and distances a
// query, on one thread. With "strategies", those of WindowIndex too.  Seconds are of the CPU:
// neighbours on the machine do not count.
#include <time.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/index/window.h"
#include "carya/io/vectors.h"

namespace {

using namespace carya;  // NOLINT: a program

constexpr size_t kHits = 10;
constexpr double kRecall = 0.95;
constexpr size_t kEfforts[] = {10, 12, 14, 17, 20, 24, 28, 34, 40, 56, 80, 112, 160, 224, 320};

double cpu_seconds() {
  timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

class InWindow : public Filter {
 public:
  InWindow(std::span<const double> labels, const LabelWindow& window, double share)
      : labels_(labels), window_(window), share_(share) {}
  bool accepts(ItemId id) const override {
    return labels_[id] >= window_.low && labels_[id] <= window_.high;
  }
  double selectivity() const override { return share_; }

 private:
  std::span<const double> labels_;
  LabelWindow window_;
  double share_;
};

using Way = std::function<std::vector<Hit>(size_t query, const SearchOptions& options)>;

void measure(const char* name, int width, size_t n_queries, const Way& way,
             const std::vector<std::vector<Hit>>& truth) {
  for (const size_t effort : kEfforts) {
    SearchStats stats;
    std::vector<std::vector<Hit>> found;
    double seconds = 1e30;
    for (int repeat = 0; repeat < 3; ++repeat) {  // the first brings the vectors
      stats = {};
      found.clear();
      const double begin = cpu_seconds();
      for (size_t q = 0; q < n_queries; ++q) {
        found.push_back(way(q, {.k = kHits, .effort = effort, .stats = &stats}));
      }
      seconds = std::min(seconds, cpu_seconds() - begin);
    }
    size_t n_right = 0, n_all = 0;
    for (size_t q = 0; q < n_queries; ++q) {
      n_all += truth[q].size();
      for (const Hit& hit : truth[q]) {
        n_right += static_cast<size_t>(
            std::ranges::count(found[q], hit.id, [](const Hit& other) { return other.id; }));
      }
    }
    const double recall = static_cast<double>(n_right) / static_cast<double>(n_all);
    if (recall < kRecall && effort != std::end(kEfforts)[-1]) continue;
    const auto n = static_cast<double>(n_queries);
    std::printf("2^-%-2d %-12s %4zu %.4f %9.1f us %9.0f distances\n", width, name, effort, recall,
                1e6 * seconds / n, static_cast<double>(stats.n_distances) / n);
    std::fflush(stdout);
    return;
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: window_search VECTORS.npy INDEX [N_QUERIES] [strategies]\n");
    return 2;
  }
  const Matrix<float> all = read_npy(argv[1]);
  const std::filesystem::path path = argv[2];
  const size_t wanted = argc > 3 ? std::strtoul(argv[3], nullptr, 10) : 200;
  const bool has_strategies = argc > 4 && std::string_view(argv[4]) == "strategies";
  std::vector<uint32_t> query_rows, item_rows;
  const size_t step = std::max<size_t>(1, all.rows() / wanted);
  for (uint32_t i = 0; i < all.rows(); ++i) {
    (i % step == 0 && query_rows.size() < wanted ? query_rows : item_rows).push_back(i);
  }
  const auto rows_of = [&](std::span<const uint32_t> rows) {
    auto picked = Matrix<float>::uninitialized(rows.size(), all.cols());
    for (size_t i = 0; i < rows.size(); ++i) {
      std::ranges::copy(all.row(rows[i]), picked.row_data(i));
    }
    return picked;
  };
  const Matrix<float> items = rows_of(item_rows), queries = rows_of(query_rows);
  const size_t n = items.rows(), n_queries = queries.rows();
  Rng rng(1);
  std::vector<double> labels(n);
  std::iota(labels.begin(), labels.end(), 0.0);
  for (size_t i = n; i > 1; --i) std::swap(labels[i - 1], labels[rng.below(i)]);
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), ItemId{0});

  if (!std::filesystem::exists(path)) {
    const double begin = cpu_seconds();
    WindowIndex built(all.cols(), Metric::kCosine, {.shifted = has_strategies});
    built.add(ids, labels, items);
    std::printf("built: %.1f s of CPU time\n", cpu_seconds() - begin);
    built.save(path);
    std::printf("%.1f MB, %.0f bytes an item\n",
                1e-6 * static_cast<double>(std::filesystem::file_size(path)),
                static_cast<double>(std::filesystem::file_size(path)) / static_cast<double>(n));
  }
  const WindowIndex index = WindowIndex::open(path);
  const std::filesystem::path graph_path = path.string() + ".hnsw";
  if (!std::filesystem::exists(graph_path)) {
    const double begin = cpu_seconds();
    Hnsw built(all.cols(), Metric::kCosine);
    built.add(ids, items);
    built.compact();
    std::printf("plain Hnsw: %.1f s of CPU time\n", cpu_seconds() - begin);
    built.save(graph_path);
  }
  const Hnsw graph = Hnsw::open(graph_path);
  const ThreadLimit one(1);
  for (int width = 16; width >= 0; --width) {
    const double share = std::ldexp(1.0, -width);
    std::vector<LabelWindow> windows(n_queries);
    std::vector<std::vector<Hit>> truth(n_queries);
    const auto n_inside = std::max(1.0, std::round(share * static_cast<double>(n)));
    for (size_t q = 0; q < n_queries; ++q) {
      const auto low = static_cast<double>(rng.below(n + 1 - static_cast<size_t>(n_inside)));
      windows[q] = {low, low + n_inside - 1};
      truth[q] = index.search(queries.row(q), windows[q], {.k = kHits}, WindowStrategy::kScan);
    }
    const auto with = [&](WindowStrategy strategy) {
      return [&, strategy](size_t q, const SearchOptions& options) {
        return index.search(queries.row(q), windows[q], options, strategy);
      };
    };
    measure("window", width, n_queries, with(WindowStrategy::kAuto), truth);
    measure("scan", width, n_queries, with(WindowStrategy::kScan), truth);
    measure(
        "filter", width, n_queries,
        [&](size_t q, SearchOptions options) {
          const InWindow filter(labels, windows[q], share);
          options.filter = &filter;
          return graph.search(queries.row(q), options);
        },
        truth);
    if (width <= 8) measure("postfilter", width, n_queries, with(WindowStrategy::kRoot), truth);
    if (!has_strategies) continue;
    measure("  tree", width, n_queries, with(WindowStrategy::kTree), truth);
    measure("  node", width, n_queries, with(WindowStrategy::kPostfilter), truth);
    measure("  three_split", width, n_queries, with(WindowStrategy::kThreeSplit), truth);
    measure("  super", width, n_queries, with(WindowStrategy::kSuper), truth);
  }
  return 0;
}
