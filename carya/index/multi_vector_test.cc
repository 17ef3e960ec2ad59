#include "carya/index/multi_vector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <map>

#include "carya/core/parallel.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/test_data.h"
#include "carya/simd/distance.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A folder that is removed at the end.
class TempFolder {
 public:
  ~TempFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(file_.path(), ignored);
  }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  TempFile file_;
};

// Items of 1 to 6 vectors.
struct Items {
  std::vector<ItemId> ids;
  std::vector<size_t> offsets = {0};
  Matrix<float> vectors;
  MatrixView<const float> of(size_t i) const {
    return vectors.view().slice(offsets[i], offsets[i + 1] - offsets[i]);
  }
};

Matrix<float> points_for(Metric metric, size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points = random_points(n, dim, seed);
  if (is_binary(metric)) {
    for (float& x : points.flat()) x = x > 0 ? 1.0f : 0.0f;
  }
  return points;
}

Items random_items(ItemId first, size_t n, size_t dim, Metric metric, uint64_t seed) {
  Items items{.ids = ids_from(first, n), .offsets = {0}, .vectors = {}};
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) items.offsets.push_back(items.offsets.back() + 1 + rng.below(6));
  items.vectors = points_for(metric, items.offsets.back(), dim, seed + 1);
  return items;
}

using Truth = std::map<ItemId, Matrix<float>>;
void put(Truth& truth, const Items& items) {
  for (size_t i = 0; i < items.ids.size(); ++i) {
    truth.insert_or_assign(items.ids[i], Matrix<float>::copy(items.of(i)));
  }
}

float one_distance(Metric metric, std::span<const float> a, std::span<const float> b) {
  float out;
  distances(metric, a, {b.data(), 1, b.size()}, {&out, 1});
  return out;
}

// The definition: sum over the queries of the distance of the item's nearest vector.
std::vector<Hit> naive(const Truth& truth, MatrixView<const float> queries, size_t k, Metric metric,
                       const Filter* filter = nullptr) {
  std::vector<Hit> hits;
  for (const auto& [id, vectors] : truth) {
    if (filter != nullptr && !filter->accepts(id)) continue;
    double sum = 0;
    for (size_t q = 0; q < queries.rows(); ++q) {
      float nearest = INFINITY;
      for (size_t i = 0; i < vectors.rows(); ++i) {
        nearest = std::min(nearest, one_distance(metric, queries.row(q), vectors.row(i)));
      }
      sum += nearest;
    }
    hits.push_back({id, static_cast<float>(sum)});
  }
  std::ranges::stable_sort(hits, {}, &Hit::distance);
  hits.resize(std::min(k, hits.size()));
  return hits;
}

enum class Kind { kFlat, kHnsw, kCodes };
IndexFactory factory(Kind kind) {
  return [kind](size_t dim, Metric metric) -> std::unique_ptr<Index> {
    if (kind == Kind::kFlat) return std::make_unique<FlatIndex>(dim, metric);
    if (kind == Kind::kHnsw || is_binary(metric)) return std::make_unique<Hnsw>(dim, metric);
    const VectorStorage codes{.exact = {}, .codes = RowFormat::kInt8};
    return std::make_unique<Hnsw>(dim, metric, HnswOptions{.storage = codes});
  };
}

