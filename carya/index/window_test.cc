#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "carya/core/parallel.h"
#include "carya/index/flat.h"
#include "carya/index/window_test_data.h"

namespace carya {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

class EveryStrategy : public testing::TestWithParam<std::tuple<Metric, WindowStrategy>> {
 protected:
  Metric metric() const { return std::get<0>(GetParam()); }
  WindowStrategy strategy() const { return std::get<1>(GetParam()); }
};

TEST_P(EveryStrategy, FindsTheNearestOfTheWindow) {
  const Items items(3000, 3000);
  static std::map<Metric, WindowIndex> made;
  if (!made.contains(metric())) {
    made.emplace(metric(), items.index(metric(), {.cutoff = 60, .shifted = true}));
  }
  const WindowIndex& index = made.at(metric());
  const Matrix<float> queries = random_points(12, kDim, 99);
  size_t n_found = 0, n_right = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    for (const LabelWindow& window : kWindows) {
      if (window.low > window.high) continue;
      const auto expected =
          naive_in_window(items.points, items.labels, queries.row(q), window, 10, metric());
      const auto hits = index.search(queries.row(q), window, {.k = 10, .effort = 60}, strategy());
      ASSERT_EQ(hits.size(), expected.size()) << window.low << " .. " << window.high;
      const auto all =
          naive_in_window(items.points, items.labels, queries.row(q), window, 3000, metric());
      for (size_t i = 0; i < hits.size(); ++i) {
        const auto same = std::ranges::find(all, hits[i].id, [](const Hit& hit) { return hit.id; });
        ASSERT_NE(same, all.end()) << "outside the window";
        EXPECT_NEAR(hits[i].distance, same->distance, 1e-4 * (1 + std::abs(same->distance)));
        EXPECT_LE(hits[i == 0 ? 0 : i - 1].distance, hits[i].distance);
      }
      n_right += expected.size();
      n_found += n_common(hits, expected);
      if (strategy() == kScan) {
        EXPECT_EQ(ids_of(hits), ids_of(expected));
      }
    }
  }
  EXPECT_GE(static_cast<double>(n_found), 0.98 * static_cast<double>(n_right));
}

INSTANTIATE_TEST_SUITE_P(Metrics, EveryStrategy,
                         testing::Combine(testing::Values(Metric::kSquaredL2, Metric::kInnerProduct,
                                                          Metric::kCosine),
                                          testing::ValuesIn(kAll)));

TEST(WindowIndexTest, BoundsAreClosedAndLabelsMayBeEqual) {
  const Items items(600, 3);  // 200 items each of 0, 1, 2
  const WindowIndex index = items.index(Metric::kSquaredL2, {.cutoff = 50});
  const auto query = items.points.row(0);
  for (const WindowStrategy strategy : {kAuto, kScan, kTree, kPostfilter, kThreeSplit, kRoot}) {
    const auto n_in = [&](double low, double high) {
      return index.search(query, {low, high}, {.k = 1000}, strategy).size();
    };
    EXPECT_EQ(n_in(1, 1), 200u);
    EXPECT_EQ(n_in(0, 1), 400u);
    EXPECT_EQ(n_in(-0.0, 0.5), 200u);
    EXPECT_EQ(n_in(-kInfinity, 0), 200u);
    EXPECT_EQ(n_in(1, kInfinity), 400u);
    EXPECT_EQ(n_in(-kInfinity, kInfinity), 600u);
    EXPECT_EQ(n_in(kInfinity, kInfinity), 0u);
    EXPECT_EQ(n_in(0.1, 0.9), 0u);
    EXPECT_EQ(n_in(2.1, 9), 0u);
    EXPECT_EQ(n_in(-9, -1), 0u);
  }
}

TEST(WindowIndexTest, InfiniteLabelsAreLabels) {
  WindowIndex index(1, Metric::kSquaredL2, {.cutoff = 1});
  const Matrix<float> points = random_points(3, 1, 1);
  const std::vector<double> labels = {kInfinity, -kInfinity, 0};
  index.add(ids_from(5, 3), labels, points);
  const auto ids_in = [&](double low, double high) {
    auto ids = ids_of(index.search(points.row(0), {low, high}, {}));
    std::ranges::sort(ids);
    return ids;
  };
  EXPECT_THAT(ids_in(kInfinity, kInfinity), testing::ElementsAre(5));
  EXPECT_THAT(ids_in(-kInfinity, 0), testing::ElementsAre(6, 7));
  EXPECT_THAT(ids_in(-kInfinity, kInfinity), testing::ElementsAre(5, 6, 7));
}

