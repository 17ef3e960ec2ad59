#include "carya/index/hnsw.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "carya/core/parallel.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::HasSubstr;

Hnsw built(const Matrix<float>& vectors, Metric metric, const HnswOptions& options = {}) {
  Hnsw index(vectors.cols(), metric, options);
  index.add(ids_from(0, vectors.rows()), vectors);
  return index;
}

std::string bytes_of(const Hnsw& index) {
  const TempFile file;
  index.save(file.path());
  return read_file(file.path());
}

// The share of the exact 10 nearest that is found.
double recall(const Hnsw& index, const Matrix<float>& vectors, const Matrix<float>& queries,
              size_t effort, Metric metric) {
  const Neighbors truth = exact_knn(queries, vectors, 10, metric);
  size_t found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (const Hit& hit : index.search(queries.row(q), {.k = 10, .effort = effort})) {
      found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
    }
  }
  return static_cast<double>(found) / static_cast<double>(10 * queries.rows());
}

TEST(Hnsw, HasTheSameBytesForEveryNumberOfThreads) {
  const Matrix<float> vectors = random_points(4000, 12, 1);
  std::string one;
  {
    ThreadLimit limit(1);
    one = bytes_of(built(vectors, Metric::kSquaredL2));
  }
  for (size_t threads : {2, 8}) {
    ThreadLimit limit(threads);
    EXPECT_TRUE(bytes_of(built(vectors, Metric::kSquaredL2)) == one) << threads;
  }
}

TEST(Hnsw, FindsAsMuchFromBatchesAsFromSingleInsertions) {
  const Matrix<float> vectors = random_points(3000, 16, 2), queries = random_points(200, 16, 3);
  const Hnsw batches = built(vectors, Metric::kSquaredL2);
  Hnsw singles(16, Metric::kSquaredL2);
  for (size_t i = 0; i < vectors.rows(); ++i) {
    singles.add(ids_from(i, 1), vectors.view().slice(i, 1));
  }
  for (size_t effort : {10, 20, 50}) {
    // 2,000 answers: 3 standard errors of a share around 0.9 are 0.02.
    EXPECT_NEAR(recall(batches, vectors, queries, effort, Metric::kSquaredL2),
                recall(singles, vectors, queries, effort, Metric::kSquaredL2), 0.02);
  }
}

TEST(Hnsw, FindsNearlyAllAndMoreWithMoreEffort) {
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    const Matrix<float> vectors = random_points(5000, 16, 4), queries = random_points(100, 16, 5);
    const Hnsw index = built(vectors, metric);
    const double little = recall(index, vectors, queries, 10, metric);
    const double much = recall(index, vectors, queries, 200, metric);
    EXPECT_GT(little, 0.5) << metric_name(metric);
    EXPECT_GT(much, 0.98) << metric_name(metric);
    EXPECT_GT(much, little);
  }
}

TEST(Hnsw, FindsAsMuchWhenBuiltFromKnownNeighbours) {
  for (Metric metric : {Metric::kSquaredL2, Metric::kCosine}) {
    const Matrix<float> vectors = random_points(4000, 8, 16), queries = random_points(200, 8, 17);
    const Neighbors known = exact_knn_graph(vectors, 30, metric);
    const Hnsw index = Hnsw::build(ids_from(0, 4000), vectors, known, metric);
    // 2,000 answers: 3 standard errors of a share around 0.97 are 0.012.
    EXPECT_GT(recall(index, vectors, queries, 50, metric),
              recall(built(vectors, metric), vectors, queries, 50, metric) - 0.012);
  }
}

TEST(Hnsw, BuiltFromKnownNeighboursHasTheSameBytesForEveryNumberOfThreadsAndGrows) {
  Matrix<float> vectors = random_points(3000, 8, 18);
  for (size_t i = 0; i < 300; ++i) std::ranges::copy(vectors.row(7), vectors.row_data(10 * i));
  for (size_t i = 0; i < 3000; ++i) vectors(i, 0) += static_cast<float>(1000 * (i / 100));
  const Neighbors known = exact_knn_graph(vectors, 10);
  std::string one;
  for (size_t threads : {1, 2, 8}) {
    ThreadLimit limit(threads);
    Hnsw index = Hnsw::build(ids_from(0, 3000), vectors, known, Metric::kSquaredL2);
    if (one.empty()) one = bytes_of(index);
    ASSERT_TRUE(bytes_of(index) == one) << threads;
    for (size_t i = 0; i < 3000; ++i) {
      ASSERT_EQ(index.search(vectors.row(i), {.k = 1, .effort = 20})[0].distance, 0.0f) << i;
    }
    Matrix<float> more = random_points(10, 8, 19);
    index.add(ids_from(3000, 10), more);
    EXPECT_EQ(index.search(more.row(3), {.k = 1})[0].id, 3003u);
  }
}

