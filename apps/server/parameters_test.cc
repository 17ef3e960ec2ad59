#include "apps/server/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/core/error.h"

namespace carya {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::ThrowsMessage;

TEST(ParametersTest, AreTakenByNameAndType) {
  Parameters p(Parameters::Map{{"q", "x"}, {"n", "7"}, {"brief", "true"}});
  EXPECT_EQ(p.text("q"), "x");
  EXPECT_EQ(p.text("mode", "hybrid"), "hybrid");
  EXPECT_EQ(p.number("n", 1, 0, 10), 7U);
  EXPECT_EQ(p.number("k", 3, 0, 10), 3U);
  EXPECT_EQ(p.optional_number("node", 10), std::nullopt);
  EXPECT_TRUE(p.flag("brief"));
  EXPECT_NO_THROW(p.finish());
}

TEST(ParametersTest, ErrorsSayWhatIsAllowed) {
  for (const char* text : {"", "-1", "1.5", "11", "x", " 1", "99999999999999999999"}) {
    Parameters p(Parameters::Map{{"n", text}});
    EXPECT_THAT([&] { p.number("n", 1, 0, 10); },
                ThrowsMessage<Error>(HasSubstr("a whole number from 0 to 10")))
        << text;
  }
  Parameters p(Parameters::Map{{"limmit", "1"}, {"flag", "yes"}});
  EXPECT_THAT([&] { p.flag("flag"); }, ThrowsMessage<Error>(HasSubstr("true or false")));
  EXPECT_THAT([&] { p.needed_text("query"); },
              ThrowsMessage<Error>(HasSubstr("'query' is missing")));
  EXPECT_THAT([&] { p.finish(); },
              ThrowsMessage<Error>(AllOf(HasSubstr("'limmit'"), HasSubstr("flag, query"))));
}

TEST(ParametersTest, AJsonObjectGivesTheSame) {
  Parameters p = Parameters::from_json(R"({"q": "x y", "n": 7, "brief": true, "none": null})");
  EXPECT_EQ(p.text("q"), "x y");
  EXPECT_EQ(p.number("n", 1, 0, 10), 7U);
  EXPECT_TRUE(p.flag("brief"));
  EXPECT_NO_THROW(p.finish());
  for (const char* body :
       {"", "{", "[1]", "\"x\"", R"({"a": [1]})", R"({"a": {}})", "{\"a\": \"\xff\"}"}) {
    EXPECT_THROW(Parameters::from_json(body), Error) << body;
  }
  EXPECT_THROW(Parameters::from_json(std::string(100'000, '[')), Error);
}

}  // namespace
}  // namespace carya