TEST(WindowIndexTest, NoneAndOneItem) {
  WindowIndex index(2, Metric::kCosine);
  const std::vector<float> query = {1, 0};
  for (const WindowStrategy strategy : {kAuto, kScan, kTree, kPostfilter, kThreeSplit, kRoot}) {
    EXPECT_THAT(index.search(query, {}, {}, strategy), IsEmpty());
  }
  EXPECT_THAT(index.search(query, SearchOptions{}), IsEmpty());
  index.rebuild();
  index.add({}, {}, MatrixView<const float>());
  const std::vector<double> labels = {4};
  index.add(ids_from(7, 1), labels, MatrixView<const float>(query.data(), 1, 2));
  for (int round = 0; round < 2; ++round) {  // in the buffer, then in the rows
    EXPECT_EQ(index.search(query, {4, 4}, {.k = 3}), (std::vector<Hit>{{7, 0.0f}}));
    EXPECT_THAT(index.search(query, {5, 6}, {.k = 3}), IsEmpty());
    EXPECT_EQ(index.n_buffered(), round == 0 ? 1u : 0u);
    index.rebuild();
  }
  EXPECT_TRUE(index.remove(7));
  EXPECT_FALSE(index.remove(7));
  EXPECT_THAT(index.search(query, {}, {}), IsEmpty());
  index.rebuild();
  EXPECT_EQ(index.size(), 0u);
}

TEST(WindowIndexTest, RefusesWhatCannotBe) {
  const Items items(20, 20);
  WindowIndex index = items.index(Metric::kSquaredL2, {});
  const auto query = items.points.row(0);
  EXPECT_THAT(message([&] {
                index.search(query, {2, 1}, {});
              }),
              HasSubstr("the window begins at 2, behind its end 1"));
  EXPECT_THAT(message([&] { index.search(query, {kNaN, 1}, {}); }), HasSubstr("NaN"));
  EXPECT_THAT(message([&] { index.search(query, {1, kNaN}, {}); }), HasSubstr("NaN"));
  EXPECT_THAT(message([&] { index.search(query, {}, {.k = 0}); }), HasSubstr("k is 0"));
  EXPECT_THAT(message([&] { index.search(query, SearchOptions{.k = 0}); }), HasSubstr("k is 0"));
  EXPECT_THAT(message([&] { index.search(query.first(3), LabelWindow{}, {}); }),
              HasSubstr("the query has 3 dims, the index 12"));
  EXPECT_THAT(message([&] { index.search(query, {}, {}, kSuper); }), HasSubstr("no shifted nodes"));
  const std::vector<ItemId> ids = {1, 2};
  const Matrix<float> two = random_points(2, kDim, 1);
  const std::vector<double> bad = {0, kNaN}, few = {0}, good = {0, 1};
  EXPECT_THAT(message([&] { index.add(ids, bad, two); }),
              HasSubstr("label 1 (id 2) is not a number"));
  EXPECT_THAT(message([&] { index.add(ids, few, two); }), HasSubstr("1 labels came with 2 ids"));
  EXPECT_THAT(message([&] { index.add(ids, good, random_points(2, 3, 1)); }),
              HasSubstr("the vectors have 3 dims, the index 12"));
  EXPECT_THAT(message([&] { index.update(ids, good, two); }),
              HasSubstr("id 1 is not in the index"));
  EXPECT_THAT(message([&] { index.add(items.ids, items.labels, items.points); }),
              HasSubstr("is in the index already"));
  Matrix<float> nan = random_points(2, kDim, 1);
  nan(1, 3) = std::nanf("");
  EXPECT_THAT(message([&] { index.add(ids, good, nan); }), HasSubstr("vector"));
  EXPECT_EQ(index.size(), 20u);
  EXPECT_EQ(index.search(query, {}, {.k = 100}).size(), 20u);
  for (const WindowOptions& options :
       {WindowOptions{.beta = 1}, WindowOptions{.beta = 65}, WindowOptions{.cutoff = 0},
        WindowOptions{.delta_share = 0}, WindowOptions{.delta_share = kNaN},
        WindowOptions{.hnsw = {.m = 1}}}) {
    EXPECT_THROW(WindowIndex(kDim, Metric::kSquaredL2, options), Error);
  }
}

TEST(WindowIndexTest, ItemsWithoutALabelAreInNoWindow) {
  const Items items(900, 30);
  WindowIndex index(kDim, Metric::kSquaredL2, {.cutoff = 50});
  index.add(std::span(items.ids).first(400), items.points.view().slice(0, 400));
  index.add(std::span(items.ids).subspan(400), std::span(items.labels).subspan(400),
            items.points.view().slice(400, 500));
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(index.search(items.points.row(0), {}, {.k = 1000}).size(), 500u);
    EXPECT_EQ(index.search(items.points.row(0), SearchOptions{.k = 1000}).size(), 900u);
    EXPECT_EQ(index.search(items.points.row(3), SearchOptions{.k = 1})[0].id, kFirst + 3);
    index.rebuild();
  }
}

