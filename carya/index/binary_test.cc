// Indexes of vectors of bits: hamming and jaccard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "carya/core/parallel.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/query.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Bits that lie in clusters: each row is one of n / 20 centers with a tenth of its bits flipped.
Matrix<float> random_bits(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> rows(n, dim);
  Rng rng(seed);
  Matrix<float> centers(n / 20 + 1, dim);
  Rng shared(7);  // the same centers for items and queries
  for (float& x : centers.flat()) x = static_cast<float>(shared.below(2));
  for (size_t i = 0; i < n; ++i) {
    const auto center = centers.row(rng.below(centers.rows()));
    for (size_t j = 0; j < dim; ++j) {
      rows(i, j) = rng.below(10) == 0 ? 1 - center[j] : center[j];
    }
  }
  return rows;
}

float naive_distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  size_t differing = 0, both = 0, either = 0;
  for (size_t j = 0; j < a.size(); ++j) {
    differing += a[j] != b[j];
    both += a[j] == 1 && b[j] == 1;
    either += a[j] == 1 || b[j] == 1;
  }
  if (metric == Metric::kHamming) return static_cast<float>(differing);
  return either == 0
             ? 0
             : static_cast<float>(1 - static_cast<double>(both) / static_cast<double>(either));
}

using Items = std::map<ItemId, std::vector<float>>;

// The definition, on what the index should hold.
std::vector<Hit> naive(const Items& items, std::span<const float> query, size_t k, Metric metric,
                       const Filter* filter = nullptr) {
  std::vector<Hit> hits;
  for (const auto& [id, vector] : items) {
    if (filter != nullptr && !filter->accepts(id)) continue;
    hits.push_back({id, naive_distance(metric, query, vector)});
  }
  std::ranges::sort(hits, [](const Hit& a, const Hit& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
  });
  hits.resize(std::min(k, hits.size()));
  return hits;
}

Items items_of(const Matrix<float>& vectors, ItemId first) {
  Items items;
  for (size_t i = 0; i < vectors.rows(); ++i) {
    items[first + i] = {vectors.row(i).begin(), vectors.row(i).end()};
  }
  return items;
}

// Distances are counts, so many are equal, and a graph may find any of the items that are.
void expect_nearest(const std::vector<Hit>& hits, const std::vector<Hit>& expected,
                    const Items& items, std::span<const float> query, Metric metric) {
  ASSERT_EQ(hits.size(), expected.size());
  for (size_t i = 0; i < hits.size(); ++i) {
    EXPECT_EQ(hits[i].distance, expected[i].distance) << i;
    EXPECT_EQ(hits[i].distance, naive_distance(metric, query, items.at(hits[i].id))) << i;
  }
  std::vector<ItemId> ids = ids_of(hits);
  std::ranges::sort(ids);
  EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end());
}

enum class Kind { kFlat, kHnsw };
class EveryBinaryIndex : public ::testing::TestWithParam<std::tuple<Kind, Metric>> {
 protected:
  static Metric metric() { return std::get<1>(GetParam()); }
  static std::unique_ptr<Index> make(size_t dim) {
    if (std::get<0>(GetParam()) == Kind::kFlat) return std::make_unique<FlatIndex>(dim, metric());
    return std::make_unique<Hnsw>(dim, metric());
  }
  static std::unique_ptr<Index> filled(const Matrix<float>& vectors) {
    auto index = make(vectors.cols());
    index->add(ids_from(100, vectors.rows()), vectors);
    return index;
  }
};
INSTANTIATE_TEST_SUITE_P(Index, EveryBinaryIndex,
                         ::testing::Combine(::testing::Values(Kind::kFlat, Kind::kHnsw),
                                            ::testing::Values(Metric::kHamming, Metric::kJaccard)),
                         [](const auto& info) {
                           return (std::get<0>(info.param) == Kind::kFlat ? "flat_" : "hnsw_") +
                                  std::string(metric_name(std::get<1>(info.param)));
                         });

