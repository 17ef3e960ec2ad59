// Metric::kUser: distances of the caller's own.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

#include "carya/core/parallel.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/query.h"
#include "carya/index/test_data.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Vector = std::span<const float>;

float manhattan(Vector a, Vector b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum;
}

float canberra(Vector a, Vector b) {
  float sum = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    const float size = std::abs(a[i]) + std::abs(b[i]);
    if (size > 0) sum += std::abs(a[i] - b[i]) / size;
  }
  return sum;
}

// Insertions, deletions and substitutions between words: a number is a letter, 0 ends the word.
float edit_distance(Vector a, Vector b) {
  const auto length = [](Vector w) {
    return static_cast<size_t>(std::ranges::find(w, 0.0f) - w.begin());
  };
  std::vector<float> row(length(b) + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = static_cast<float>(j);
  for (size_t i = 1; i <= length(a); ++i) {
    float diagonal = row[0];
    row[0] = static_cast<float>(i);
    for (size_t j = 1; j < row.size(); ++j) {
      const float changed = diagonal + (a[i - 1] == b[j - 1] ? 0.0f : 1.0f);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, changed});
    }
  }
  return row.back();
}

struct Case {
  std::string name;
  DistanceFunction distance;
  Matrix<float> (*points)(size_t n, uint64_t seed);
};

Matrix<float> normal_points(size_t n, uint64_t seed) { return random_points(n, 7, seed); }

// One of 40 words of 8 letters, some of them changed.
Matrix<float> words(size_t n, uint64_t seed) {
  Matrix<float> points(n, 12);
  Rng rng(seed), shared(3);
  Matrix<float> stems(40, 8);
  for (float& x : stems.flat()) x = static_cast<float>(1 + shared.below(5));
  for (size_t i = 0; i < n; ++i) {
    const auto stem = stems.row(rng.below(40));
    size_t length = 0;
    for (float letter : stem) {
      const uint64_t change = rng.below(8);
      if (change == 0) continue;
      points(i, length++) = change == 1 ? static_cast<float>(1 + rng.below(5)) : letter;
    }
    while (length < 12 && rng.below(3) == 0) {
      points(i, length++) = static_cast<float>(1 + rng.below(5));
    }
  }
  return points;
}

std::vector<Hit> naive(const Case& use, const Matrix<float>& vectors, ItemId first, Vector query,
                       size_t k, const Filter* filter = nullptr) {
  std::vector<Hit> hits;
  for (size_t i = 0; i < vectors.rows(); ++i) {
    if (filter != nullptr && !filter->accepts(first + i)) continue;
    hits.push_back({first + i, use.distance(query, vectors.row(i))});
  }
  std::ranges::stable_sort(hits, {}, &Hit::distance);
  hits.resize(std::min(k, hits.size()));
  return hits;
}

std::span<const Case> cases() {
  static const Case all[] = {{"manhattan", manhattan, normal_points},
                             {"canberra", canberra, normal_points},
                             {"edit", edit_distance, words}};
  return all;
}

enum class Kind { kFlat, kHnsw };

class EveryUserIndex : public ::testing::TestWithParam<std::tuple<Kind, size_t>> {
 protected:
  static const Case& use() { return cases()[std::get<1>(GetParam())]; }
  static std::unique_ptr<Index> make(size_t dim) {
    if (std::get<0>(GetParam()) == Kind::kFlat) {
      return std::make_unique<FlatIndex>(dim, Metric::kUser,
                                         FlatOptions{.distance = use().distance});
    }
    return std::make_unique<Hnsw>(dim, Metric::kUser, HnswOptions{.distance = use().distance});
  }
  static std::unique_ptr<Index> open(const std::filesystem::path& path) {
    if (std::get<0>(GetParam()) == Kind::kFlat) {
      return std::make_unique<FlatIndex>(FlatIndex::open(path, use().distance));
    }
    return std::make_unique<Hnsw>(Hnsw::open(path, use().distance));
  }
  static std::unique_ptr<Index> filled(const Matrix<float>& vectors) {
    auto index = make(vectors.cols());
    index->add(ids_from(100, vectors.rows()), vectors);
    return index;
  }
  // Equal distances are many between words: any of the items will do.
  static void expect_nearest(const std::vector<Hit>& hits, const std::vector<Hit>& expected,
                             const Matrix<float>& vectors, Vector query) {
    ASSERT_EQ(hits.size(), expected.size());
    for (size_t i = 0; i < hits.size(); ++i) {
      EXPECT_EQ(hits[i].distance, expected[i].distance) << i;
      EXPECT_EQ(hits[i].distance, use().distance(query, vectors.row(hits[i].id - 100)));
    }
  }
};
INSTANTIATE_TEST_SUITE_P(Index, EveryUserIndex,
                         ::testing::Combine(::testing::Values(Kind::kFlat, Kind::kHnsw),
                                            ::testing::Values(0, 1, 2)),
                         [](const auto& info) {
                           const std::string kind =
                               std::get<0>(info.param) == Kind::kFlat ? "flat_" : "hnsw_";
                           return kind + cases()[std::get<1>(info.param)].name;
                         });

