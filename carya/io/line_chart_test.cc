#include "carya/io/line_chart.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <regex>
#include <string>

#include "carya/core/error.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::ThrowsMessage;

size_t count(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

// The points of the first line, in pixels.
std::vector<std::pair<double, double>> points_in(const std::string& svg) {
  std::smatch found;
  std::regex_search(svg, found, std::regex("polyline points=\"([^\"]*)\""));
  const std::string text = found[1];
  const std::regex pair("([0-9.]+),([0-9.]+)");
  std::vector<std::pair<double, double>> points;
  for (std::sregex_iterator it(text.begin(), text.end(), pair), end; it != end; ++it) {
    points.emplace_back(std::stod((*it)[1]), std::stod((*it)[2]));
  }
  return points;
}

TEST(LineChart, PlacesNumbersEvenly) {
  const auto points = points_in(draw_lines({{"a", {0, 5, 10}, {0, 1, 2}}}, {.title = "t"}));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[1].first - points[0].first, points[2].first - points[1].first, 0.2);
  EXPECT_NEAR(points[0].second - points[1].second, points[1].second - points[2].second, 0.2);
  EXPECT_LT(points[0].first, points[2].first);
  EXPECT_GT(points[0].second, points[2].second);  // up is small in pixels
}

TEST(LineChart, PlacesPowersEvenlyOnALogarithmicAxis) {
  const auto points = points_in(draw_lines({{"a", {1, 2, 3}, {10, 100, 1000}}}, {.log_y = true}));
  ASSERT_EQ(points.size(), 3u);
  EXPECT_NEAR(points[0].second - points[1].second, points[1].second - points[2].second, 0.2);
}

TEST(LineChart, NamesTicksAndLines) {
  const std::string svg = draw_lines(
      {{"hnsw", {0.8, 0.99}, {120, 9000}, {"effort 1", "effort 9"}}, {"flat", {1}, {50}}},
      {.title = "recall", .x_label = "r", .log_y = true});
  for (const char* part : {">0.8<", ">1<", ">100<", ">1000<", ">10000<", ">hnsw<", ">flat<",
                           ">recall<", "hnsw, effort 9: 0.99, 9000"}) {
    EXPECT_THAT(svg, HasSubstr(part));
  }
  EXPECT_EQ(count(svg, "<circle"), 3u);
}

TEST(LineChart, LeavesOutWhatHasNoPlace) {
  const std::string svg =
      draw_lines({{"a", {1, 2, NAN, 4}, {0, 10, 1, 100}}}, {.log_y = true});  // 0 has no logarithm
  EXPECT_EQ(points_in(svg).size(), 2u);
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  for (const std::vector<ChartLine>& lines :
       {std::vector<ChartLine>{}, {{"none", {}, {}}}, {{"one", {3}, {3}}}, {{"zero", {0}, {0}}}}) {
    for (const bool is_log : {false, true}) {
      const std::string empty = draw_lines(lines, {.log_x = is_log, .log_y = is_log});
      EXPECT_THAT(empty, Not(HasSubstr("nan")));
      EXPECT_THAT(empty, Not(HasSubstr("inf")));
    }
  }
}

TEST(LineChart, EscapesNamesAndChecksLengths) {
  EXPECT_THAT(draw_lines({{"<script>", {1}, {1}}, {"b", {}, {}}}, {.title = "a & b"}),
              testing::AllOf(HasSubstr("&lt;script&gt;"), HasSubstr("a &amp; b"),
                             Not(HasSubstr("<script"))));
  EXPECT_THAT(
      [] {
        draw_lines({{"a", {1, 2}, {1}}}, {});
      },
      ThrowsMessage<Error>(HasSubstr("line 'a' has 2 x and 1 y")));
}

}  // namespace
}  // namespace carya