TEST_P(EveryBinaryIndex, FindsWhatTheDefinitionFinds) {
  for (size_t dim : {1, 9, 64, 600}) {
    for (size_t n : {1, 2, 30, 3000}) {
      SCOPED_TRACE(fmt::format("{} items of {} bits", n, dim));
      const Matrix<float> vectors = random_bits(n, dim, n), queries = random_bits(10, dim, 99);
      const auto index = filled(vectors);
      const Items items = items_of(vectors, 100);
      for (size_t q = 0; q < queries.rows(); ++q) {
        expect_nearest(index->search(queries.row(q), {.k = 5, .effort = 200}),
                       naive(items, queries.row(q), 5, metric()), items, queries.row(q), metric());
      }
      EXPECT_THAT(index->search(queries.row(0), {.k = 100'000}), SizeIs(n));
    }
  }
}

TEST_P(EveryBinaryIndex, TakesNoOtherNumbers) {
  const auto index = filled(random_bits(10, 20, 1));
  Matrix<float> bad = random_bits(3, 20, 2);
  bad(2, 7) = 0.5f;
  EXPECT_THAT(message([&] { index->add(ids_from(500, 3), bad); }),
              HasSubstr("vector 2: column 7 is 0.5: hamming and jaccard"));
  EXPECT_THAT(message([&] { index->update(ids_from(100, 3), bad); }),
              HasSubstr("vector 2: column 7"));
  EXPECT_THAT(message([&] { index->search(bad.row(2), {}); }), HasSubstr("query 0: column 7"));
  bad(2, 7) = std::nanf("");
  EXPECT_THAT(message([&] { index->search(bad.row(2), {}); }), HasSubstr("query 0: column 7"));
  EXPECT_EQ(index->size(), 10u);
  EXPECT_THAT(make(20)->search(bad.row(0), {}), IsEmpty());
}

TEST_P(EveryBinaryIndex, FollowsAddRemoveAndUpdate) {
  const Matrix<float> pool = random_bits(3000, 80, 3), queries = random_bits(10, 80, 4);
  const auto index = make(80);
  Items items;
  Rng rng(5);
  for (size_t step = 0; step < 3000; step += 100) {
    index->add(ids_from(step, 100), pool.view().slice(step, 100));
    for (size_t i = step; i < step + 100; ++i) {
      items[i] = {pool.row(i).begin(), pool.row(i).end()};
    }
    for (size_t i = 0; i < 30; ++i) {
      const auto victim = std::next(items.begin(), static_cast<ptrdiff_t>(rng.below(items.size())));
      ASSERT_TRUE(index->remove(victim->first));
      items.erase(victim);
    }
    const auto changed = std::next(items.begin(), static_cast<ptrdiff_t>(rng.below(items.size())));
    const size_t row = rng.below(3000);
    index->update({&changed->first, 1}, pool.view().slice(row, 1));
    changed->second = {pool.row(row).begin(), pool.row(row).end()};
  }
  ASSERT_EQ(index->size(), items.size());
  if (auto* const graph = dynamic_cast<Hnsw*>(index.get())) graph->compact();
  for (size_t q = 0; q < queries.rows(); ++q) {
    expect_nearest(index->search(queries.row(q), {.k = 8, .effort = 150}),
                   naive(items, queries.row(q), 8, metric()), items, queries.row(q), metric());
  }
}

TEST_P(EveryBinaryIndex, ReturnsOnlyWhatTheFilterAccepts) {
  const Matrix<float> vectors = random_bits(3000, 100, 6), queries = random_bits(10, 100, 7);
  const auto index = filled(vectors);
  const Items items = items_of(vectors, 100);
  for (size_t modulus : {2, 10, 500}) {
    const EveryNth filter(modulus);
    for (size_t q = 0; q < queries.rows(); ++q) {
      const auto hits = index->search(queries.row(q), {.k = 5, .effort = 200, .filter = &filter});
      expect_nearest(hits, naive(items, queries.row(q), 5, metric(), &filter), items,
                     queries.row(q), metric());
      for (const Hit& hit : hits) EXPECT_TRUE(filter.accepts(hit.id));
    }
  }
}

TEST_P(EveryBinaryIndex, HoldsManyIdenticalVectorsAndEmptySets) {
  Matrix<float> vectors(3000, 70);  // most are empty
  for (size_t i = 0; i < 3000; i += 300) vectors(i, 69) = 1;
  const auto index = filled(vectors);
  const std::vector<float> empty(70);
  const auto hits = index->search(empty, {.k = 2990});
  ASSERT_THAT(hits, SizeIs(2990));
  for (const Hit& hit : hits) EXPECT_EQ(hit.distance, 0.0f);
  EXPECT_EQ(index->search(empty, {.k = 2991}).back().distance, 1.0f);  // in both metrics
  EXPECT_EQ(index->search(vectors.row(300), {.k = 10}).back().distance, 0.0f);
}

TEST_P(EveryBinaryIndex, FindsAllWithinARadius) {
  const Matrix<float> vectors = random_bits(2000, 60, 8), queries = random_bits(5, 60, 9);
  const auto index = filled(vectors);
  const Items items = items_of(vectors, 100);
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (float radius : {0.0f, metric() == Metric::kHamming ? 12.0f : 0.4f}) {
      std::vector<Hit> expected = naive(items, queries.row(q), 2000, metric());
      std::erase_if(expected, [&](const Hit& hit) { return hit.distance > radius; });
      EXPECT_EQ(search_range(*index, queries.row(q), radius, {.k = 20, .effort = 200}), expected);
    }
  }
}

TEST_P(EveryBinaryIndex, OpensWhatItSavedAndGoesOn) {
  const Matrix<float> vectors = random_bits(2500, 90, 10), query = random_bits(1, 90, 11);
  const auto index = filled(vectors);
  for (ItemId id = 100; id < 130; ++id) index->remove(id);
  const TempFile file;
  index->save(file.path());
  const auto opened = open_index(file.path());
  EXPECT_EQ(opened->metric(), metric());
  EXPECT_EQ(opened->size(), 2470u);
  for (Index* each : {index.get(), opened.get()}) {
    EXPECT_TRUE(each->remove(300));
    each->add(ids_from(9000, 80), random_bits(80, 90, 12));
  }
  EXPECT_EQ(opened->search(query.row(0), {}), index->search(query.row(0), {}));
  const TempFile one, two;
  index->save(one.path());
  opened->save(two.path());
  EXPECT_EQ(read_file(one.path()), read_file(two.path()));
  // 64 bytes a row, and nothing else of the vectors.
  const double graph = std::get<0>(GetParam()) == Kind::kFlat ? 0 : 8.4 * 16 + 18 + 12;
  EXPECT_LT(static_cast<double>(std::filesystem::file_size(one.path())),
            2600.0 * (64 + 9 + graph) + 30'000);
}

TEST_P(EveryBinaryIndex, RefusesTruncatedAndDamagedFiles) {
  const auto index = filled(random_bits(40, 30, 13));
  const TempFile file;
  index->save(file.path());
  const std::string bytes = read_file(file.path());
  for (size_t length = 0; length < bytes.size(); length += 397) {
    write_file(file.path(), bytes.substr(0, length));
    EXPECT_THROW(open_index(file.path()), Error) << length;
  }
  for (size_t at = 0; at < bytes.size(); at += 131) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write_file(file.path(), damaged);
    try {
      open_index(file.path());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
}

TEST(BinaryHnsw, HasTheSameBytesForEveryNumberOfThreads) {
  const Matrix<float> vectors = random_bits(3000, 100, 14);
  std::string one;
  for (size_t threads : {1, 2, 8}) {
    ThreadLimit limit(threads);
    Hnsw index(100, Metric::kJaccard);
    index.add(ids_from(0, 3000), vectors);
    const TempFile file;
    index.save(file.path());
    if (one.empty()) one = read_file(file.path());
    EXPECT_TRUE(read_file(file.path()) == one) << threads;
  }
}

TEST(BinaryHnsw, WalksToTheNearestWithoutReadingAll) {
  for (Metric metric : {Metric::kHamming, Metric::kJaccard}) {
    SCOPED_TRACE(metric_name(metric));
    const Matrix<float> vectors = random_bits(8000, 256, 15), queries = random_bits(100, 256, 16);
    const Neighbors truth = exact_knn(queries, vectors, 10, metric);
    const Neighbors known = exact_knn_graph(vectors, 20, metric);
    Hnsw added(256, metric);
    added.add(ids_from(0, vectors.rows()), vectors);
    const Hnsw built = Hnsw::build(ids_from(0, vectors.rows()), vectors, known, metric);
    for (const Hnsw* index : std::initializer_list<const Hnsw*>{&added, &built}) {
      SearchStats stats;
      size_t found = 0;
      for (size_t q = 0; q < queries.rows(); ++q) {
        for (const Hit& hit :
             index->search(queries.row(q), {.k = 10, .effort = 100, .stats = &stats})) {
          found += hit.distance <= truth.distances(q, 9);
        }
      }
      EXPECT_GT(static_cast<double>(found) / 1000, 0.95);
      EXPECT_LT(stats.n_distances / queries.rows(), vectors.rows() / 4);
    }
  }
}

TEST(BinaryHnsw, KeepsBitsAndNothingElse) {
  const Hnsw index(10, Metric::kHamming);
  EXPECT_EQ(index.options().storage, (VectorStorage{.exact = RowFormat::kBits, .codes = {}}));
  const auto with = [](VectorStorage storage, Metric metric) {
    return message([&] { Hnsw(10, metric, {.storage = storage}); });
  };
  EXPECT_EQ(with({RowFormat::kBits, {}}, Metric::kHamming), "no error");
  EXPECT_THAT(with({RowFormat::kBits, RowFormat::kInt8}, Metric::kHamming),
              HasSubstr("the metric hamming compares bits, which are exact and smaller than any"));
  EXPECT_THAT(with({{}, RowFormat::kInt8}, Metric::kJaccard), HasSubstr("the metric jaccard"));
  EXPECT_THAT(with({RowFormat::kBf16, {}}, Metric::kJaccard), HasSubstr("the metric jaccard"));
  EXPECT_THAT(with({RowFormat::kBits, {}}, Metric::kCosine),
              HasSubstr("bits are for hamming and jaccard"));
}

}  // namespace
}  // namespace carya
