#include "carya/index/spann.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <map>
#include <set>

#include "carya/core/parallel.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

double recall(const Spann& index, const Matrix<float>& points, const Matrix<float>& queries,
              const SearchOptions& options) {
  const Neighbors truth = exact_knn(queries, points, options.k, index.metric());
  size_t found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (const Hit& hit : index.search(queries.row(q), options)) {
      found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
    }
  }
  return static_cast<double>(found) / static_cast<double>(options.k * queries.rows());
}

Spann built(const Matrix<float>& points, Metric metric, const SpannOptions& options = {}) {
  const TempFile file;  // an open index needs its name no more
  return Spann::build(file.path(), ids_from(0, points.rows()), points, metric, options);
}

class StopsAtOnce : public Progress {
 public:
  void begin(std::string_view, size_t, std::string_view) override {}
  void advance(size_t) override {}
  bool stop_requested() const override { return true; }
};

TEST(Spann, AllListsAreExactWhateverTheMetric) {
  const Matrix<float> points = random_points(1500, 9, 1), queries = random_points(20, 9, 2);
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    for (RowFormat format : {RowFormat::kF32, RowFormat::kInt8}) {
      const Spann index = built(points, metric, {.format = format});
      for (size_t q = 0; q < queries.rows(); ++q) {
        const auto expected = naive_search(points, 0, queries.row(q), 10, metric);
        const auto hits = index.search(queries.row(q), {.k = 10, .effort = 9999, .exact = points});
        ASSERT_EQ(ids_of(hits), ids_of(expected)) << metric_name(metric);
        for (size_t i = 0; i < 10; ++i) EXPECT_NEAR(hits[i].distance, expected[i].distance, 1e-4);
      }
    }
  }
}

TEST(Spann, MoreListsFindMoreAndFewFindMost) {
  const Matrix<float> points = random_points(6000, 12, 3), queries = random_points(100, 12, 4);
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    const Spann index = built(points, metric);
    const double one = recall(index, points, queries, {.k = 10, .effort = 1});
    const double few = recall(index, points, queries, {.k = 10, .effort = 16});
    const double more = recall(index, points, queries, {.k = 10, .effort = 64});
    EXPECT_LT(one, few) << metric_name(metric);
    EXPECT_LE(few, more + 0.01);
    EXPECT_GT(few, 0.75);
    EXPECT_GT(more, 0.95);
  }
}

TEST(Spann, CopiesAtTheBordersAreWorthTheirReads) {
  const Matrix<float> points = random_points(6000, 12, 5), queries = random_points(200, 12, 6);
  const Spann many = built(points, Metric::kSquaredL2);
  const Spann one = built(points, Metric::kSquaredL2, {.closure = {.n_copies = 1}});
  EXPECT_EQ(std::accumulate(one.list_sizes().begin(), one.list_sizes().end(), size_t{0}), 6000u);
  EXPECT_GT(recall(many, points, queries, {.k = 10, .effort = 8}),
            recall(one, points, queries, {.k = 10, .effort = 8}) + 0.2);
}

TEST(Spann, CodesFindNearlyWhatFloatsFindAndExactVectorsTheRest) {
  const Matrix<float> points = random_points(4000, 40, 7), queries = random_points(100, 40, 8);
  const Spann floats = built(points, Metric::kSquaredL2);
  const Spann codes = built(points, Metric::kSquaredL2, {.format = RowFormat::kInt8});
  const SearchOptions options{.k = 10, .effort = 40},
      with_exact{.k = 10, .effort = 40, .exact = points};
  const double exact = recall(floats, points, queries, options);
  EXPECT_GT(recall(codes, points, queries, options), exact - 0.05);
  EXPECT_NEAR(recall(codes, points, queries, with_exact), exact, 0.005);
  EXPECT_LT(codes.posting_bytes(), floats.posting_bytes());
  const auto hits = codes.search(points.row(5), {.k = 3, .exact = points.view().slice(0, 3)});
  EXPECT_EQ(hits.back().distance, std::numeric_limits<float>::infinity());  // not among the exact
}