class ThirdOfIds : public Filter {
 public:
  explicit ThirdOfIds(double selectivity = 1.0 / 3) : selectivity_(selectivity) {}
  bool accepts(ItemId id) const override { return (id - kFirst) % 3 == 1; }
  double selectivity() const override { return selectivity_; }

 private:
  double selectivity_;
};

TEST(WindowIndexTest, AFilterHoldsBesidesTheWindow) {
  const Items items(3000, 3000);
  const WindowIndex index = items.index(Metric::kSquaredL2, {.cutoff = 60, .shifted = true});
  const Matrix<float> queries = random_points(10, kDim, 5);
  for (const double told : {1.0 / 3, 0.001, 1.0}) {  // a filter may be wrong about itself
    const ThirdOfIds filter(told);
    for (const WindowStrategy strategy : kAll) {
      size_t n_right = 0;
      for (size_t q = 0; q < queries.rows(); ++q) {
        const auto expected = naive_in_window(items.points, items.labels, queries.row(q),
                                              {500, 1700}, 10, Metric::kSquaredL2, &filter);
        const auto hits = index.search(queries.row(q), {500, 1700},
                                       {.k = 10, .effort = 60, .filter = &filter}, strategy);
        ASSERT_EQ(hits.size(), 10u);
        for (const Hit& hit : hits) EXPECT_TRUE(filter.accepts(hit.id));
        n_right += n_common(hits, expected);
      }
      EXPECT_GE(n_right, 95u) << static_cast<int>(strategy);
    }
  }
}

TEST(WindowIndexTest, AnyIndexMayBeANode) {
  const Items items(1000, 1000);
  size_t n_made = 0;
  const IndexFactory factory = [&](size_t dim, Metric metric) {
    ++n_made;
    return std::make_unique<FlatIndex>(dim, metric);
  };
  const WindowIndex index = items.index(Metric::kSquaredL2, {.cutoff = 100, .factory = factory});
  EXPECT_EQ(n_made, 15u);  // 1000, 500, 250, 125
  const Matrix<float> queries = random_points(20, kDim, 3);
  for (size_t q = 0; q < queries.rows(); ++q) {
    const auto expected = naive_in_window(items.points, items.labels, queries.row(q), {200, 800},
                                          10, Metric::kSquaredL2);
    for (const WindowStrategy strategy : {kAuto, kTree, kThreeSplit}) {  // nodes are exact
      EXPECT_EQ(ids_of(index.search(queries.row(q), {200, 800}, {.k = 10}, strategy)),
                ids_of(expected));
    }
  }
  const TempFile file;
  index.save(file.path());
  EXPECT_THAT(message([&] { WindowIndex::open(file.path()); }), HasSubstr("from a factory"));
  const WindowIndex opened = WindowIndex::open(file.path(), factory);
  EXPECT_EQ(n_made, 30u);
  EXPECT_EQ(opened.search(queries.row(0), {200, 800}, {.k = 10}, kTree),
            index.search(queries.row(0), {200, 800}, {.k = 10}, kTree));
  const IndexFactory wrong = [](size_t dim, Metric metric) {
    return std::make_unique<FlatIndex>(dim + 1, metric);
  };
  EXPECT_THAT(message([&] { items.index(Metric::kSquaredL2, {.cutoff = 9, .factory = wrong}); }),
              HasSubstr("the factory of a window index made no index of 12 dims"));
}

TEST(WindowIndexTest, ThreadsAndTheOrderOfItemsDoNotMatter) {
  const Items items(2500, 50);
  const WindowOptions options{.cutoff = 200, .shifted = true};
  const std::string expected = bytes_of(items.index(Metric::kCosine, options));
  {
    const ThreadLimit one(1);
    EXPECT_EQ(bytes_of(items.index(Metric::kCosine, options)), expected);
  }
  Items reversed(2500, 50);
  for (size_t i = 0; i < 2500; ++i) {
    std::ranges::copy(items.points.row(2499 - i), reversed.points.row_data(i));
    reversed.ids[i] = items.ids[2499 - i];
    reversed.labels[i] = items.labels[2499 - i];
  }
  EXPECT_EQ(bytes_of(reversed.index(Metric::kCosine, options)), expected);
}