TEST(Hnsw, RefusesKnownNeighboursOfOtherItems) {
  const Matrix<float> vectors = random_points(20, 4, 20);
  Neighbors known = exact_knn_graph(vectors, 3);
  EXPECT_THAT(message([&] {
                Hnsw::build(ids_from(0, 19), vectors.view().slice(0, 19), known, Metric::kCosine);
              }),
              HasSubstr("neighbours of 20 items came with 19 vectors"));
  known.ids(4, 1) = 20;
  EXPECT_THAT(message([&] { Hnsw::build(ids_from(0, 20), vectors, known, Metric::kSquaredL2); }),
              HasSubstr("a neighbour is row 20, but there are 20 rows"));
}

TEST(Hnsw, ReadsFewVectors) {
  const Matrix<float> vectors = random_points(5000, 8, 6);
  const Hnsw index = built(vectors, Metric::kSquaredL2);
  SearchStats stats;
  index.search(vectors.row(0), {.k = 10, .effort = 20, .stats = &stats});
  EXPECT_GT(stats.n_hops, 10u);
  EXPECT_LT(stats.n_distances, 1000u);
}

TEST(Hnsw, ReachesEveryItemOfSeparateClusters) {
  Matrix<float> vectors = random_points(2000, 4, 7);
  for (size_t i = 0; i < 2000; ++i) vectors(i, 0) += static_cast<float>(1000 * (i / 100));
  const Hnsw index = built(vectors, Metric::kSquaredL2);
  for (size_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(index.search(vectors.row(i), {.k = 1, .effort = 20})[0].id, i);
  }
}

TEST(Hnsw, KeepsItsRecallWhenAThirdIsReplaced) {
  const Matrix<float> old = random_points(3000, 10, 8), fresh = random_points(1000, 10, 9);
  const Matrix<float> queries = random_points(200, 10, 10);
  Hnsw index = built(old, Metric::kSquaredL2);
  Matrix<float> now = old.copy();
  for (ItemId id = 0; id < 1000; ++id) ASSERT_TRUE(index.remove(id));
  index.add(ids_from(0, 1000), fresh);
  std::ranges::copy(fresh.flat(), now.data());
  const double whole = recall(built(now, Metric::kSquaredL2), now, queries, 40, Metric::kSquaredL2);
  EXPECT_GT(recall(index, now, queries, 40, Metric::kSquaredL2), whole - 0.02);
}

TEST(Hnsw, FindsItemsAfterALongMixOfAddAndRemove) {
  const Matrix<float> pool = random_points(3000, 5, 12);
  Hnsw index(5, Metric::kSquaredL2);
  std::vector<ItemId> present;
  Rng rng(13);
  for (size_t step = 0; step < pool.rows(); ++step) {
    index.add(ids_from(step, 1), pool.view().slice(step, 1));
    present.push_back(step);
    if (present.size() <= 500) continue;
    const size_t victim = rng.below(present.size());
    ASSERT_TRUE(index.remove(present[victim]));
    present.erase(present.begin() + static_cast<ptrdiff_t>(victim));
  }
  size_t missed = 0;  // single insertions may leave a node without a link to it for a while
  for (ItemId id : present) {
    missed += index.search(pool.row(id), {.k = 1, .effort = 10})[0].id != id;
  }
  EXPECT_LE(missed, 2u);
}

TEST(Hnsw, SearchesTheGraphUnderAWideFilterAndScansUnderANarrowOne) {
  const Matrix<float> vectors = random_points(20000, 8, 14), queries = random_points(50, 8, 15);
  const Hnsw index = built(vectors, Metric::kSquaredL2);
  for (size_t modulus : {2, 200}) {
    const EveryNth filter(modulus);
    SearchStats stats;
    size_t found = 0;
    for (size_t q = 0; q < queries.rows(); ++q) {
      std::vector<Hit> expected =
          naive_search(vectors, 0, queries.row(q), 20000, Metric::kSquaredL2);
      std::erase_if(expected, [&](const Hit& hit) { return hit.id % modulus != 0; });
      const auto wanted = ids_of(std::span(expected).first(10));
      const SearchOptions options{.k = 10, .effort = 100, .filter = &filter, .stats = &stats};
      for (const Hit& hit : index.search(queries.row(q), options)) {
        EXPECT_EQ(hit.id % modulus, 0u);
        found += static_cast<size_t>(std::ranges::count(wanted, hit.id));
      }
    }
    EXPECT_GT(found, 490u) << modulus;
    if (modulus == 200) {
      EXPECT_EQ(stats.n_distances, 50u * 100) << "all accepted items, no others";
    } else {
      EXPECT_GT(stats.n_hops, 0u);
    }
  }
}

