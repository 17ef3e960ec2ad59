// SPANN (Chen et al. 2021), card 162: heads in memory, lists in a file.  Word vectors: the recall
// of 40 lists, the memory, how even the lists are, and what heads, rule and copies each are worth.
#include <algorithm>
#include <numeric>
#include <vector>

#include "carya/core/rng.h"
#include "carya/index/spann.h"
#include "carya/io/vectors.h"
#include "carya/simd/knn.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kHits = 10, kLists = 40;

struct Run {
  double recall = 0;     // share of the exact kHits nearest
  double distances = 0;  // per query, those of heads too
  double bytes = 0;      // per query
};

Run run(const Spann& index, MatrixView<const float> queries, const Neighbors& truth,
        size_t n_lists) {
  SearchStats stats;
  size_t found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    const SearchOptions options{.k = kHits, .effort = n_lists, .stats = &stats};
    for (const Hit& hit : index.search(queries.row(q), options)) {
      found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
    }
  }
  const auto n = static_cast<double>(queries.rows());
  return {.recall = static_cast<double>(found) / (n * kHits),
          .distances = static_cast<double>(stats.n_distances) / n,
          .bytes = static_cast<double>(stats.n_bytes) / n};
}

// A file in the temporary folder that goes away.
class Scratch {
 public:
  explicit Scratch(const char* name) {
    path_ = std::filesystem::temp_directory_path() / fmt::format("carya_162_{}", name);
  }
  ~Scratch() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// How even the lists of such heads are.
double deviation_of(const IndexedRows& rows, std::span<const uint32_t> head_rows,
                    const ClosureOptions& options) {
  const Matrix<float> heads = rows.gather(head_rows);
  std::vector<ItemId> numbers(heads.rows());
  std::iota(numbers.begin(), numbers.end(), ItemId{0});
  Hnsw graph(heads.cols(), rows.metric, SpannOptions{}.heads);
  graph.add(numbers, heads);
  return size_deviation(closure(rows, heads, graph, rows.size(), options).sizes());
}

std::vector<uint32_t> random_rows(size_t n, size_t n_drawn, uint64_t seed) {
  std::vector<uint32_t> all(n);
  std::iota(all.begin(), all.end(), 0u);
  Rng rng(seed);
  for (size_t i = 0; i < n_drawn; ++i) std::swap(all[i], all[i + rng.below(n - i)]);
  all.resize(n_drawn);
  return all;
}

}  // namespace

std::vector<ClaimRow> reproduce_162(const ClaimContext& context) {
  const Matrix<float> words = read_npy(context.cache / "data" / "words" / "vectors.npy");
  const size_t n_queries = context.quick ? 200 : 1000;
  const size_t n = std::min<size_t>(words.rows() - n_queries, context.quick ? 20'000 : 120'000);
  // Queries from all over, so that both come from common and rare words.
  auto points = Matrix<float>::uninitialized(n, words.cols());
  auto queries = Matrix<float>::uninitialized(n_queries, words.cols());
  const size_t step = (n + n_queries) / n_queries;
  for (size_t i = 0, p = 0, q = 0; i < n + n_queries; ++i) {
    const bool is_query = i % step == 0 && q < n_queries;
    std::ranges::copy(words.row(i), is_query ? queries.row_data(q) : points.row_data(p));
    (is_query ? q : p) += 1;
  }
  std::vector<ItemId> ids(n);
  std::iota(ids.begin(), ids.end(), ItemId{0});
  const Neighbors truth = exact_knn(queries, points, kHits, Metric::kCosine);

  const Scratch file("lists"), one_file("one_copy");
  const Spann index = Spann::build(file.path(), ids, points, Metric::kCosine, {}, context.progress);
  const Run forty = run(index, queries, truth, kLists);
  const double memory = static_cast<double>(index.memory_bytes()) /
                        static_cast<double>(n * points.cols() * sizeof(float));
  const double deviation = size_deviation(index.list_sizes());
  const double share = forty.bytes / static_cast<double>(index.posting_bytes());
  std::vector<ClaimRow> rows = {
      {"recall@10 of 40 lists", "0.930 (prototype)", forty.recall, ">= 0.91", forty.recall >= 0.91},
      {"memory / bytes of the vectors", "0.16 and the graph", memory, "<= 0.25", memory <= 0.25},
      {"bytes read a query / bytes of all lists", "not stated", share, "<= 0.02", share <= 0.02},
      {"deviation of list sizes / mean", "0.46 (prototype)", deviation, "<= 0.5", deviation <= 0.5},
  };

  // The same reads for one copy: more lists, each shorter.
  const Spann one = Spann::build(one_file.path(), ids, points, Metric::kCosine,
                                 {.closure = {.n_copies = 1}}, context.progress);
  Run of_one;
  for (size_t n_lists = kLists; of_one.distances < forty.distances; n_lists += n_lists / 10) {
    of_one = run(one, queries, truth, n_lists);
  }
  const double lost = forty.recall - of_one.recall;
  rows.push_back({"recall lost by one copy, at as many vectors", "0.18 (prototype)", lost,
                  ">= 0.05", lost >= 0.05});
  if (context.quick) return rows;  // what follows is about many heads

  // Random heads, and copies in whatever direction: less even.
  const IndexedRows all{points, Metric::kCosine};
  const size_t n_heads = index.list_sizes().size();
  const std::vector<uint32_t> chosen = balanced_heads(all, {.n_heads = n_heads});
  const double random = deviation_of(all, random_rows(n, n_heads, 1), {});
  const double balanced = deviation_of(all, chosen, {});
  const double unruled = deviation_of(all, chosen, {.skip_related = false});
  rows.push_back(
      {"deviation before lists are cut", "0.46 (prototype)", balanced, "<= 0.5", balanced <= 0.5});
  rows.push_back(
      {"deviation, random heads", "0.57 (prototype, 40k)", random, "> 0.5", random > 0.5});
  rows.push_back({"deviation, no neighbourhood rule", "1.07 (prototype, 40k)", unruled, "> 0.5",
                  unruled > 0.5});
  return rows;
}

}  // namespace carya