// Labels follow the groups of the vectors, and the query lies in another group: a graph around the
// window finds that group first.
TEST(WindowIndexTest, ClusteredLabelsDoNotMakeItBlind) {
  constexpr size_t kGroups = 7, kEach = 1000, kWide = 100;  // a graph is worth while
  Matrix<float> points = random_points(kGroups * kEach, kWide, 1);
  std::vector<double> labels;
  for (size_t i = 0; i < points.rows(); ++i) {
    points(i, i / kEach) += 12;
    labels.push_back(static_cast<double>(i / kEach));
  }
  WindowIndex index(kWide, Metric::kSquaredL2, {.cutoff = 200});
  index.add(ids_from(kFirst, points.rows()), labels, points);
  size_t n_right = 0;
  SearchStats by_windows, at_root, by_scans;
  for (size_t q = 0; q < 5 * kGroups; ++q) {
    const auto query = points.row(q * kEach / 5);
    const double group = static_cast<double>((q / 5 + 3) % kGroups);
    const LabelWindow window{group, group};
    const auto expected = naive_in_window(points, labels, query, window, 10, Metric::kSquaredL2);
    n_right += n_common(expected,
                        index.search(query, window, {.k = 10, .effort = 20, .stats = &by_windows}));
    index.search(query, window, {.k = 10, .stats = &by_scans}, kScan);
    const auto hits =
        index.search(query, window, {.k = 10, .effort = 20, .stats = &at_root}, kRoot);
    EXPECT_EQ(hits.size(), 10u);  // however many candidates that takes
  }
  EXPECT_GE(n_right, 315u);  // of 350, in noise of 100 dims
  EXPECT_LE(by_windows.n_distances, by_scans.n_distances * 3 / 2);
  EXPECT_GE(at_root.n_distances, 4 * by_windows.n_distances);
}

// The node around the window holds the query's group, too, and finds nothing else.
TEST(WindowIndexTest, AGuessThatFailsIsLeftForAScan) {
  constexpr size_t kGroups = 7, kEach = 1000, kWide = 100;
  Matrix<float> points = random_points(kGroups * kEach, kWide, 1);
  std::vector<double> labels;
  for (size_t i = 0; i < points.rows(); ++i) {
    points(i, i / kEach) += 12;
    labels.push_back(static_cast<double>(i / kEach));
  }
  WindowIndex index(kWide, Metric::kSquaredL2, {.cutoff = 3000});  // nodes of 7000 and 3500 items
  index.add(ids_from(kFirst, points.rows()), labels, points);
  for (size_t q = 0; q < 20; ++q) {
    const auto query = points.row(2 * kEach + 31 * q);
    SearchStats stats;
    const auto hits = index.search(query, {0, 1}, {.k = 10, .effort = 20, .stats = &stats});
    EXPECT_EQ(ids_of(hits),
              ids_of(naive_in_window(points, labels, query, {0, 1}, 10, Metric::kSquaredL2)));
    EXPECT_GT(stats.n_distances, 2 * kEach);  // it tried
    EXPECT_LE(stats.n_distances, 2 * 2 * kEach);
  }
}

// Codes of 8 bits are the same for hundreds of these, and useless where one dim is much wider.
TEST(WindowIndexTest, VectorsThatCodesCannotTellApartAreFound) {
  for (const float stretch : {1.0f, 3000.0f}) {
    Matrix<float> points = random_points(4000, 2, 1);
    for (size_t i = 0; i < points.rows(); ++i) points(i, 0) *= stretch;
    const std::vector<double> labels = random_labels(4000, 4000, 2);
    WindowIndex index(2, Metric::kSquaredL2, {.cutoff = 300});
    index.add(ids_from(kFirst, 4000), labels, points);
    for (const WindowStrategy strategy : {kTree, kRoot}) {
      size_t n_right = 0;
      for (size_t q = 0; q < 50; ++q) {
        const LabelWindow window{100, 3800};
        n_right +=
            n_common(naive_in_window(points, labels, points.row(q), window, 10, Metric::kSquaredL2),
                     index.search(points.row(q), window, {.k = 10}, strategy));
      }
      EXPECT_GE(n_right, 475u) << stretch;
    }
  }
}

TEST(WindowIndexTest, EqualVectorsAreAllFound) {
  Matrix<float> points(2000, kDim);
  for (float& x : points.flat()) x = 1;
  const std::vector<double> labels = random_labels(2000, 2000, 2);
  WindowIndex index(kDim, Metric::kSquaredL2, {.cutoff = 100});
  index.add(ids_from(kFirst, 2000), labels, points);
  for (const WindowStrategy strategy : {kAuto, kScan, kTree, kPostfilter, kThreeSplit, kRoot}) {
    const auto hits = index.search(points.row(0), {300, 1100}, {.k = 50}, strategy);
    EXPECT_EQ(hits.size(), 50u);
    for (const Hit& hit : hits) {
      EXPECT_EQ(hit.distance, 0);
      EXPECT_GE(labels[hit.id - kFirst], 300);
      EXPECT_LE(labels[hit.id - kFirst], 1100);
    }
  }
}

}  // namespace
}  // namespace carya
