#include "carya/io/csv.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "carya/core/error.h"

namespace carya {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;
using Rows = std::vector<std::vector<std::string>>;

Rows parse(std::string_view text, char delimiter = ',',
           CsvQuotes quotes = CsvQuotes::kAcrossLines) {
  CsvParser parser(text, "t.csv", delimiter, quotes);
  Rows rows;
  std::vector<std::string> fields;
  while (parser.next(fields)) rows.push_back(fields);
  return rows;
}

TEST(CsvParser, FollowsRfc4180) {
  EXPECT_EQ(parse("a,b\r\n\"x, \"\"y\"\"\",\"two\nlines\"\r\n"),
            (Rows{{"a", "b"}, {"x, \"y\"", "two\nlines"}}));
  EXPECT_EQ(parse("a,,\n"), (Rows{{"a", "", ""}}));
  EXPECT_EQ(parse("\"\",b"), (Rows{{"", "b"}}));
}

TEST(CsvParser, TakesEveryLineEndAndAByteOrderMark) {
  EXPECT_EQ(parse("\xEF\xBB\xBF"
                  "a,b\rc,d\ne,f\r\ng,h"),
            (Rows{{"a", "b"}, {"c", "d"}, {"e", "f"}, {"g", "h"}}));
  EXPECT_EQ(parse("a\n\n\nb"), (Rows{{"a"}, {"b"}}));
  EXPECT_THAT(parse(""), IsEmpty());
  EXPECT_THAT(parse("\n\r\n"), IsEmpty());
}

TEST(CsvParser, KnowsTheLineOfARow) {
  CsvParser parser("a\n\"x\ny\"\nb", "t.csv", ',', CsvQuotes::kAcrossLines);
  std::vector<std::string> fields;
  std::vector<size_t> lines;
  while (parser.next(fields)) lines.push_back(parser.row_line());
  EXPECT_THAT(lines, ElementsAre(1, 2, 4));
}

TEST(CsvParser, SaysWhereAQuoteIsWrong) {
  EXPECT_THAT([] { parse("a\n\"open"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("t.csv:2"), HasSubstr("never closed"))));
  EXPECT_THAT([] { parse("\"a\"b,c"); }, ThrowsMessage<Error>(HasSubstr("after a closing quote")));
}

TEST(CsvParser, InTabSeparatedFilesAQuoteMayBeJustACharacter) {
  const auto rows = parse("\"a\"\tb\n\"open\tc\n5\" disk\td\n", '\t', CsvQuotes::kWithinLine);
  EXPECT_EQ(rows, (Rows{{"a", "b"}, {"\"open", "c"}, {"5\" disk", "d"}}));
}

TEST(LikelyDelimiter, CountsOutsideQuotesInTheFirstLine) {
  EXPECT_EQ(likely_delimiter("a;b;c\n1,2,3,4"), ';');
  EXPECT_EQ(likely_delimiter("a\tb"), '\t');
  EXPECT_EQ(likely_delimiter("\"a,b,c\"|d"), '|');
  EXPECT_EQ(likely_delimiter("single"), ',');
  EXPECT_EQ(likely_delimiter(""), ',');
}

}  // namespace
}  // namespace carya
