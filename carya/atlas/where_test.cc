#include "carya/atlas/where.h"

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
using ::testing::Not;
using ::testing::ThrowsMessage;

const std::vector<MetadataColumn> kColumns = {{"size", ColumnType::kInteger},
                                              {"section", ColumnType::kText},
                                              {"not", ColumnType::kText},
                                              {"price", ColumnType::kNumber}};

std::string sql(std::string_view text) { return parse_where(text, kColumns).sql; }
auto fails_with(const std::string& part) { return ThrowsMessage<Error>(HasSubstr(part)); }

TEST(Where, TurnsConditionsIntoSqlWithParameters) {
  EXPECT_EQ(sql("size >= 1000"), "(c0 >= ?1)");
  EXPECT_EQ(sql("size>=1000 and section = games"), "(c0 >= ?1 AND c1 = ?2)");
  EXPECT_EQ(sql("size = 1 or size = 2 and section == x"), "(c0 = ?1 OR c0 = ?2 AND c1 == ?3)");
  EXPECT_EQ(sql("(size = 1 or size = 2) and section <> x"), "((c0 = ?1 OR c0 = ?2) AND c1 <> ?3)");
  EXPECT_EQ(sql("NOT section in (a, 'b c')"), "(NOT c1 IN (?1, ?2))");
  EXPECT_EQ(sql("section not in (a)"), "(c1 NOT IN (?1))");
  EXPECT_EQ(sql("section is null or size is not null"), "(c1 IS NULL OR c0 IS NOT NULL)");
  EXPECT_EQ(sql("section ~ \"AmE\""), "(instr(lower(c1), lower(?1)) > 0)");
  EXPECT_EQ(sql("\"not\" = x"), "(c2 = ?1)");  // a quoted word is no keyword
}

TEST(Where, ValuesAreOfTheirColumnsType) {
  using V = Value;
  EXPECT_THAT(parse_where("size = 7 or size < '8' or size > 1.5", kColumns).values,
              ElementsAre(V(int64_t{7}), V(int64_t{8}), V(1.5)));
  EXPECT_THAT(parse_where("section in (007, nan, 'it''s', \"\")", kColumns).values,
              ElementsAre(V("007"), V("nan"), V("it's"), V("")));
  EXPECT_THAT(parse_where("size ~ 12", kColumns).values, ElementsAre(V("12")));
  EXPECT_THAT([] { sql("size = many"); }, fails_with("at character 8 a number"));
  EXPECT_THAT([] { sql("price < inf"); }, fails_with("at character 9 a number"));
}

TEST(Where, NothingWrittenIsRunAsSql) {
  for (const std::string hostile :
       {"x; DROP TABLE items", "x' OR 1=1 --", "?1", "c0", "\"; DELETE FROM items; --"}) {
    SCOPED_TRACE(hostile);
    std::string quoted = "'";
    for (char c : hostile) quoted += c == '\'' ? std::string("''") : std::string(1, c);
    const WhereClause clause = parse_where("section = " + quoted + "'", kColumns);
    EXPECT_EQ(clause.sql, "(c1 = ?1)");
    EXPECT_THAT(clause.values, ElementsAre(Value(hostile)));
  }
  const std::vector<MetadataColumn> columns = {{"a\" = 1; --", ColumnType::kText}};
  EXPECT_EQ(parse_where("'a\" = 1; --' = x", columns).sql, "(c0 = ?1)");
}

TEST(Where, MistakesAreShownWithTheirPlace) {
  EXPECT_THAT([] { sql(""); }, fails_with("at character 1 a column is expected, found the end"));
  EXPECT_THAT([] { sql("colour = red"); },
              fails_with("no column 'colour'; there are: size, section, not, price"));
  EXPECT_THAT([] { sql("size"); }, fails_with("at character 5 a comparison"));
  EXPECT_THAT([] { sql("size = "); }, fails_with("at character 8 a value is expected"));
  EXPECT_THAT([] { sql("size = 1 section = x"); }, fails_with("at character 10 'and', 'or'"));
  EXPECT_THAT([] { sql("(size = 1"); }, fails_with("at character 10 ')' is expected"));
  EXPECT_THAT([] { sql("section in a"); }, fails_with("at character 12 '(' is expected"));
  EXPECT_THAT([] { sql("section in (a b)"); }, fails_with("',' or ')'"));
  EXPECT_THAT([] { sql("section in ()"); }, fails_with("a value is expected"));
  EXPECT_THAT([] { sql("section is x"); }, fails_with("null is expected"));
  EXPECT_THAT([] { sql("section not = x"); }, fails_with("in is expected"));
  EXPECT_THAT([] { sql("section = 'x"); }, fails_with("quote at character 11 is not closed"));
  EXPECT_THAT([] { sql("= 1"); }, fails_with("found '='"));
  EXPECT_THAT([] { parse_where("a = 1", {}); }, fails_with("there are: none"));
}

TEST(Where, ItsSizeIsLimited) {
  const auto repeat = [](const std::string& text, size_t n) {
    std::string all;
    for (size_t i = 0; i < n; ++i) all += text;
    return all;
  };
  EXPECT_NO_THROW(sql(repeat("(", 90) + "size = 1" + repeat(")", 90)));
  EXPECT_THAT([&] { sql(repeat("(", 100'000) + "size = 1"); }, fails_with("less nesting"));
  EXPECT_THAT([&] { sql(repeat("not ", 100'000) + "size = 1"); }, fails_with("less nesting"));
  EXPECT_THAT([&] { sql(repeat("size = 1 or ", 600) + "size = 1"); },
              fails_with("500 comparisons"));
  EXPECT_THAT([&] { sql("size in (" + repeat("1, ", 20'000) + "1)"); },
              fails_with("10,000 values"));
}

}  // namespace
}  // namespace carya
