#include "carya/index/filter.h"

#include <gtest/gtest.h>

#include "carya/index/flat.h"
#include "carya/index/test_data.h"

namespace carya {
namespace {

TEST(BitmapFilter, AcceptsItsBits) {
  const BitmapFilter filter({true, false, true, false});
  EXPECT_TRUE(filter.accepts(2));
  EXPECT_FALSE(filter.accepts(1));
  EXPECT_FALSE(filter.accepts(4));
  EXPECT_EQ(filter.n_accepted(), 2u);
  EXPECT_DOUBLE_EQ(filter.selectivity(), 0.5);
  EXPECT_DOUBLE_EQ(BitmapFilter({true}, 8).selectivity(), 1.0 / 8);
  EXPECT_DOUBLE_EQ(BitmapFilter({}).selectivity(), 0);
}

TEST(IdFilter, AcceptsSmallAndLargeIds) {
  for (const ItemId offset : {ItemId{0}, ItemId{1} << 63}) {
    const std::vector<ItemId> ids = {offset + 3, offset + 9, offset + 3};
    const auto filter = id_filter(ids, 10);
    for (ItemId i = 0; i < 20; ++i) EXPECT_EQ(filter->accepts(offset + i), i == 3 || i == 9) << i;
    EXPECT_DOUBLE_EQ(filter->selectivity(), 0.2);
  }
  EXPECT_FALSE(id_filter({}, 10)->accepts(0));
  EXPECT_EQ(id_filter({}, 0)->selectivity(), 0);
}

TEST(IdFilter, LimitsASearch) {
  const Matrix<float> points = random_points(200, 6, 1);
  FlatIndex index(6, Metric::kSquaredL2);
  index.add(ids_from(50, 200), points);
  const std::vector<ItemId> ids = {60, 249, 1000};
  const auto filter = id_filter(ids, index.size());
  const auto hits = index.search(points.row(3), {.k = 5, .filter = filter.get()});
  EXPECT_EQ(hits.size(), 2u);
  for (const Hit& hit : hits) EXPECT_TRUE(hit.id == 60 || hit.id == 249);
}

}  // namespace
}  // namespace carya
