// Items of a WindowIndex that come, change and go.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "carya/index/window_test_data.h"

namespace carya {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

// A random history against a map: with exact answers, and with those of graphs.
TEST(WindowIndexTest, ChangesAreSeenAtOnceAndAfterRebuilds) {
  for (const Metric metric : {Metric::kSquaredL2, Metric::kCosine}) {
    WindowIndex index(kDim, metric, {.cutoff = 30, .delta_share = 0.2});
    std::map<ItemId, std::pair<double, std::vector<float>>> items;
    Rng rng(7);
    ItemId next = 0;
    size_t n_rebuilds = 0, before = 0;
    for (int step = 0; step < 400; ++step) {
      const uint64_t kind = rng.below(10);
      const Matrix<float> points = random_points(1 + rng.below(20), kDim, 1000 + step);
      std::vector<ItemId> ids;
      std::vector<double> labels;
      if (kind < 5 || items.size() < 30) {
        for (size_t i = 0; i < points.rows(); ++i) {
          ids.push_back(kFirst + 3 * next++);
          labels.push_back(static_cast<double>(rng.below(50)));
        }
        index.add(ids, labels, points);
      } else if (kind < 8) {
        for (size_t i = 0; i < 6; ++i) {
          const auto at = std::next(items.begin(), static_cast<ptrdiff_t>(rng.below(items.size())));
          EXPECT_TRUE(index.remove(at->first));
          EXPECT_FALSE(index.remove(at->first));
          items.erase(at);
        }
      } else {
        std::set<ItemId> chosen;
        for (size_t i = 0; i < points.rows(); ++i) {
          chosen.insert(
              std::next(items.begin(), static_cast<ptrdiff_t>(rng.below(items.size())))->first);
        }
        ids.assign(chosen.begin(), chosen.end());
        for (const ItemId id : ids) {
          labels.push_back(kind == 8 ? items[id].first : static_cast<double>(rng.below(50)));
        }
        const auto rows = points.view().slice(0, ids.size());
        kind == 8 ? index.update(ids, rows) : index.update(ids, labels, rows);
      }
      for (size_t i = 0; i < ids.size(); ++i) {
        const auto row = points.row(i);
        items[ids[i]] = {labels[i], {row.begin(), row.end()}};
      }
      n_rebuilds += index.tree().n_rows() != before;
      before = index.tree().n_rows();
      ASSERT_EQ(index.size(), items.size());
      if (step % 4 != 0) continue;
      Matrix<float> rows(items.size(), kDim);
      std::vector<ItemId> all;
      std::vector<double> all_labels;
      for (const auto& [id, item] : items) {
        std::ranges::copy(item.second, rows.row_data(all.size()));
        all.push_back(id);
        all_labels.push_back(item.first);
      }
      const Matrix<float> query = random_points(1, kDim, 50'000 + step);
      const double low = static_cast<double>(rng.below(40));
      const LabelWindow window{low, low + 10};
      auto expected = naive_in_window(rows, all_labels, query.row(0), window, 10, metric);
      for (Hit& hit : expected) hit.id = all[hit.id - kFirst];
      EXPECT_EQ(ids_of(index.search(query.row(0), window, {.k = 10}, kScan)), ids_of(expected));
      for (const WindowStrategy strategy : {kAuto, kTree, kPostfilter, kRoot}) {
        const auto hits = index.search(query.row(0), window, {.k = 10, .effort = 60}, strategy);
        EXPECT_EQ(hits.size(), expected.size());
        EXPECT_GE(n_common(hits, expected) + 2, expected.size());
      }
    }
    EXPECT_GE(n_rebuilds, 5u);
  }
}

class StopAfter : public Progress {
 public:
  explicit StopAfter(size_t n) : left_(n) {}
  void begin(std::string_view, size_t, std::string_view) override {}
  void advance(size_t) override {
    if (left_ > 0) --left_;
  }
  bool stop_requested() const override { return left_ == 0; }

 private:
  std::atomic<size_t> left_;
};

TEST(WindowIndexTest, WhatIsStoppedIsWhole) {
  const Items items(1000, 1000);
  WindowIndex index(kDim, Metric::kSquaredL2, {.cutoff = 100});
  StopAfter progress(3);
  EXPECT_THROW(index.add(items.ids, items.labels, items.points, &progress), Error);
  EXPECT_EQ(index.size(), 1000u);
  EXPECT_EQ(index.n_buffered(), 1000u);
  const auto hits = index.search(items.points.row(0), {100, 900}, {.k = 10});
  EXPECT_EQ(ids_of(hits), ids_of(naive_in_window(items.points, items.labels, items.points.row(0),
                                                 {100, 900}, 10, Metric::kSquaredL2)));
  index.rebuild();
  EXPECT_EQ(index.n_buffered(), 0u);
}

}  // namespace
}  // namespace carya