// Items of two clusters far apart; accepts those of the other one.
TEST(Hnsw, FindsAllWhenTheFilterAcceptsOnlyWhatIsFarAway) {
  class From : public Filter {
   public:
    bool accepts(ItemId id) const override { return id >= 8000; }
    double selectivity() const override { return 0.2; }
  };
  Matrix<float> vectors = random_points(10000, 6, 22);
  for (size_t i = 8000; i < 10000; ++i) vectors(i, 0) += 50;
  const Hnsw index = built(vectors, Metric::kSquaredL2);
  const From far;
  for (size_t q = 0; q < 20; ++q) {
    std::vector<Hit> expected = naive_search(vectors, 0, vectors.row(q), 10000, Metric::kSquaredL2);
    std::erase_if(expected, [&](const Hit& hit) { return !far.accepts(hit.id); });
    SearchStats stats;
    const auto hits =
        index.search(vectors.row(q), {.k = 10, .effort = 40, .filter = &far, .stats = &stats});
    EXPECT_EQ(ids_of(hits), ids_of(std::span(expected).first(10)));
    EXPECT_LE(stats.n_distances, 4000u) << "no more than the way that was given up and a scan";
  }
}

TEST(Hnsw, StopsWholeWhenAsked) {
  class StopAfter500 : public Progress {
   public:
    void begin(std::string_view, size_t, std::string_view) override {}
    void advance(size_t steps) override { done += steps; }
    bool stop_requested() const override { return done >= 500; }
    size_t done = 0;
  } progress;
  const Matrix<float> vectors = random_points(2000, 6, 11);
  Hnsw index(6, Metric::kSquaredL2);
  EXPECT_THROW(index.add(ids_from(0, 2000), vectors, &progress), Error);
  ASSERT_EQ(index.size(), progress.done);
  EXPECT_EQ(index.search(vectors.row(499), {.k = 1})[0].id, 499u);
  EXPECT_TRUE(index.remove(499));
}

// Saves a small index, lets `damage` change one of its arrays, checksums included, and opens it.
template <class Damage>
std::string opening_damaged(const char* section, const Damage& damage) {
  Matrix<float> vectors = random_points(60, 3, 21);
  for (size_t i = 50; i < 60; ++i) std::ranges::copy(vectors.row(1), vectors.row_data(i));
  const TempFile file, damaged;
  built(vectors, Metric::kSquaredL2, {.m = 2, .ef_construction = 10}).save(file.path());
  const Container in = Container::open(file.path(), Hnsw::kFileKind, 2);
  ContainerWriter out(std::string(Hnsw::kFileKind), 2);
  for (const char* name : {"header", "vectors", "n_trained", "ids", "live", "links", "levels",
                           "upper_begin", "upper_links", "next_twin"}) {
    const auto bytes = in.array<std::byte>(name);
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    if (name == std::string_view(section)) damage(copy);
    out.add_copy(name, copy);
  }
  out.save(damaged.path());
  return message([&] { Hnsw::open(damaged.path()); });
}

// Overwrites element i of an array.
template <class T>
auto with(size_t i, T value) {
  return [=](std::vector<std::byte>& bytes) {
    std::memcpy(bytes.data() + i * sizeof(T), &value, sizeof(T));
  };
}

TEST(Hnsw, RefusesFilesWhoseContentIsWrongThoughTheirChecksumsHold) {
  const auto cut = [](std::vector<std::byte>& bytes) { bytes.resize(bytes.size() - 4); };
  EXPECT_EQ(opening_damaged("none", cut), "no error");
  EXPECT_THAT(opening_damaged("links", with<uint32_t>(9, 60)), HasSubstr("leads to 60"));
  EXPECT_THAT(opening_damaged("links", with<uint32_t>(9, 55)), HasSubstr("leads to 55"));  // a twin
  EXPECT_THAT(opening_damaged("links", cut), HasSubstr("do not match 60 vectors"));
  EXPECT_THAT(opening_damaged("vectors", cut), HasSubstr("do not match 60 ids"));
  EXPECT_THAT(opening_damaged("levels", with<uint8_t>(3, 31)), HasSubstr("node 3"));
  EXPECT_THAT(opening_damaged("next_twin", with<uint32_t>(50, 50)), HasSubstr("identical vectors"));
  EXPECT_THAT(opening_damaged("next_twin", with<uint32_t>(2, 3)), HasSubstr("identical vectors"));
  EXPECT_THAT(opening_damaged("live", with<uint8_t>(2, 7)), HasSubstr("neither live nor dead"));
  EXPECT_THAT(opening_damaged("header", with<uint64_t>(6, 60)), HasSubstr("entry point"));
  EXPECT_THAT(opening_damaged("header", with<uint64_t>(2, 1)), HasSubstr("header"));
  for (size_t slot = 0; slot < 50; ++slot) {  // the rows of some are never read
    const std::string result = opening_damaged("upper_begin", with<uint32_t>(slot, 1'000'000));
    EXPECT_THAT(result, ::testing::AnyOf("no error", HasSubstr("upper links lie outside")));
  }
}

TEST(Hnsw, RefusesOptionsThatCannotBe) {
  EXPECT_THAT(message([] { Hnsw(4, Metric::kCosine, {.m = 1}); }), HasSubstr("m is 1"));
  EXPECT_THAT(message([] { Hnsw(4, Metric::kCosine, {.m = 16, .ef_construction = 8}); }),
              HasSubstr("ef_construction is 8"));
}

}  // namespace
}  // namespace carya
