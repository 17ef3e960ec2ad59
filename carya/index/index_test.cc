#include "carya/index/index.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <numeric>
#include <thread>

#include "carya/core/rng.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/spann.h"
#include "carya/index/test_data.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

enum class Kind { kFlat, kHnsw, kSpann };
std::string kind_name(Kind kind) {
  return kind == Kind::kFlat ? "flat" : kind == Kind::kHnsw ? "hnsw" : "spann";
}

// What every Index must do, whatever its structure.  The data is small enough that a graph finds
// all.
class EveryIndex : public ::testing::TestWithParam<std::tuple<Kind, Metric>> {
 protected:
  static Metric metric() { return std::get<1>(GetParam()); }
  static std::unique_ptr<Index> make(size_t dim) {
    if (std::get<0>(GetParam()) == Kind::kFlat) return std::make_unique<FlatIndex>(dim, metric());
    if (std::get<0>(GetParam()) == Kind::kSpann) return std::make_unique<Spann>(dim, metric());
    return std::make_unique<Hnsw>(dim, metric());
  }
  static std::unique_ptr<Index> filled(const Matrix<float>& vectors) {
    if (std::get<0>(GetParam()) == Kind::kSpann) {
      const TempFile file;  // an open index needs its name no more
      return std::make_unique<Spann>(
          Spann::build(file.path(), ids_from(100, vectors.rows()), vectors, metric()));
    }
    auto index = make(vectors.cols());
    index->add(ids_from(100, vectors.rows()), vectors);
    return index;
  }
};
INSTANTIATE_TEST_SUITE_P(
    Index, EveryIndex,
    ::testing::Combine(::testing::Values(Kind::kFlat, Kind::kHnsw, Kind::kSpann),
                       ::testing::Values(Metric::kSquaredL2, Metric::kInnerProduct,
                                         Metric::kCosine)),
    [](const auto& info) {
      return kind_name(std::get<0>(info.param)) + "_" +
             std::string(metric_name(std::get<1>(info.param)));
    });

TEST_P(EveryIndex, FindsWhatTheDefinitionFinds) {
  for (size_t n : {1, 2, 5, 300}) {
    const Matrix<float> vectors = random_points(n, 7, n), queries = random_points(20, 7, 99);
    const auto index = filled(vectors);
    for (size_t q = 0; q < queries.rows(); ++q) {
      const std::vector<Hit> expected = naive_search(vectors, 100, queries.row(q), 5, metric());
      const std::vector<Hit> hits = index->search(queries.row(q), {.k = 5, .effort = 300});
      ASSERT_EQ(ids_of(hits), ids_of(expected));
      for (size_t i = 0; i < hits.size(); ++i) {
        EXPECT_NEAR(hits[i].distance, expected[i].distance, 1e-4);  // of values around 10, in float
      }
    }
  }
}

TEST_P(EveryIndex, AnswersWithAllItemsWhenKIsLarger) {
  const auto index = filled(random_points(50, 4, 1));
  EXPECT_THAT(index->search(random_points(1, 4, 2).row(0), {.k = 1'000'000}), SizeIs(50));
}

TEST_P(EveryIndex, AnswersWithNothingWhileItIsEmpty) {
  const auto index = make(3);
  EXPECT_EQ(index->size(), 0u);
  EXPECT_THAT(index->search(random_points(1, 3, 1).row(0), {}), IsEmpty());
  EXPECT_FALSE(index->remove(7));
  index->add({}, MatrixView<const float>());
  EXPECT_EQ(index->size(), 0u);
}