TEST(Spann, CodesGiveDistancesInTheUnitOfTheMetric) {
  const Matrix<float> points = random_points(2000, 24, 31), queries = random_points(10, 24, 32);
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    const Spann index = built(points, metric, {.format = RowFormat::kInt8});
    for (size_t q = 0; q < queries.rows(); ++q) {
      const Hit hit = index.search(queries.row(q), {.k = 1, .effort = 9999})[0];
      const auto exact = naive_search(points, 0, queries.row(q), 2000, metric);
      const auto same = std::ranges::find(exact, hit.id, &Hit::id);
      // Steps of about 8 / 128 in each of 24 dims, where distances are around 10.
      EXPECT_NEAR(hit.distance, same->distance, 0.05 * (1 + std::abs(same->distance)));
    }
  }
}

TEST(Spann, ReadsMoreListsWhereFewItemsAreAcceptedOrLeft) {
  const Matrix<float> points = random_points(2000, 6, 33), queries = random_points(10, 6, 34);
  Spann index = built(points, Metric::kSquaredL2);
  const EveryNth filter(500);  // 4 items
  for (size_t q = 0; q < queries.rows(); ++q) {
    EXPECT_THAT(index.search(queries.row(q), {.k = 4, .effort = 1, .filter = &filter}), SizeIs(4));
    EXPECT_THAT(index.search(queries.row(q), {.k = 9, .effort = 1, .filter = &filter}), SizeIs(4));
    EXPECT_THAT(index.search(queries.row(q), {.k = 300, .effort = 1}), SizeIs(300));
  }
  for (ItemId id = 0; id < 1990; ++id) index.remove(id);
  EXPECT_THAT(index.search(queries.row(0), {.k = 10, .effort = 1}), SizeIs(10));
}

TEST(Spann, ListsHoldNearPointsEvenWhereQueriesAskByProducts) {
  Matrix<float> points = random_points(1500, 6, 35);
  for (size_t i = 0; i < 1500; ++i) {  // of all lengths: the longest have large products with all
    for (float& x : points.row(i)) x *= static_cast<float>(1 + i % 10);
  }
  const Spann index = built(points, Metric::kInnerProduct);
  const IndexedRows rows{points, Metric::kInnerProduct};
  const Matrix<float> heads =
      rows.gather(balanced_heads(rows, {.n_heads = index.list_sizes().size()}));
  Hnsw graph(6, Metric::kSquaredL2, SpannOptions{}.heads);
  graph.add(ids_from(0, heads.rows()), heads);
  const PostingLayout layout{row_bytes(RowFormat::kF32, 6)};
  const size_t capacity = layout.capacity(layout.pages(SpannOptions::kListVectors));
  EXPECT_THAT(index.list_sizes(),
              ::testing::ElementsAreArray(closure(rows, heads, graph, capacity, {}).sizes()));
}

TEST(Spann, CountsWhatItReads) {
  const Matrix<float> points = random_points(2000, 8, 9);
  const Spann index = built(points, Metric::kSquaredL2);
  SearchStats few, all;
  index.search(points.row(1), {.effort = 5, .stats = &few});
  index.search(points.row(1), {.effort = 9999, .stats = &all});
  EXPECT_EQ(all.n_bytes, index.posting_bytes());
  const auto sizes = index.list_sizes();
  EXPECT_EQ(all.n_distances, std::accumulate(sizes.begin(), sizes.end(), size_t{0}));
  EXPECT_EQ(few.n_bytes % kPageBytes, 0u);
  EXPECT_GT(few.n_bytes, 0u);
  EXPECT_LE(few.n_bytes, 5 * *std::ranges::max_element(sizes) * 100 + 5 * kPageBytes);
  EXPECT_LT(few.n_distances, all.n_distances);
}