TEST_P(EveryUserIndex, FindsWhatTheDefinitionFinds) {
  for (size_t n : {1, 2, 50, 2500}) {
    const Matrix<float> vectors = use().points(n, n), queries = use().points(10, 99);
    const auto index = filled(vectors);
    for (size_t q = 0; q < queries.rows(); ++q) {
      expect_nearest(index->search(queries.row(q), {.k = 5, .effort = 100}),
                     naive(use(), vectors, 100, queries.row(q), 5), vectors, queries.row(q));
    }
    EXPECT_THAT(index->search(queries.row(0), {.k = 10'000}), SizeIs(n));
  }
  EXPECT_THAT(make(3)->search(std::vector<float>{1, 2, 3}, {}), IsEmpty());
}

TEST_P(EveryUserIndex, ReturnsOnlyWhatTheFilterAccepts) {
  const Matrix<float> vectors = use().points(2500, 1), queries = use().points(5, 2);
  const auto index = filled(vectors);
  for (size_t modulus : {2, 300}) {
    const EveryNth filter(modulus);
    for (size_t q = 0; q < queries.rows(); ++q) {
      const auto hits = index->search(queries.row(q), {.k = 5, .effort = 100, .filter = &filter});
      expect_nearest(hits, naive(use(), vectors, 100, queries.row(q), 5, &filter), vectors,
                     queries.row(q));
      for (const Hit& hit : hits) EXPECT_TRUE(filter.accepts(hit.id));
    }
  }
}

TEST_P(EveryUserIndex, OpensWithTheFunctionOnlyAndGoesOn) {
  const Matrix<float> vectors = use().points(2000, 4), query = use().points(1, 5);
  const auto index = filled(vectors);
  const TempFile file;
  index->save(file.path());
  EXPECT_THAT(message([&] { open_index(file.path()); }),
              HasSubstr(file.path().string() + ": it was built with a distance of the program's"));
  try {
    open_index(file.path());
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
  }
  const auto opened = open(file.path());
  EXPECT_EQ(opened->metric(), Metric::kUser);
  EXPECT_EQ(opened->search(query.row(0), {}), index->search(query.row(0), {}));
  const Matrix<float> more = use().points(80, 6);
  for (Index* each : {index.get(), opened.get()}) {
    for (ItemId id = 100; id < 700; ++id) ASSERT_TRUE(each->remove(id));
    each->add(ids_from(9000, 80), more);
    each->update(ids_from(800, 80), more);
    if (auto* const graph = dynamic_cast<Hnsw*>(each)) graph->compact();
  }
  EXPECT_EQ(opened->search(more.row(0), {.k = 2})[1].distance,
            use().distance(more.row(0), more.row(0)));  // the item that was updated
  const TempFile one, two;
  index->save(one.path());
  opened->save(two.path());
  EXPECT_EQ(read_file(one.path()), read_file(two.path()));
}

TEST_P(EveryUserIndex, IsEmptiedAndFilledAgain) {
  const Matrix<float> vectors = use().points(300, 14);
  const auto index = filled(vectors);
  for (ItemId id = 100; id < 400; ++id) ASSERT_TRUE(index->remove(id));
  EXPECT_THAT(index->search(vectors.row(0), {}), IsEmpty());
  index->add(ids_from(100, 300), vectors);
  for (size_t q = 0; q < 10; ++q) {
    expect_nearest(index->search(vectors.row(q), {.k = 5, .effort = 100}),
                   naive(use(), vectors, 100, vectors.row(q), 5), vectors, vectors.row(q));
  }
}

TEST(UserMetric, HasTheSameBytesForEveryNumberOfThreads) {
  const Matrix<float> vectors = normal_points(3000, 7);
  std::string one;
  for (size_t threads : {1, 2, 8}) {
    ThreadLimit limit(threads);
    Hnsw index(7, Metric::kUser, {.distance = canberra});
    index.add(ids_from(0, 3000), vectors);
    const TempFile file;
    index.save(file.path());
    if (one.empty()) one = read_file(file.path());
    EXPECT_TRUE(read_file(file.path()) == one) << threads;
  }
}

TEST(UserMetric, WalksTheGraphAndFindsNearlyAll) {
  const Matrix<float> vectors = normal_points(6000, 8), queries = normal_points(100, 9);
  const Case use{"manhattan", manhattan, normal_points};
  std::atomic<size_t> n_calls = 0;
  Hnsw index(7, Metric::kUser, {.distance = [&](Vector a, Vector b) {
               ++n_calls;
               return manhattan(a, b);
             }});
  index.add(ids_from(0, 6000), vectors);
  n_calls = 0;
  SearchStats stats;
  size_t found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    const auto expected = naive(use, vectors, 0, queries.row(q), 10);
    for (const Hit& hit : index.search(queries.row(q), {.k = 10, .effort = 60, .stats = &stats})) {
      found += static_cast<size_t>(std::ranges::count(expected, hit));
    }
  }
  EXPECT_GT(static_cast<double>(found) / 1000, 0.97);
  EXPECT_EQ(n_calls, stats.n_distances);
  EXPECT_LT(n_calls / queries.rows(), 6000u / 4);
}

// Links are chosen among a batch too, where each is its own nearest.
TEST(UserMetric, AndBitsMakeGraphsWithoutLinksToOneself) {
  Matrix<float> vectors = normal_points(3000, 15);
  Hnsw user(7, Metric::kUser, {.distance = manhattan});
  user.add(ids_from(0, 3000), vectors);
  for (float& x : vectors.flat()) x = x > 0.5f ? 1.0f : 0.0f;
  Matrix<float> wide(3000, 70);  // hardly any are equal
  for (size_t i = 0; i < 3000; ++i) {
    for (size_t j = 0; j < 70; ++j) wide(i, j) = vectors((i + 37 * (j / 7)) % 3000, j % 7);
  }
  Hnsw bits(70, Metric::kHamming);
  bits.add(ids_from(0, 3000), wide);
  for (const Hnsw* index : std::initializer_list<const Hnsw*>{&user, &bits}) {
    const TempFile file;
    index->save(file.path());
    const Container graph = Container::open(file.path(), Hnsw::kFileKind, 2);
    const auto links = graph.array<uint32_t>("links");
    const size_t width = 2 * index->options().m;
    ASSERT_EQ(links.size(), 3000 * width);
    size_t n_links = 0;
    for (size_t i = 0; i < links.size(); ++i) {
      if (links[i] == kNoSlot) continue;
      EXPECT_NE(links[i], i / width);
      ++n_links;
    }
    EXPECT_GT(n_links, 3000u * index->options().m / 2);
  }
}

TEST(UserMetric, IsBuiltFromKnownNeighbours) {
  const Matrix<float> vectors = normal_points(500, 10);
  const Case use{"canberra", canberra, normal_points};
  Neighbors known{Matrix<uint32_t>(500, 10), Matrix<float>(500, 10)};
  for (size_t i = 0; i < 500; ++i) {
    const auto hits = naive(use, vectors, 0, vectors.row(i), 11);
    for (size_t j = 0; j < 10; ++j) known.ids(i, j) = static_cast<uint32_t>(hits[j + 1].id);
  }
  const Hnsw index =
      Hnsw::build(ids_from(0, 500), vectors, known, Metric::kUser, {.distance = canberra});
  for (size_t i = 0; i < 500; ++i) {
    EXPECT_EQ(index.search(vectors.row(i), {.k = 1, .effort = 10})[0].id, i);
  }
}

TEST(UserMetric, TakesNansForInfinitelyFar) {
  const Matrix<float> vectors = normal_points(3000, 11);
  // What differs in the sign of the first number has no distance.
  const DistanceFunction partial = [](Vector a, Vector b) {
    return (a[0] < 0) == (b[0] < 0) ? manhattan(a, b) : std::nanf("");
  };
  Hnsw graph(7, Metric::kUser, {.distance = partial});
  FlatIndex flat(7, Metric::kUser, {.distance = partial});
  for (Index* index : std::initializer_list<Index*>{&graph, &flat}) {
    index->add(ids_from(0, 3000), vectors);
    for (size_t i = 0; i < 20; ++i) {
      const auto hits = index->search(vectors.row(i), {.k = 3000});
      ASSERT_THAT(hits, SizeIs(3000));
      EXPECT_EQ(hits[0].id, i);
      EXPECT_EQ(hits.back().distance, INFINITY);
      for (const Hit& hit : index->search(vectors.row(i), {.k = 5, .effort = 50})) {
        EXPECT_FALSE(std::isnan(hit.distance));
      }
    }
    for (ItemId id = 0; id < 1500; ++id) ASSERT_TRUE(index->remove(id));
  }
  Hnsw nothing(7, Metric::kUser, {.distance = [](Vector, Vector) { return std::nanf(""); }});
  nothing.add(ids_from(0, 3000), vectors);
  EXPECT_THAT(nothing.search(vectors.row(0), {.k = 4, .effort = 10}), SizeIs(4));
}

TEST(UserMetric, KeepsTwinsAndIsSearchedFromManyThreads) {
  Matrix<float> vectors = normal_points(2000, 12);
  for (size_t i = 0; i < 2000; i += 2) std::ranges::copy(vectors.row(1), vectors.row_data(i));
  Hnsw index(7, Metric::kUser, {.distance = manhattan});
  index.add(ids_from(0, 2000), vectors);
  std::vector<std::thread> threads;
  std::vector<std::vector<Hit>> hits(4);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] { hits[t] = index.search(vectors.row(1), {.k = 1001}); });
  }
  for (std::thread& thread : threads) thread.join();
  for (const auto& found : hits) {
    ASSERT_THAT(found, SizeIs(1001));
    EXPECT_EQ(found.back().distance, 0.0f);
  }
}

