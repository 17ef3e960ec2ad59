#include "carya/index/query.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/spann.h"
#include "carya/index/test_data.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

TEST(SearchRange, FindsAllWithinTheRadiusAndNoOthers) {
  const Matrix<float> vectors = random_points(2000, 4, 1), queries = random_points(10, 4, 2);
  FlatIndex flat(4, Metric::kSquaredL2);
  flat.add(ids_from(0, 2000), vectors);
  Hnsw graph(4, Metric::kSquaredL2);
  graph.add(ids_from(0, 2000), vectors);
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (float radius : {0.0f, 0.1f, 1.0f, 3.0f, 100.0f}) {
      std::vector<Hit> expected =
          naive_search(vectors, 0, queries.row(q), 2000, Metric::kSquaredL2);
      std::erase_if(expected, [&](const Hit& hit) { return hit.distance > radius; });
      EXPECT_EQ(ids_of(search_range(flat, queries.row(q), radius)), ids_of(expected)) << radius;
      const auto found = search_range(graph, queries.row(q), radius, {.k = 20, .effort = 200});
      EXPECT_EQ(ids_of(found), ids_of(expected)) << radius;
    }
  }
}

TEST(SearchRange, TakesFiltersAndNegativeDistances) {
  const Matrix<float> vectors = random_points(300, 4, 3);
  FlatIndex index(4, Metric::kInnerProduct);
  index.add(ids_from(0, 300), vectors);
  const EveryNth filter(3);
  const auto hits = search_range(index, vectors.row(0), -1.0f, {.k = 1, .filter = &filter});
  std::vector<Hit> expected = naive_search(vectors, 0, vectors.row(0), 300, Metric::kInnerProduct);
  std::erase_if(expected, [](const Hit& hit) { return hit.distance > -1.0f || hit.id % 3 != 0; });
  EXPECT_EQ(ids_of(hits), ids_of(expected));
  EXPECT_THAT(search_range(FlatIndex(4, Metric::kCosine), vectors.row(0), 2.0f), IsEmpty());
  EXPECT_THAT(message([&] { search_range(index, vectors.row(0), NAN); }), HasSubstr("radius"));
}

TEST(SearchRange, ABatchAnswersAsSingleOnesDo) {
  const Matrix<float> vectors = random_points(500, 4, 6), queries = random_points(30, 4, 7);
  FlatIndex index(4, Metric::kSquaredL2);
  index.add(ids_from(0, 500), vectors);
  SearchStats stats;
  const auto hits = search_range_batch(index, queries, 1.5f, {.stats = &stats});
  ASSERT_THAT(hits, SizeIs(30));
  for (size_t q = 0; q < 30; ++q) EXPECT_EQ(hits[q], search_range(index, queries.row(q), 1.5f));
  EXPECT_GE(stats.n_distances, 30u * 500);
}

TEST(SearchBatch, AddsUpAllStatistics) {
  const Matrix<float> vectors = random_points(2000, 8, 8);
  const std::vector<ItemId> ids = ids_from(0, 2000);
  const TempFile file;
  const Spann index = Spann::build(file.path(), ids, vectors, Metric::kSquaredL2);
  SearchStats all, each;
  const auto queries = vectors.view().slice(0, 20);
  search_batch(index, queries, {.k = 5, .effort = 8, .stats = &all});
  for (size_t q = 0; q < 20; ++q) {
    index.search(queries.row(q), {.k = 5, .effort = 8, .stats = &each});
  }
  EXPECT_GT(all.n_bytes, 0u);
  EXPECT_EQ(all.n_bytes, each.n_bytes);
  EXPECT_EQ(all.n_distances, each.n_distances);
  EXPECT_EQ(all.n_hops, each.n_hops);
}

TEST(SearchBatch, AnswersAsSingleSearchesDo) {
  const Matrix<float> vectors = random_points(3000, 8, 4), queries = random_points(100, 8, 5);
  Hnsw index(8, Metric::kCosine);
  index.add(ids_from(0, 3000), vectors);
  SearchStats all, each;
  const auto hits = search_batch(index, queries, {.k = 5, .effort = 20, .stats = &all});
  ASSERT_THAT(hits, SizeIs(100));
  for (size_t q = 0; q < 100; ++q) {
    EXPECT_EQ(hits[q], index.search(queries.row(q), {.k = 5, .effort = 20, .stats = &each}));
  }
  EXPECT_EQ(all.n_distances, each.n_distances);
  EXPECT_THAT(search_batch(index, {}), IsEmpty());
  EXPECT_THAT(message([&] { search_batch(index, random_points(2, 7, 6)); }), HasSubstr("7 dims"));
}

}  // namespace
}  // namespace carya