TEST(Spann, PruningLeavesFarListsClosedButNeverAHeadAlone) {
  Matrix<float> points = random_points(2000, 4, 10);
  for (size_t i = 0; i < 2000; ++i) points(i, 0) += static_cast<float>(100 * (i % 50));
  const Spann strict = built(points, Metric::kSquaredL2, {.pruning = 0}),
              loose = built(points, Metric::kSquaredL2, {.pruning = 1e9});
  SearchStats pruned, read;
  for (size_t i = 0; i < 100; ++i) {
    strict.search(points.row(i), {.k = 1, .effort = 40, .stats = &pruned});
    loose.search(points.row(i), {.k = 1, .effort = 40, .stats = &read});
  }
  EXPECT_LT(4 * pruned.n_bytes, read.n_bytes);
  // A query that is a head has it at distance 0, which no factor makes larger.
  const Spann index = built(points, Metric::kSquaredL2);
  const auto heads = balanced_heads({points}, {.n_heads = index.list_sizes().size()});
  const Matrix<float> queries = IndexedRows{points}.gather(heads);
  SearchStats stats;
  for (size_t q = 0; q < queries.rows(); ++q) {
    index.search(queries.row(q), {.k = 1, .effort = 40, .stats = &stats});
  }
  EXPECT_GT(stats.n_bytes, 2 * kPageBytes * queries.rows());
}

TEST(Spann, FollowsChangesAndKeepsThemInItsFile) {
  const Matrix<float> old = random_points(900, 6, 11), fresh = random_points(300, 6, 12);
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    Spann index = built(old, metric);
    Matrix<float> now = old.copy();
    for (ItemId id = 0; id < 100; ++id) ASSERT_TRUE(index.remove(id));
    EXPECT_FALSE(index.remove(5));
    index.add(ids_from(0, 100), fresh.view().slice(0, 100));  // the same ids again
    index.update(ids_from(50, 200), fresh.view().slice(100, 200));
    std::ranges::copy(fresh.view().slice(0, 50).row(0), now.row_data(0));
    for (size_t i = 0; i < 50; ++i) std::ranges::copy(fresh.row(i), now.row_data(i));
    for (size_t i = 0; i < 200; ++i) std::ranges::copy(fresh.row(100 + i), now.row_data(50 + i));
    EXPECT_EQ(index.size(), 900u);
    const TempFile file;
    index.save(file.path());
    const Spann opened = Spann::open(file.path());
    EXPECT_EQ(opened.size(), 900u);
    const Matrix<float> queries = random_points(20, 6, 13);
    for (const Spann* each : {&std::as_const(index), &opened}) {
      for (size_t q = 0; q < queries.rows(); ++q) {
        ASSERT_EQ(ids_of(each->search(queries.row(q), {.k = 10, .effort = 9999})),
                  ids_of(naive_search(now, 0, queries.row(q), 10, metric)));
      }
    }
    EXPECT_THAT(message([&] { index.add(ids_from(899, 1), fresh.view().slice(0, 1)); }),
                HasSubstr("id 899 is in the index already"));
    EXPECT_THAT(message([&] { index.update(ids_from(899, 2), fresh.view().slice(0, 2)); }),
                HasSubstr("id 900 is not in the index"));
    EXPECT_EQ(index.size(), 900u);
    for (ItemId id = 0; id < 900; ++id) ASSERT_TRUE(index.remove(id));
    EXPECT_THAT(index.search(queries.row(0), {}), IsEmpty());
  }
}

TEST(Spann, TakesIdsInAnyOrderAndOfAnySize) {
  const Matrix<float> points = random_points(400, 5, 14);
  std::vector<ItemId> ids(400);
  for (size_t i = 0; i < 400; ++i) ids[i] = ~uint64_t{0} - (i * 7919) % 400 * 1'000'000'007;
  const TempFile file;
  Spann index = Spann::build(file.path(), ids, points, Metric::kSquaredL2);
  for (size_t i = 0; i < 400; ++i) {
    ASSERT_EQ(index.search(points.row(i), {.k = 1})[0], (Hit{ids[i], 0.0f}));
  }
  EXPECT_TRUE(index.remove(ids[17]));
  EXPECT_NE(index.search(points.row(17), {.k = 1})[0].id, ids[17]);
}