class EveryMultiVector : public ::testing::TestWithParam<std::tuple<Kind, Metric>> {
 protected:
  static Metric metric() { return std::get<1>(GetParam()); }
  static MultiVectorIndex make(size_t dim) {
    return {dim, metric(), factory(std::get<0>(GetParam()))};
  }
  // Items that are equally far are each as good.
  static void expect_nearest(const std::vector<Hit>& hits, const std::vector<Hit>& expected,
                             const Truth& truth, MatrixView<const float> queries) {
    ASSERT_EQ(hits.size(), expected.size());
    const std::vector<Hit> all = naive(truth, queries, truth.size(), metric());
    const double size = 4e-6 * static_cast<double>(queries.rows() * queries.cols());
    std::vector<ItemId> ids = ids_of(hits);
    for (size_t i = 0; i < hits.size(); ++i) {
      EXPECT_NEAR(hits[i].distance, expected[i].distance, size) << i;
      const auto own = std::ranges::find(all, hits[i].id, &Hit::id);
      ASSERT_NE(own, all.end());
      EXPECT_NEAR(hits[i].distance, own->distance, size);
    }
    std::ranges::sort(ids);
    EXPECT_EQ(std::ranges::adjacent_find(ids), ids.end()) << "an item twice";
  }
};
INSTANTIATE_TEST_SUITE_P(
    Index, EveryMultiVector,
    ::testing::Combine(::testing::Values(Kind::kFlat, Kind::kHnsw, Kind::kCodes),
                       ::testing::Values(Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine,
                                         Metric::kHamming)),
    [](const auto& info) {
      const Kind kind = std::get<0>(info.param);
      return std::string(kind == Kind::kFlat   ? "flat_"
                         : kind == Kind::kHnsw ? "hnsw_"
                                               : "codes_") +
             std::string(metric_name(std::get<1>(info.param)));
    });

