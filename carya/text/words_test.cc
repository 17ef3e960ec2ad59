#include "carya/text/words.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(SplitWords, LowersAndSplitsAtWhatIsNoLetterOrDigit) {
  EXPECT_THAT(split_words("Foo-Bar 2nd, (BAZ)"), ElementsAre("foo", "bar", "2nd", "baz"));
  EXPECT_THAT(split_words(" \t--- "), IsEmpty());
  EXPECT_THAT(split_words(""), IsEmpty());
}

TEST(SplitWords, KnowsUnicode) {
  EXPECT_THAT(split_words("ÉTÉ Straße"), ElementsAre("été", "straße"));
  EXPECT_THAT(split_words("ab中文c"), ElementsAre("ab", "中", "文", "c"));
  EXPECT_THAT(split_words("e\u0301tude"), ElementsAre("e\u0301tude"));  // a combining accent
  EXPECT_THAT(split_words("a😀b"), ElementsAre("a", "b"));
}

TEST(SplitWords, TakesAnyBytes) {
  EXPECT_THAT(split_words("a\xff\xfe"
                          "b\xc3"),
              ElementsAre("a", "b"));
  EXPECT_THAT(split_words(std::string("a\0b", 3)), ElementsAre("a", "b"));
  const auto words = split_words(std::string(1000, 'x'));
  for (const std::string& word : words) EXPECT_LE(word.size(), 64u);
}

TEST(IsStopWord, FunctionWordsAndNumbers) {
  EXPECT_TRUE(is_stop_word("the"));
  EXPECT_TRUE(is_stop_word("2024"));
  EXPECT_FALSE(is_stop_word("game"));
  EXPECT_FALSE(is_stop_word("3d"));
}

TEST(Stemmer, StemsEnglish) {
  const Stemmer stemmer;
  EXPECT_EQ(stemmer.stem("libraries"), "librari");
  EXPECT_EQ(stemmer.stem("library"), "librari");
  EXPECT_EQ(stemmer.stem(""), "");
}

}  // namespace
}  // namespace carya
