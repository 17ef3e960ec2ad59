#include "carya/io/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace carya {
namespace {

constexpr const char* kReplacement = "\xEF\xBF\xBD";

TEST(Utf8, ValidTextStays) {
  for (const std::string text : {"", "plain", "é中😀", "a long line of ASCII, then é"}) {
    EXPECT_TRUE(is_valid_utf8(text));
    EXPECT_EQ(to_valid_utf8(text), text);
  }
}

TEST(Utf8, EachMaximalInvalidPartIsOneReplacement) {
  // The examples of the Unicode standard, table 3-8: truncated sequences count once, overlong forms
  // and surrogates a time per byte.
  const std::string r = kReplacement;
  EXPECT_EQ(to_valid_utf8("a\xE1\x80\xE2\xF0\x91\x92\xF1\xBF"
                          "b"),
            "a" + r + r + r + r + "b");
  EXPECT_EQ(to_valid_utf8("\xC0\xAF\xE0\x80\xBF"
                          "a"),
            r + r + r + r + r + "a");
  EXPECT_EQ(to_valid_utf8("\xED\xA0\x80"
                          "a"),
            r + r + r + "a");
  EXPECT_EQ(to_valid_utf8("12345678\xFF"), "12345678" + r);
  EXPECT_EQ(to_valid_utf8("\xF4\x90\x80\x80"), r + r + r + r);
}

TEST(Utf8, EveryTruncationOfACharacterIsInvalid) {
  const std::string text = "😀";
  for (size_t n = 1; n < text.size(); ++n) {
    EXPECT_EQ(valid_utf8_prefix(text.substr(0, n)), 0u);
    EXPECT_EQ(to_valid_utf8(text.substr(0, n)), kReplacement);
  }
}

}  // namespace
}  // namespace carya
