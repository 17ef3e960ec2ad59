// What a graph is worth after many changes, and while they happen.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <thread>

#include "carya/core/parallel.h"
#include "carya/index/hnsw.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

// The share of the exact 10 nearest that is found; row i of `vectors` has id i.
double recall(const Hnsw& index, const Matrix<float>& vectors, const Matrix<float>& queries,
              size_t effort) {
  const Neighbors truth = exact_knn(queries, vectors, 10);
  size_t found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (const Hit& hit : index.search(queries.row(q), {.k = 10, .effort = effort})) {
      found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
    }
  }
  return static_cast<double>(found) / static_cast<double>(10 * queries.rows());
}

Hnsw built(const Matrix<float>& vectors) {
  Hnsw index(vectors.cols(), Metric::kSquaredL2);
  index.add(ids_from(0, vectors.rows()), vectors);
  return index;
}

// Items that their own vector does not find.
size_t n_lost(const Hnsw& index, const Matrix<float>& vectors) {
  size_t lost = 0;
  for (size_t i = 0; i < vectors.rows(); ++i) {
    const auto hits = index.search(vectors.row(i), {.k = 1, .effort = 40});
    lost += hits.empty() || hits[0].id != i;
  }
  return lost;
}

enum class Churn { kRemoveAndAdd, kUpdate };
class EveryChurn : public ::testing::TestWithParam<Churn> {};
INSTANTIATE_TEST_SUITE_P(Hnsw, EveryChurn, ::testing::Values(Churn::kRemoveAndAdd, Churn::kUpdate));

TEST_P(EveryChurn, OfHalfOfTheItemsLosesNoneAndHardlyAnyRecall) {
  constexpr size_t kItems = 6000, kStep = 100;
  Matrix<float> vectors = random_points(kItems, 12, 1);
  const Matrix<float> fresh = random_points(kItems / 2, 12, 2), queries = random_points(300, 12, 3);
  Hnsw index = built(vectors);
  for (size_t first = 0; first < kItems / 2; first += kStep) {
    std::vector<ItemId> ids;
    for (size_t i = first; i < first + kStep; ++i) {
      ids.push_back(2 * i);
      std::ranges::copy(fresh.row(i), vectors.row_data(2 * i));
    }
    if (GetParam() == Churn::kUpdate) {
      index.update(ids, fresh.view().slice(first, kStep));
    } else {
      for (ItemId id : ids) ASSERT_TRUE(index.remove(id));
      index.add(ids, fresh.view().slice(first, kStep));
    }
  }
  EXPECT_EQ(index.size(), kItems);
  EXPECT_EQ(n_lost(index, vectors), 0u);
  const Hnsw whole = built(vectors);
  for (size_t effort : {20, 60}) {
    EXPECT_GT(recall(index, vectors, queries, effort),
              recall(whole, vectors, queries, effort) - 0.01);
  }
  const double before = recall(index, vectors, queries, 60);
  index.compact();
  EXPECT_EQ(index.size(), kItems);
  EXPECT_EQ(n_lost(index, vectors), 0u);
  EXPECT_GT(recall(index, vectors, queries, 60), before - 0.01);
}

TEST(Hnsw, CompactsWithTheSameAnswersAndGoesOn) {
  Matrix<float> vectors = random_points(3000, 8, 4);
  for (size_t i = 0; i < 50; ++i) std::ranges::copy(vectors.row(7), vectors.row_data(10 * i));
  Hnsw index = built(vectors);
  const Matrix<float> queries = random_points(50, 8, 5);
  std::vector<std::vector<Hit>> before;
  for (size_t q = 0; q < 50; ++q) before.push_back(index.search(queries.row(q), {.effort = 30}));
  index.compact();
  for (size_t q = 0; q < 50; ++q) {
    EXPECT_EQ(index.search(queries.row(q), {.effort = 30}), before[q]);
  }
  for (ItemId id = 0; id < 1000; ++id) ASSERT_TRUE(index.remove(id));
  index.compact();
  EXPECT_EQ(index.size(), 2000u);
  const TempFile file;
  index.save(file.path());
  EXPECT_EQ(Hnsw::open(file.path()).size(), 2000u);
  index.add(ids_from(0, 1000), vectors.view().slice(0, 1000));
  EXPECT_THAT(index.search(queries.row(0), {.k = 3000}), SizeIs(3000));
  Hnsw empty(8, Metric::kCosine);
  empty.compact();
  EXPECT_EQ(empty.size(), 0u);
}

TEST(Hnsw, UpdatesOnlyWhatIsThere) {
  const Matrix<float> vectors = random_points(10, 3, 6);
  Hnsw index = built(vectors);
  EXPECT_THAT(message([&] { index.update(ids_from(5, 6), random_points(6, 3, 7)); }),
              HasSubstr("id 10 is not in the index"));
  const std::vector<ItemId> twice = {1, 1};
  EXPECT_THAT(message([&] { index.update(twice, random_points(2, 3, 7)); }), HasSubstr("twice"));
  EXPECT_EQ(n_lost(index, vectors), 0u);
  index.update(ids_from(0, 10), vectors);  // to what they are
  EXPECT_EQ(n_lost(index, vectors), 0u);
}

TEST(Hnsw, AnswersWhileItIsChanged) {
  constexpr size_t kFixed = 2500, kMoving = 500, kRounds = 12;
  const ThreadLimit one(1);  // the library of threads is not known to the thread sanitizer
  const Matrix<float> fixed = random_points(kFixed, 6, 8);
  Hnsw index = built(fixed);
  std::atomic<bool> done = false;
  std::atomic<size_t> n_searches = 0, n_missed = 0, n_foreign = 0, n_twice = 0;
  std::vector<std::thread> readers;
  for (size_t t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      const EveryNth filter(2);
      for (size_t i = t; !done; i = (i + 7) % kFixed) {
        SearchOptions options{.k = 5, .effort = 60};
        if (i % 5 == 0) options.filter = &filter;
        const auto hits = index.search(fixed.row(i), options);
        const bool wanted = options.filter == nullptr || i % 2 == 0;
        if (wanted) n_missed += hits.empty() || hits[0].id != i || hits[0].distance != 0;
        std::vector<ItemId> ids = ids_of(hits);
        std::ranges::sort(ids);
        n_twice += std::ranges::adjacent_find(ids) != ids.end();
        for (ItemId id : ids) n_foreign += id >= kFixed + kMoving;
        ++n_searches;
      }
    });
  }
  for (size_t round = 0; round < kRounds; ++round) {
    const Matrix<float> moving = random_points(kMoving, 6, 100 + round);
    const std::vector<ItemId> ids = ids_from(kFixed, kMoving);
    if (round % 3 == 0) {
      if (round > 0) {
        for (ItemId id : ids) ASSERT_TRUE(index.remove(id));
      }
      index.add(ids, moving);
    } else {
      index.update(ids, moving);
    }
    if (round == 7) index.compact();
    if (round == 9) {
      const TempFile file;
      index.save(file.path());
    }
  }
  while (n_searches < 200) std::this_thread::yield();
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(n_missed, 0u);
  EXPECT_EQ(n_foreign, 0u);
  EXPECT_EQ(n_twice, 0u);
  EXPECT_EQ(index.size(), kFixed + kMoving);
}

}  // namespace
}  // namespace carya