TEST(Spann, HoldsNothingOneOrEqualItems) {
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    const Spann none = built(Matrix<float>(0, 3), metric);
    EXPECT_EQ(none.size(), 0u);
    EXPECT_THAT(none.search(random_points(1, 3, 1).row(0), {}), IsEmpty());
    for (RowFormat format : {RowFormat::kF32, RowFormat::kInt8}) {
      const Spann one = built(random_points(1, 3, 2), metric, {.format = format});
      EXPECT_THAT(one.search(random_points(1, 3, 1).row(0), {.k = 5}), SizeIs(1));
      // Zeros, and more of them than a list may hold.
      const Spann equal =
          built(Matrix<float>(2000, 3), metric, {.list_pages = 1, .format = format});
      EXPECT_THAT(equal.search(random_points(1, 3, 1).row(0), {.k = 5000}), SizeIs(2000));
    }
  }
}

TEST(Spann, HasTheSameBytesForEveryNumberOfThreads) {
  Matrix<float> points = random_points(5000, 10, 15);
  for (size_t i = 0; i < 500; ++i) std::ranges::copy(points.row(3), points.row_data(9 * i));
  std::string one;
  for (size_t threads : {1, 2, 8}) {
    const ThreadLimit limit(threads);
    const TempFile file;
    Spann::build(file.path(), ids_from(0, 5000), points, Metric::kCosine,
                 {.format = RowFormat::kInt8, .seed = 3});
    if (one.empty()) one = read_file(file.path());
    EXPECT_TRUE(read_file(file.path()) == one) << threads;
  }
}

TEST(Spann, AnswersTheSamePastTheSystemsCache) {
  const Matrix<float> points = random_points(1000, 8, 16);
  const TempFile file;
  const Spann index = Spann::build(file.path(), ids_from(0, 1000), points, Metric::kSquaredL2);
  std::optional<Spann> direct;
  try {
    direct = Spann::open(file.path(), PostingCache::kNone);
    direct->search(points.row(0), {});
  } catch (const Error& error) {
    ASSERT_EQ(error.kind(), ErrorKind::kIo);
    GTEST_SKIP() << "this file system has no O_DIRECT";
  }
  for (size_t i = 0; i < 50; ++i) {
    index.forget_lists();
    EXPECT_EQ(direct->search(points.row(i), {}), index.search(points.row(i), {}));
  }
}

TEST(Spann, GoesOnWhileItsFileIsReplaced) {
  const Matrix<float> points = random_points(600, 5, 17), others = random_points(300, 5, 18);
  const TempFile file;
  Spann index = Spann::build(file.path(), ids_from(0, 600), points, Metric::kSquaredL2);
  const Spann other = Spann::build(file.path(), ids_from(0, 300), others, Metric::kSquaredL2);
  EXPECT_EQ(index.search(points.row(500), {.k = 1})[0].id, 500u);
  EXPECT_EQ(other.search(others.row(200), {.k = 1})[0].id, 200u);
  index.remove(500);
  index.save(file.path());  // from the file that has no name any more
  const Spann opened = Spann::open(file.path());
  EXPECT_EQ(opened.size(), 599u);
  EXPECT_EQ(opened.search(points.row(499), {.k = 1})[0].id, 499u);
}