TEST_P(EveryIndex, RefusesBadInputByNameAndChangesNothing) {
  const auto index = filled(random_points(10, 4, 1));
  const Matrix<float> good = random_points(2, 4, 2), wide = random_points(2, 5, 2);
  Matrix<float> bad = random_points(2, 4, 2);
  bad(1, 3) = std::nanf("");
  const std::vector<ItemId> fresh = {500, 501}, known = {500, 103}, twice = {7, 7};
  EXPECT_THAT(message([&] { index->add(fresh, wide); }),
              HasSubstr("the vectors have 5 dims, the index 4"));
  EXPECT_THAT(message([&] { index->add(fresh, bad); }), HasSubstr("vector 1: column 3"));
  EXPECT_THAT(message([&] { index->add(known, good); }),
              HasSubstr("id 103 is in the index already"));
  EXPECT_THAT(message([&] { index->add(twice, good); }), HasSubstr("id 7 comes twice"));
  EXPECT_THAT(message([&] { index->add(std::span(fresh).first(1), good); }),
              HasSubstr("1 ids came with 2 vectors"));
  EXPECT_EQ(index->size(), 10u);
  EXPECT_THAT(message([&] { index->search(good.row(0), {.k = 0}); }), HasSubstr("k is 0"));
  EXPECT_THAT(message([&] { index->search(wide.row(0), {}); }),
              HasSubstr("the query has 5 dims, the index 4"));
  EXPECT_THAT(message([&] { index->search(bad.row(1), {}); }), HasSubstr("query 0: column 3"));
  EXPECT_THAT(message([] { FlatIndex(0, Metric::kCosine); }), HasSubstr("dim must be at least 1"));
}

TEST_P(EveryIndex, ForgetsRemovedItemsAndTakesTheirIdsAgain) {
  const Matrix<float> vectors = random_points(400, 6, 3), queries = random_points(10, 6, 4);
  const auto index = filled(vectors);
  for (ItemId id = 100; id < 400; ++id) ASSERT_TRUE(index->remove(id));
  EXPECT_FALSE(index->remove(100));
  EXPECT_EQ(index->size(), 100u);
  const Matrix<float> rest = Matrix<float>::copy(vectors.view().slice(300, 100));
  for (size_t q = 0; q < queries.rows(); ++q) {
    EXPECT_EQ(ids_of(index->search(queries.row(q), {.k = 5, .effort = 200})),
              ids_of(naive_search(rest, 400, queries.row(q), 5, metric())));
  }
  for (ItemId id = 400; id < 500; ++id) ASSERT_TRUE(index->remove(id));
  EXPECT_THAT(index->search(queries.row(0), {}), IsEmpty());
  index->add(ids_from(100, 400), vectors);
  for (size_t q = 0; q < queries.rows(); ++q) {
    EXPECT_EQ(ids_of(index->search(queries.row(q), {.k = 5, .effort = 400})),
              ids_of(naive_search(vectors, 100, queries.row(q), 5, metric())));
  }
}

TEST_P(EveryIndex, SurvivesALongMixOfAddAndRemove) {
  const Matrix<float> pool = random_points(1500, 5, 5);
  const auto index = make(5);
  std::vector<ItemId> present;
  Rng rng(6);
  for (size_t step = 0; step < 1500; ++step) {
    index->add(ids_from(step, 1), pool.view().slice(step, 1));
    present.push_back(step);
    while (present.size() > 200) {
      const size_t victim = rng.below(present.size());
      ASSERT_TRUE(index->remove(present[victim]));
      present.erase(present.begin() + static_cast<ptrdiff_t>(victim));
    }
  }
  ASSERT_EQ(index->size(), present.size());
  const auto hits = index->search(pool.row(0), {.k = 200});
  EXPECT_THAT(ids_of(hits), ::testing::UnorderedElementsAreArray(present));
}

TEST_P(EveryIndex, ReturnsOnlyWhatTheFilterAccepts) {
  const Matrix<float> vectors = random_points(2000, 6, 7), queries = random_points(10, 6, 8);
  const auto index = filled(vectors);
  for (size_t modulus : {2, 10, 500}) {
    const EveryNth filter(modulus);
    for (size_t q = 0; q < queries.rows(); ++q) {
      std::vector<Hit> expected = naive_search(vectors, 100, queries.row(q), 2000, metric());
      std::erase_if(expected, [&](const Hit& hit) { return !filter.accepts(hit.id); });
      expected.resize(std::min<size_t>(expected.size(), 5));
      const auto hits = index->search(queries.row(q), {.k = 5, .effort = 500, .filter = &filter});
      EXPECT_EQ(ids_of(hits), ids_of(expected)) << modulus;
    }
  }
}