TEST(UserMetric, AndItsFunctionComeTogether) {
  EXPECT_THAT(message([] { Hnsw(4, Metric::kUser); }),
              HasSubstr("the metric user is a function of yours: give it as the option"));
  EXPECT_THAT(message([] { FlatIndex(4, Metric::kUser); }), HasSubstr("the metric user is"));
  EXPECT_THAT(message([] { Hnsw(4, Metric::kCosine, {.distance = manhattan}); }),
              HasSubstr("but the metric is cosine: use Metric::kUser"));
  EXPECT_THAT(message([] { FlatIndex(4, Metric::kHamming, {.distance = manhattan}); }),
              HasSubstr("but the metric is hamming"));
  EXPECT_THAT(message([] {
                Hnsw(4, Metric::kUser, {.storage = {{}, RowFormat::kInt8}, .distance = manhattan});
              }),
              HasSubstr("a user's distance compares f32 vectors"));
  FlatIndex cosine(4, Metric::kCosine);
  const TempFile file;
  cosine.save(file.path());
  EXPECT_THAT(message([&] { FlatIndex::open(file.path(), manhattan); }),
              HasSubstr("its metric is cosine: open it without a distance function"));
}

TEST(UserMetric, FilesThatAreTruncatedOrDamagedAreRefused) {
  Hnsw index(7, Metric::kUser, {.distance = manhattan});
  index.add(ids_from(0, 40), normal_points(40, 13));
  const TempFile file;
  index.save(file.path());
  const std::string bytes = read_file(file.path());
  for (size_t length = 0; length < bytes.size(); length += 397) {
    write_file(file.path(), bytes.substr(0, length));
    EXPECT_THROW(Hnsw::open(file.path(), manhattan), Error) << length;
  }
  for (size_t at = 0; at < bytes.size(); at += 131) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file(file.path(), damaged);
    try {
      Hnsw::open(file.path(), manhattan);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
}

}  // namespace
}  // namespace carya