TEST(Spann, NamesADamagedListAndSearchesTheOthers) {
  const Matrix<float> points = random_points(800, 6, 19);
  const TempFile file;
  const size_t lists_at = [&] {
    const Spann index = Spann::build(file.path(), ids_from(0, 800), points, Metric::kSquaredL2);
    return std::filesystem::file_size(file.path()) - index.posting_bytes();
  }();
  std::string bytes = read_file(file.path());
  bytes[lists_at + 70] = static_cast<char>(bytes[lists_at + 70] ^ 1);  // a row of the first list
  write_file(file.path(), bytes);
  const Spann index = Spann::open(file.path());
  EXPECT_THAT(message([&] { index.search(points.row(0), {.effort = 9999}); }),
              HasSubstr("list 0 is damaged (checksum differs): build the index again"));
  size_t n_answered = 0;
  for (size_t i = 0; i < 800; ++i) {
    try {
      n_answered += index.search(points.row(i), {.k = 1, .effort = 2}).size();
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
    }
  }
  EXPECT_GT(n_answered, 600u);
  // Two lists in each other's place have good checksums.
  bytes[lists_at + 70] = static_cast<char>(bytes[lists_at + 70] ^ 1);
  const size_t page = kPageBytes, first = index.list_sizes()[0];
  size_t twin = 1, twin_page = PostingLayout{64}.pages(first);
  for (; index.list_sizes()[twin] != first; ++twin) {
    twin_page += PostingLayout{64}.pages(index.list_sizes()[twin]);
  }
  for (size_t i = 0; i < page * PostingLayout{64}.pages(first); ++i) {
    std::swap(bytes[lists_at + i], bytes[lists_at + twin_page * page + i]);
  }
  write_file(file.path(), bytes);
  EXPECT_THAT(message([&] { Spann::open(file.path()).search(points.row(0), {.effort = 9999}); }),
              HasSubstr("list 0 is not where it should be"));
}

TEST(Spann, RefusesToBuildFromBadInputAndLeavesNoFile) {
  const TempFile file;
  Matrix<float> points = random_points(50, 4, 20);
  const auto build = [&](std::span<const ItemId> ids, const SpannOptions& options = {},
                         Progress* progress = nullptr) {
    Spann::build(file.path(), ids, points, Metric::kSquaredL2, options, progress);
  };
  const auto ids = ids_from(0, 50);
  std::vector<ItemId> twice = ids;
  twice[7] = 8;
  EXPECT_THAT(message([&] { build(twice); }), HasSubstr("id 8 comes twice"));
  EXPECT_THAT(message([&] { build(std::span(ids).first(49)); }),
              HasSubstr("49 ids came with 50 vectors"));
  EXPECT_THAT(message([&] { build(ids, {.head_ratio = 0}); }), HasSubstr("head_ratio is 0"));
  EXPECT_THAT(message([&] { build(ids, {.closure = {.n_copies = 65}}); }),
              HasSubstr("n_copies is 65"));
  EXPECT_THAT(message([&] { build(ids, {.list_pages = 0}); }), HasSubstr("list_pages is 0"));
  EXPECT_THAT(message([&] { build(ids, {.branch = 1}); }), HasSubstr("branch is 1"));
  EXPECT_THAT(message([&] { build(ids, {.pruning = -1}); }), HasSubstr("pruning is -1"));
  StopsAtOnce stop;
  try {
    build(ids, {}, &stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  points(3, 2) = std::nanf("");
  EXPECT_THAT(message([&] { build(ids); }), HasSubstr("vector 3: column 2"));
  EXPECT_FALSE(std::filesystem::exists(file.path()));
  EXPECT_THAT(message([&] { Spann::open(file.path()); }), HasSubstr("cannot open"));
  EXPECT_THAT(
      message([&] { Spann::build("/nowhere/x", ids, random_points(50, 4, 1), Metric::kCosine); }),
      HasSubstr("/nowhere/x"));
}

TEST(Spann, KeepsInMemoryWhatIsNoList) {
  const TempFile file;
  const Matrix<float> points = random_points(3000, 32, 21);
  Spann index = Spann::build(file.path(), ids_from(0, 3000), points, Metric::kSquaredL2);
  EXPECT_EQ(index.memory_bytes() + index.posting_bytes(), std::filesystem::file_size(file.path()));
  const size_t before = index.memory_bytes();
  index.add(ids_from(3000, 10), random_points(10, 32, 22));
  EXPECT_GE(index.memory_bytes(), before + 10 * 32 * 4);
}

}  // namespace
}  // namespace carya