TEST_P(EveryIndex, HoldsManyIdenticalVectors) {
  Matrix<float> vectors(3000, 4);
  std::ranges::fill(vectors.flat(), 0.5f);
  for (size_t i = 0; i < 3000; i += 300) vectors(i, 0) = -1.0f - static_cast<float>(i);
  const auto index = filled(vectors);
  const std::vector<float> query = {0.5f, 0.5f, 0.5f, 0.5f};
  const auto hits = index->search(query, {.k = 7});
  ASSERT_THAT(hits, SizeIs(7));
  for (const Hit& hit : hits) EXPECT_EQ(hit.distance, hits[0].distance);
  const std::vector<float> other = {-2701.0f, 0.5f, 0.5f, 0.5f};
  EXPECT_EQ((index->search(other, {.k = 1})[0].id - 100) % 300, 0u);
  for (ItemId id = 101; id < 3100; ++id) {
    if ((id - 100) % 300 != 0) {
      ASSERT_TRUE(index->remove(id));
    }
  }
  EXPECT_THAT(index->search(query, {.k = 100}), SizeIs(10));
}

TEST_P(EveryIndex, OpensWhatItSavedAndGoesOn) {
  const Matrix<float> vectors = random_points(500, 9, 9), query = random_points(1, 9, 10);
  const auto index = filled(vectors);
  for (ItemId id = 100; id < 130; ++id) index->remove(id);
  const TempFile file;
  index->save(file.path());
  const auto opened = open_index(file.path());
  EXPECT_EQ(opened->size(), 470u);
  EXPECT_EQ(opened->dim(), 9u);
  EXPECT_EQ(opened->metric(), metric());
  EXPECT_EQ(opened->search(query.row(0), {}), index->search(query.row(0), {}));
  // The same changes to both: they stay equal, and the second save holds the same bytes.
  for (Index* each : {index.get(), opened.get()}) {
    EXPECT_TRUE(each->remove(300));
    each->add(ids_from(1000, 80), random_points(80, 9, 11));
  }
  EXPECT_EQ(opened->search(query.row(0), {}), index->search(query.row(0), {}));
  const TempFile one, two;
  index->save(one.path());
  opened->save(two.path());
  EXPECT_EQ(read_file(one.path()), read_file(two.path()));
}

TEST_P(EveryIndex, IsSearchedFromManyThreads) {
  const Matrix<float> vectors = random_points(1000, 8, 12);
  const auto index = filled(vectors);
  std::vector<std::thread> threads;
  std::vector<std::vector<std::vector<Hit>>> hits(4);
  for (size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 50; ++i) hits[t].push_back(index->search(vectors.row(i), {.k = 3}));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t t = 1; t < 4; ++t) EXPECT_EQ(hits[t], hits[0]);
}

TEST_P(EveryIndex, RefusesTruncatedAndDamagedFiles) {
  const auto index = filled(random_points(40, 3, 13));
  const TempFile file;
  index->save(file.path());
  const std::string bytes = read_file(file.path());
  const auto write = [&](const std::string& content) {  // write_file() would wait for the disk
    std::ofstream(file.path(), std::ios::binary) << content;
  };
  for (size_t length = 0; length < bytes.size(); length += 97) {
    write(bytes.substr(0, length));
    EXPECT_THROW(open_index(file.path()), Error) << length;
  }
  for (size_t at = 0; at < bytes.size(); at += 61) {
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    write(damaged);
    try {
      open_index(file.path());  // a flipped byte of padding harms nothing
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
  EXPECT_THROW(open_index("/nowhere/index.bin"), Error);
}

TEST(FlatIndex, OrdersEqualDistancesById) {
  FlatIndex index(2, Metric::kSquaredL2);
  Matrix<float> same(100, 2);
  std::vector<ItemId> ids(100);
  for (size_t i = 0; i < 100; ++i) ids[i] = 1000 - 7 * i;
  index.add(ids, same);
  const std::vector<float> query = {1, 1};
  EXPECT_THAT(ids_of(index.search(query, {.k = 3})), ElementsAre(307, 314, 321));
}

}  // namespace
}  // namespace carya
