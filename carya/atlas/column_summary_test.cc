#include "carya/atlas/column_summary.h"

#include <cmath>
#include <numeric>

#include "carya/atlas/test_data.h"

namespace carya {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(ParseDate, ReadsDatesTimesAndZones) {
  EXPECT_EQ(parse_date("1970-01-01"), 0);
  EXPECT_EQ(parse_date("1970-01-02"), 86400);
  EXPECT_EQ(parse_date("1969-12-31"), -86400);
  EXPECT_EQ(parse_date("2024-02-29"), 1709164800);
  EXPECT_EQ(parse_date("2024-02-29T12:30"), 1709164800 + 45000);
  EXPECT_EQ(parse_date("2024-02-29 12:30:15.5Z"), 1709164800 + 45015.5);
  EXPECT_EQ(parse_date("2024-02-29T12:30:00+01:00"), 1709164800 + 45000 - 3600);
  EXPECT_EQ(parse_date("2024-02-29T12:30-05:30"), 1709164800 + 45000 + 19800);
}

TEST(ParseDate, RefusesWhatIsNone) {
  for (const char* text : {"", "2024", "2024-02", "2023-02-29", "2024-13-01", "2024-00-10",
                           "24-02-01", "2024-02-29x", "2024-02-29T", "2024-02-29T25:00",
                           "2024-02-29T12:60", "2024-02-29T12:30:", "2024-02-29T12:30:15.",
                           "2024-02-29T12:30+1", " 2024-02-29", "2024/02/29"}) {
    EXPECT_EQ(parse_date(text), std::nullopt) << text;
  }
}

class ColumnSummaryTest : public InFolder {
 protected:
  ItemStore store(const std::string& csv) {
    const auto reader = open_records(file("items.csv", csv), {});
    return ItemStore::create(folder_ / "items.sqlite", *reader);
  }
};

TEST_F(ColumnSummaryTest, KindsFollowTheValues) {
  std::string csv = "text,n,day,colour,url\n";
  for (int i = 0; i < 50; ++i) {
    csv += fmt::format("a,{},2024-01-{:02},{},http://x/{}\n", i, i % 31 + 1, i % 3 ? "red" : "blue",
                       i);
  }
  const ItemStore items = store(csv);
  EXPECT_EQ(ColumnSummary::of(items, "n").kind, ColumnKind::kNumber);
  EXPECT_EQ(ColumnSummary::of(items, "day").kind, ColumnKind::kDate);
  EXPECT_EQ(ColumnSummary::of(items, "url").kind, ColumnKind::kText);
  const ColumnSummary colour = ColumnSummary::of(items, "colour");
  EXPECT_EQ(colour.kind, ColumnKind::kCategory);
  EXPECT_THAT(colour.categories, ElementsAre("red", "blue"));
  EXPECT_THAT([&] { ColumnSummary::of(items, "size"); },
              testing::ThrowsMessage<Error>(HasSubstr("n, day, colour, url")));
}

TEST_F(ColumnSummaryTest, CountsAddUpAndMissingValuesAreApart) {
  const ItemStore items = store("text,n,kind\na,1,x\nb,,y\nc,5,x\nd,3,\n");
  const std::vector<uint32_t> all = {0, 1, 2, 3};
  const ColumnSummary n = ColumnSummary::of(items, "n");
  EXPECT_EQ(n.n_missing, 1U);
  EXPECT_EQ(n.n_distinct, 3U);
  const auto edges = n.bin_edges(2);
  EXPECT_THAT(edges, ElementsAre(1, 3, 5));
  EXPECT_THAT(n.histogram(edges, all), ElementsAre(1, 2));
  EXPECT_EQ(n.count_missing(all), 1U);
  const ColumnSummary kind = ColumnSummary::of(items, "kind");
  EXPECT_THAT(kind.counts(all), ElementsAre(2, 1));
  EXPECT_EQ(kind.count_missing(all), 1U);
  EXPECT_THAT(kind.counts(std::vector<uint32_t>{1, 3}), ElementsAre(0, 1));
}

TEST_F(ColumnSummaryTest, SkewedNumbersGetBinsOfEqualRatio) {
  std::string csv = "text,n\n";
  for (int i = 0; i < 100; ++i) csv += fmt::format("a,{}\n", i == 99 ? 1000000 : i + 1);
  const ItemStore items = store(csv);
  const ColumnSummary n = ColumnSummary::of(items, "n");
  const auto edges = n.bin_edges(6);
  EXPECT_NEAR(edges[1], 10, 1e-9);
  std::vector<uint32_t> all(100);
  std::iota(all.begin(), all.end(), 0u);
  const auto counts = n.histogram(edges, all);
  EXPECT_EQ(std::accumulate(counts.begin(), counts.end(), size_t{0}), 100U);
  ColumnSummary zero = n;
  zero.numbers[0] = zero.min = 0;
  const auto from_zero = zero.bin_edges(6);
  EXPECT_EQ(from_zero[0], 0);
  EXPECT_NEAR(from_zero[3] / from_zero[2], from_zero[2] / from_zero[1], 1e-9);
  EXPECT_TRUE(std::ranges::is_sorted(from_zero));
}

TEST_F(ColumnSummaryTest, OneValueIsOneBinAndHugeRangesDoNotOverflow) {
  const ItemStore items = store("text,same,huge,none\na,7,-1.5e308,\nb,7,1.5e308,\n");
  const std::vector<uint32_t> all = {0, 1};
  const ColumnSummary same = ColumnSummary::of(items, "same");
  EXPECT_THAT(same.bin_edges(30), ElementsAre(7, 7));
  EXPECT_THAT(same.histogram(same.bin_edges(30), all), ElementsAre(2));
  const ColumnSummary huge = ColumnSummary::of(items, "huge");
  for (const double edge : huge.bin_edges(10)) EXPECT_TRUE(std::isfinite(edge));
  EXPECT_THAT(huge.histogram(huge.bin_edges(2), all), ElementsAre(1, 1));
  const ColumnSummary none = ColumnSummary::of(items, "none");
  EXPECT_EQ(none.n_missing, 2U);
  EXPECT_THAT(none.categories, IsEmpty());
}

}  // namespace
}  // namespace carya
