#include "apps/server/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/core/error.h"

namespace carya {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

TEST(ParseTarget, SplitsThenDecodes) {
  const Target target = parse_target("/api/a%2Fb/c%20d+e?q=x+y%26z&empty&n=1#part");
  EXPECT_THAT(target.path, ElementsAre("api", "a/b", "c d+e"));
  EXPECT_THAT(target.parameters,
              ElementsAre(Pair("empty", ""), Pair("n", "1"), Pair("q", "x y&z")));
  EXPECT_THAT(parse_target("/").path, IsEmpty());
  EXPECT_THAT(parse_target("/a//b/").path, ElementsAre("a", "", "b"));
  EXPECT_THAT(parse_target("/../..").path, ElementsAre("..", ".."));  // names of nothing
}

TEST(ParseTarget, RefusesWhatIsNone) {
  for (const char* text :
       {"", "a", "http://x/", "/%", "/%4", "/%zz", "/%00", "/%ff", "/?a=1&a=2", "/?a=%e2%28%a1"}) {
    EXPECT_THROW(parse_target(text), Error) << text;
  }
}

TEST(HostName, IsWithoutThePort) {
  EXPECT_EQ(host_name("LocalHost:8765"), "localhost");
  EXPECT_EQ(host_name("127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(host_name("[::1]:80"), "::1");
  for (const char* text : {"", ":80", "[::1", "[::1]x", "a:b", "a:1:2", "a:123456"}) {
    EXPECT_EQ(host_name(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace carya