TEST_P(EveryMultiVector, FindsWhatTheDefinitionFinds) {
  for (size_t n : {1, 2, 40, 700}) {
    const Items items = random_items(50, n, 24, metric(), n);
    MultiVectorIndex index = make(24);
    index.add(items.ids, items.offsets, items.vectors);
    EXPECT_EQ(index.size(), n);
    EXPECT_EQ(index.n_vectors(), items.vectors.rows());
    Truth truth;
    put(truth, items);
    const Matrix<float> queries = points_for(metric(), 8, 24, 99);
    for (size_t q = 0; q < queries.rows(); ++q) {
      const auto query = queries.view().slice(q, 1);
      expect_nearest(index.search(query.row(0), {.k = 5, .effort = 300}),
                     naive(truth, query, 5, metric()), truth, query);
    }
    for (size_t m : {1, 2, 8}) {
      const auto some = queries.view().slice(0, m);
      expect_nearest(index.late_interaction(some, {.k = 5, .effort = index.n_vectors()}),
                     naive(truth, some, 5, metric()), truth, some);
    }
    EXPECT_THAT(index.search(queries.row(0), {.k = 100'000}), SizeIs(n));
    EXPECT_THAT(index.late_interaction(queries, {.k = 100'000}), SizeIs(n));
  }
}

TEST_P(EveryMultiVector, FollowsAddRemoveAndUpdate) {
  MultiVectorIndex index = make(12);
  Truth truth;
  Rng rng(1);
  for (size_t step = 0; step < 20; ++step) {
    const Items fresh = random_items(100 * step, 30, 12, metric(), 10 + step);
    index.add(fresh.ids, fresh.offsets, fresh.vectors);
    put(truth, fresh);
    for (size_t i = 0; i < 12; ++i) {
      const auto victim = std::next(truth.begin(), static_cast<ptrdiff_t>(rng.below(truth.size())));
      ASSERT_TRUE(index.remove(victim->first));
      truth.erase(victim);
    }
    Items changed = random_items(0, 5, 12, metric(), 50 + step);
    for (size_t i = 0; i < 5; ++i) {  // distinct ones, spread over what is there
      changed.ids[i] =
          std::next(truth.begin(), static_cast<ptrdiff_t>(i * truth.size() / 5))->first;
    }
    index.update(changed.ids, changed.offsets, changed.vectors);
    put(truth, changed);
  }
  ASSERT_EQ(index.size(), truth.size());
  size_t n_vectors = 0;
  for (const auto& [id, vectors] : truth) {
    EXPECT_EQ(index.n_vectors(id), vectors.rows());
    n_vectors += vectors.rows();
  }
  EXPECT_EQ(index.n_vectors(), n_vectors);
  const TempFolder folder;  // slots are used again: there are as many as vectors at any one time
  index.save(folder.path());
  const Container tables = Container::open(folder.path() / "items", "multi_vector", 1);
  EXPECT_LT(tables.array<ItemId>("ids").size(), n_vectors * 13 / 10);
  const Matrix<float> queries = points_for(metric(), 6, 12, 99);
  for (size_t q = 0; q < queries.rows(); ++q) {
    const auto query = queries.view().slice(q, 1);
    expect_nearest(index.search(query.row(0), {.k = 7, .effort = 300}),
                   naive(truth, query, 7, metric()), truth, query);
  }
  expect_nearest(index.late_interaction(queries, {.k = 7, .effort = n_vectors}),
                 naive(truth, queries, 7, metric()), truth, queries);
  const auto ids = [&] {
    std::vector<ItemId> all;
    for (const auto& [id, vectors] : truth) all.push_back(id);
    return all;
  }();
  for (ItemId id : ids) ASSERT_TRUE(index.remove(id));
  EXPECT_FALSE(index.remove(ids[0]));
  EXPECT_THAT(index.search(queries.row(0)), IsEmpty());
  EXPECT_THAT(index.late_interaction(queries), IsEmpty());
}

TEST_P(EveryMultiVector, ReturnsOnlyItemsThatTheFilterAccepts) {
  const Items items = random_items(0, 600, 10, metric(), 3);
  MultiVectorIndex index = make(10);
  index.add(items.ids, items.offsets, items.vectors);
  Truth truth;
  put(truth, items);
  const Matrix<float> queries = points_for(metric(), 4, 10, 4);
  for (size_t modulus : {2, 7, 500}) {
    const EveryNth filter(modulus);
    const auto hits =
        index.late_interaction(queries, {.k = 5, .effort = index.n_vectors(), .filter = &filter});
    expect_nearest(hits, naive(truth, queries, 5, metric(), &filter), truth, queries);
    const auto query = queries.view().slice(0, 1);
    expect_nearest(index.search(query.row(0), {.k = 5, .effort = 300, .filter = &filter}),
                   naive(truth, query, 5, metric(), &filter), truth, query);
    for (const Hit& hit : hits) EXPECT_TRUE(filter.accepts(hit.id));
  }
}

TEST_P(EveryMultiVector, OpensWhatItSavedAndGoesOn) {
  const Items items = random_items(0, 500, 16, metric(), 5);
  MultiVectorIndex index = make(16);
  index.add(items.ids, items.offsets, items.vectors);
  for (ItemId id = 0; id < 40; ++id) ASSERT_TRUE(index.remove(id));
  const TempFolder folder, one, two;
  index.save(folder.path());
  index.save(folder.path());  // in the place of the first
  MultiVectorIndex opened = MultiVectorIndex::open(folder.path());
  EXPECT_EQ(opened.size(), 460u);
  EXPECT_EQ(opened.metric(), metric());
  EXPECT_EQ(opened.dim(), 16u);
  const Matrix<float> queries = points_for(metric(), 5, 16, 6);
  const SearchOptions all{.k = 9, .effort = index.n_vectors()};
  EXPECT_EQ(opened.late_interaction(queries, all), index.late_interaction(queries, all));
  const Items more = random_items(7000, 30, 16, metric(), 7);
  for (MultiVectorIndex* each : {&index, &opened}) {
    EXPECT_TRUE(each->remove(77));
    each->add(more.ids, more.offsets, more.vectors);
  }
  EXPECT_EQ(opened.late_interaction(queries, all), index.late_interaction(queries, all));
  EXPECT_EQ(opened.n_vectors(), index.n_vectors());
  // The new items are found by what they hold, which lies in slots that were free.
  for (size_t i = 0; i < 30; ++i) {
    const auto hits = opened.late_interaction(more.of(i), {.k = 1});
    if (metric() != Metric::kInnerProduct) {
      EXPECT_EQ(hits[0].id, more.ids[i]);
    }
  }
  opened.save(one.path());
  EXPECT_EQ(MultiVectorIndex::open(one.path()).late_interaction(queries, all),
            opened.late_interaction(queries, all));
}

Items of_offsets(std::vector<ItemId> ids, std::vector<size_t> offsets, size_t dim) {
  Items items{.ids = std::move(ids), .offsets = std::move(offsets), .vectors = {}};
  items.vectors = random_points(items.offsets.back(), dim, 8);
  return items;
}

TEST(MultiVector, RefusesBadInputByNameAndChangesNothing) {
  MultiVectorIndex index(4, Metric::kCosine, factory(Kind::kHnsw));
  const Items good = of_offsets({7, 8}, {0, 2, 3}, 4);
  index.add(good.ids, good.offsets, good.vectors);
  const auto adding = [&](const Items& items) {
    return message([&] { index.add(items.ids, items.offsets, items.vectors); });
  };
  EXPECT_THAT(adding(of_offsets({1, 2}, {0, 3, 3}, 4)), HasSubstr("item 2 has no vector"));
  EXPECT_THAT(adding(of_offsets({1, 2}, {0, 3}, 4)), HasSubstr("2 offsets came with 2 items"));
  EXPECT_THAT(adding(of_offsets({1, 2}, {1, 2, 3}, 4)), HasSubstr("the offsets go from 1 to 3"));
  EXPECT_THAT(adding(of_offsets({1, 1}, {0, 2, 3}, 4)), HasSubstr("item 1 comes twice"));
  EXPECT_THAT(adding(of_offsets({8, 1}, {0, 2, 3}, 4)), HasSubstr("item 8 is in the index"));
  EXPECT_THAT(adding(of_offsets({1, 2}, {0, 2, 3}, 5)), HasSubstr("5 dims, the index 4"));
  Items bad = of_offsets({1, 2}, {0, 2, 3}, 4);
  bad.offsets = {0, 4, 3};
  EXPECT_THAT(adding(bad), HasSubstr("item 2 has no vector"));
  bad.offsets = {0, 2, 3};
  bad.vectors(2, 1) = std::nanf("");
  EXPECT_THAT(adding(bad), HasSubstr("vector 2: column 1"));
  const Items absent = of_offsets({7, 9}, {0, 2, 3}, 4);
  EXPECT_THAT(message([&] { index.update(absent.ids, absent.offsets, absent.vectors); }),
              HasSubstr("item 9 is not in the index"));
  EXPECT_EQ(index.size(), 2u);
  EXPECT_EQ(index.n_vectors(), 3u);
  EXPECT_EQ(index.n_vectors(9), 0u);
  const Matrix<float> query = random_points(2, 4, 9), wide = random_points(1, 5, 9);
  EXPECT_THAT(message([&] { index.search(query.row(0), {.k = 0}); }), HasSubstr("k is 0"));
  EXPECT_THAT(message([&] { index.search(wide.row(0)); }), HasSubstr("5 dims, the index 4"));
  EXPECT_THAT(message([&] { index.search(query.row(0), {.exact = query}); }),
              HasSubstr("leave `exact` out"));
  EXPECT_THAT(message([&] { index.late_interaction({}); }), HasSubstr("there is no query"));
  EXPECT_THAT(message([&] { index.late_interaction(bad.vectors); }), HasSubstr("column 1"));
  EXPECT_THAT(message([] {
                MultiVectorIndex(4, Metric::kCosine, [](size_t dim, Metric) {
                  return std::make_unique<FlatIndex>(dim, Metric::kHamming);
                });
              }),
              HasSubstr("an empty index of 4 dims and the metric cosine"));
  MultiVectorIndex empty(4, Metric::kCosine, factory(Kind::kFlat));
  empty.add({}, std::vector<size_t>{0}, {});
  EXPECT_THAT(empty.search(query.row(0)), IsEmpty());
}

TEST(MultiVector, HoldsItemsOfIdenticalVectors) {
  // 50 items of 40 equal vectors, and one that lies farther: k distinct items need more than the
  // first vectors that are found.
  Items items{.ids = ids_from(0, 51), .offsets = {0}, .vectors = Matrix<float>(51 * 40, 3)};
  for (size_t i = 0; i < 51; ++i) items.offsets.push_back(items.offsets.back() + 40);
  std::ranges::fill(items.vectors.flat(), 0.5f);
  for (size_t i = 2000; i < 2040; ++i) items.vectors(i, 0) = 2.5f;
  const std::vector<float> query = {0.5f, 0.5f, 0.5f};
  for (Kind kind : {Kind::kFlat, Kind::kHnsw}) {
    MultiVectorIndex index(3, Metric::kSquaredL2, factory(kind));
    index.add(items.ids, items.offsets, items.vectors);
    const auto hits = index.search(query, {.k = 51, .effort = 1});
    ASSERT_THAT(hits, SizeIs(51));
    for (size_t i = 0; i < 50; ++i) EXPECT_EQ(hits[i], (Hit{i, 0.0f}));
    EXPECT_EQ(hits[50], (Hit{50, 4.0f}));
  }
}

TEST(MultiVector, SumsOverTheQueries) {
  // By hand: queries (0, 0) and (4, 0); item 1 has a vector at each, item 2 one in the middle.
  Items items{.ids = {1, 2}, .offsets = {0, 2, 3}, .vectors = Matrix<float>(3, 2)};
  items.vectors(1, 0) = 4;
  items.vectors(2, 0) = 2;
  MultiVectorIndex index(2, Metric::kSquaredL2, factory(Kind::kFlat));
  index.add(items.ids, items.offsets, items.vectors);
  Matrix<float> queries(2, 2);
  queries(1, 0) = 4;
  EXPECT_THAT(index.late_interaction(queries), ElementsAre(Hit{1, 0.0f}, Hit{2, 8.0f}));
  queries(0, 0) = queries(1, 0) = 2;
  SearchStats stats;
  EXPECT_THAT(index.late_interaction(queries, {.stats = &stats}),
              ElementsAre(Hit{2, 0.0f}, Hit{1, 8.0f}));
  EXPECT_EQ(stats.n_distances, 12u);  // 2 searches of 3 vectors, and 3 to rank for each query
}

TEST(MultiVector, DoesNotDependOnTheNumberOfThreads) {
  const Items items = random_items(0, 800, 16, Metric::kCosine, 10);
  const Matrix<float> queries = random_points(6, 16, 11);
  std::vector<Hit> one;
  for (size_t threads : {1, 2, 8}) {
    ThreadLimit limit(threads);
    MultiVectorIndex index(16, Metric::kCosine, factory(Kind::kCodes));
    index.add(items.ids, items.offsets, items.vectors);
    const auto hits = index.late_interaction(queries, {.k = 20, .effort = 30});
    if (one.empty()) one = hits;
    EXPECT_EQ(hits, one);
  }
}

TEST(MultiVector, FindsNearlyAllWithLittleEffort) {
  // Items about a center of their own, and queries about those of one item.
  constexpr size_t kItems = 3000, kDim = 32;
  Items items{.ids = ids_from(0, kItems), .offsets = {0}, .vectors = {}};
  for (size_t i = 0; i < kItems; ++i) items.offsets.push_back(5 * (i + 1));
  items.vectors = random_points(5 * kItems, kDim, 12);
  const Matrix<float> centers = random_points(kItems, kDim, 13);
  for (size_t i = 0; i < 5 * kItems; ++i) {
    for (size_t j = 0; j < kDim; ++j) items.vectors(i, j) += 2 * centers(i / 5, j);
  }
  MultiVectorIndex index(kDim, Metric::kSquaredL2, factory(Kind::kCodes));
  index.add(items.ids, items.offsets, items.vectors);
  Truth truth;
  put(truth, items);
  size_t found = 0;
  SearchStats stats;
  for (size_t item = 0; item < 50; ++item) {
    Matrix<float> queries = random_points(4, kDim, 100 + item);
    for (size_t i = 0; i < 4; ++i) {
      for (size_t j = 0; j < kDim; ++j) queries(i, j) += 2 * centers(60 * item, j);
    }
    const auto expected = naive(truth, queries, 5, Metric::kSquaredL2);
    for (const Hit& hit :
         index.late_interaction(queries, {.k = 5, .effort = 100, .stats = &stats})) {
      found += static_cast<size_t>(std::ranges::count(ids_of(expected), hit.id));
    }
    EXPECT_EQ(index.late_interaction(queries, {.k = 1})[0].id, 60 * item);
  }
  EXPECT_GT(found, 50u * 5 * 9 / 10);
  EXPECT_LT(stats.n_distances / 50, 4 * items.vectors.rows() / 2);  // a scan reads all, 4 times
}

// Asks to stop in the middle.
class Stop : public Progress {
 public:
  void begin(std::string_view, size_t, std::string_view) override {}
  void advance(size_t steps) override { n_steps_ += steps; }
  bool stop_requested() const override { return n_steps_ > 100; }

 private:
  std::atomic<size_t> n_steps_ = 0;
};

TEST(MultiVector, AddsAllOrNothingWhenItIsStopped) {
  const Items items = random_items(0, 500, 8, Metric::kSquaredL2, 14);
  MultiVectorIndex index(8, Metric::kSquaredL2, factory(Kind::kHnsw));
  Stop stop;
  try {
    index.add(items.ids, items.offsets, items.vectors, &stop);
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::kCancelled);
  }
  EXPECT_EQ(index.size(), 0u);
  EXPECT_THAT(index.search(items.vectors.row(0)), IsEmpty());
  index.add(items.ids, items.offsets, items.vectors);
  EXPECT_EQ(index.search(items.vectors.row(0), {.k = 1})[0], (Hit{0, 0.0f}));
}

TEST(MultiVector, TakesADistanceOfTheCallers) {
  const DistanceFunction manhattan = [](std::span<const float> a, std::span<const float> b) {
    float sum = 0;
    for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
    return sum;
  };
  MultiVectorIndex index(
      2, Metric::kUser,
      [&](size_t dim, Metric metric) {
        return std::make_unique<Hnsw>(dim, metric, HnswOptions{.distance = manhattan});
      },
      manhattan);
  const Items items = of_offsets({1, 2}, {0, 2, 3}, 2);
  index.add(items.ids, items.offsets, items.vectors);
  const TempFolder folder;
  index.save(folder.path());
  EXPECT_THAT(message([&] { MultiVectorIndex::open(folder.path()); }),
              HasSubstr("a distance of the program's own"));
  const MultiVectorIndex opened = MultiVectorIndex::open(
      folder.path(),
      [&](const std::filesystem::path& path) {
        return std::make_unique<Hnsw>(Hnsw::open(path, manhattan));
      },
      manhattan);
  const std::vector<float> query = {3, -1};
  const auto hits = opened.search(query);
  ASSERT_THAT(hits, SizeIs(2));
  EXPECT_EQ(hits, index.search(query));
  const float farther = manhattan(query, items.vectors.row(2));
  EXPECT_TRUE(hits[0].distance == farther || hits[1].distance == farther);
}

TEST(MultiVector, RefusesFoldersThatAreDamagedOrMixed) {
  const Items items = random_items(0, 30, 3, Metric::kSquaredL2, 15);
  const TempFolder folder, other;
  {
    MultiVectorIndex index(3, Metric::kSquaredL2, factory(Kind::kFlat));
    index.add(items.ids, items.offsets, items.vectors);
    index.save(folder.path());
    index.remove(3);
    index.save(other.path());
  }
  EXPECT_THROW(MultiVectorIndex::open("/nowhere/folder"), Error);
  for (const char* name : {"items", "vectors.index"}) {
    const std::filesystem::path path = folder.path() / name;
    const std::string bytes = read_file(path);
    for (size_t length = 0; length < bytes.size(); length += 251) {
      write_file(path, bytes.substr(0, length));
      EXPECT_THROW(MultiVectorIndex::open(folder.path()), Error) << name << length;
    }
    for (size_t at = 0; at < bytes.size(); at += 97) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
      write_file(path, damaged);
      try {
        MultiVectorIndex::open(folder.path());
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::kCorrupt);
      }
    }
    write_file(path, bytes);
    EXPECT_EQ(MultiVectorIndex::open(folder.path()).size(), 30u);
  }
  write_file(folder.path() / "items", read_file(other.path() / "items"));
  EXPECT_THAT(message([&] { MultiVectorIndex::open(folder.path()); }),
              HasSubstr("vectors.index beside it is damaged, or was saved with other items"));
  std::filesystem::remove(folder.path() / "vectors.index");
  EXPECT_THROW(MultiVectorIndex::open(folder.path()), Error);
}

// The same file with one array changed, and right checksums.
template <class T>
void rewrite(const std::filesystem::path& path, const std::string& name,
             const std::function<void(std::vector<T>&)>& change) {
  const Container in = Container::open(path, MultiVectorIndex::kFileKind, 1);
  ContainerWriter out(std::string(MultiVectorIndex::kFileKind), 1);
  std::vector<T> changed(in.array<T>(name).begin(), in.array<T>(name).end());
  change(changed);
  for (const char* section : {"header", "item_ids", "item_offsets", "item_slots", "vectors",
                              "n_trained", "ids", "live"}) {
    if (name == section) {
      out.add(section, std::span<const T>(changed));
    } else {
      out.add(section, in.array<std::byte>(section));
    }
  }
  out.save(path);
}

TEST(MultiVector, RefusesTablesThatCannotBe) {
  const Items items = of_offsets({5, 6, 7}, {0, 2, 3, 6}, 3);
  const TempFolder folder;
  MultiVectorIndex index(3, Metric::kSquaredL2, factory(Kind::kFlat));
  index.add(items.ids, items.offsets, items.vectors);
  const std::filesystem::path path = folder.path() / "items";
  const auto refused = [&] {
    const std::string text = message([&] { MultiVectorIndex::open(folder.path()); });
    index.save(folder.path());
    return text;
  };
  index.save(folder.path());
  rewrite<ItemId>(path, "item_ids", [](auto& ids) { ids[2] = 5; });
  EXPECT_THAT(refused(), HasSubstr("item 5 has no vector, or is there twice"));
  rewrite<ItemId>(path, "item_ids", [](auto& ids) { ids.pop_back(); });
  EXPECT_THAT(refused(), HasSubstr("the items do not match the vectors"));
  rewrite<uint64_t>(path, "item_offsets", [](auto& offsets) { offsets[1] = 3; });
  EXPECT_THAT(refused(), HasSubstr("item 6 has no vector"));
  rewrite<uint64_t>(path, "item_offsets", [](auto& offsets) { offsets[1] = 1'000'000; });
  EXPECT_THAT(refused(), HasSubstr("item 5 has no vector"));
  rewrite<uint64_t>(path, "item_offsets", [](auto& offsets) { offsets[3] = 5; });
  EXPECT_THAT(refused(), HasSubstr("the items do not match the vectors"));
  rewrite<uint32_t>(path, "item_slots", [](auto& slots) { slots[3] = 4; });
  EXPECT_THAT(refused(), HasSubstr("item 7 has a vector that is not there, or another's"));
  rewrite<uint32_t>(path, "item_slots", [](auto& slots) { slots[0] = 6; });
  EXPECT_THAT(refused(), HasSubstr("item 5 has a vector that is not there"));
  rewrite<ItemId>(path, "ids", [](auto& ids) { ids[1] = 9; });
  EXPECT_THAT(refused(), HasSubstr("item 5 has a vector that is not there"));
  rewrite<uint64_t>(path, "header", [](auto& header) { header[1] = 17; });
  EXPECT_THAT(refused(), HasSubstr("the header is not one"));
  rewrite<uint64_t>(path, "header", [](auto& header) { header[1] = 1; });
  EXPECT_THAT(refused(), HasSubstr("the items do not match the vectors"));
  rewrite<uint64_t>(path, "header", [](auto& header) { header[0] = 1 << 30; });
  EXPECT_THAT(refused(), HasSubstr("the header is not one"));
  EXPECT_EQ(refused(), "no error");
}

}  // namespace
}  // namespace carya
