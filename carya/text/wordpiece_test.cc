#include "carya/text/wordpiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/text/fixture.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::vector<std::string> words_of(std::string_view text, const NormalizerOptions& options = {}) {
  std::vector<std::string> words;
  for (WordSplitter splitter(text, options); splitter.next();) words.emplace_back(splitter.word());
  return words;
}

TEST(WordSplitter, SplitsAtWhiteSpaceAndAroundPunctuation) {
  EXPECT_THAT(words_of("Hello, World! a_b"),
              ElementsAre("hello", ",", "world", "!", "a", "_", "b"));
  EXPECT_THAT(words_of(" \t\n"), ElementsAre());
  EXPECT_THAT(words_of("naïve Café\u0301"), ElementsAre("naive", "cafe"));
  EXPECT_THAT(words_of("数据a"), ElementsAre("数", "据", "a"));
  EXPECT_THAT(words_of("a\u200bb\x01\u00ad-"), ElementsAre("ab", "-"));
}

TEST(WordSplitter, OptionsTurnTheStepsOff) {
  EXPECT_THAT(words_of("Éa", {.strip_accents = false}), ElementsAre("éa"));
  EXPECT_THAT(words_of("Éa", {.strip_accents = false, .lowercase = false}), ElementsAre("Éa"));
  EXPECT_THAT(words_of("数据", {.handle_chinese_chars = false}), ElementsAre("数据"));
  EXPECT_THAT(words_of("a\x01z", {.clean_text = false}), ElementsAre("a\x01z"));
  EXPECT_THAT(words_of("İ", {.strip_accents = false}), ElementsAre("i\u0307"));
}

TEST(WordSplitter, WrongUtf8IsDroppedOrReplaced) {
  EXPECT_THAT(words_of("a\xff"
                       "b"),
              ElementsAre("ab"));
  EXPECT_THAT(words_of("a\xe2\x82", {.clean_text = false}), ElementsAre("a\ufffd"));
}

TEST(PieceTrie, FindsTheLongestPrefix) {
  PieceTrie trie(1);
  trie.insert("a", 1);
  trie.insert("abc", 2);
  trie.insert("", 9);
  EXPECT_EQ(trie.longest_prefix("abd").id, 1);
  EXPECT_EQ(trie.longest_prefix("abcd").id, 2);
  EXPECT_EQ(trie.longest_prefix("abcd").length, 3u);
  EXPECT_EQ(trie.longest_prefix("x").id, -1);
}

WordPiece small() {
  return WordPiece::from_vocab("[PAD]\n[UNK]\n[CLS]\r\n[SEP]\nun\n##aff\n##able\naff\n.\n",
                               "vocab");
}
std::vector<int32_t> ids_of(const WordPiece& tokenizer, std::string_view text, size_t max = 512) {
  std::vector<int32_t> ids;
  tokenizer.encode(text, max, ids);
  return ids;
}

TEST(WordPiece, TakesTheLongestPieceAgainAndAgain) {
  const WordPiece tokenizer = small();
  EXPECT_EQ(tokenizer.size(), 9u);
  EXPECT_THAT(ids_of(tokenizer, "Unaffable."), ElementsAre(2, 4, 5, 6, 8, 3));
  EXPECT_THAT(ids_of(tokenizer, "aff unx able"), ElementsAre(2, 7, 1, 1, 3));
  EXPECT_THAT(ids_of(tokenizer, ""), ElementsAre(2, 3));
  EXPECT_THAT(ids_of(tokenizer, "un[SEP]un [UNK"), ElementsAre(2, 4, 3, 4, 1, 1, 3));
}

TEST(WordPiece, LongWordsAreUnknown) {
  const WordPiece tokenizer = WordPiece::from_vocab("[UNK]\n[CLS]\n[SEP]\na\n##a\n", "vocab");
  EXPECT_EQ(ids_of(tokenizer, std::string(100, 'a')).size(), 102u);
  EXPECT_THAT(ids_of(tokenizer, std::string(101, 'a')), ElementsAre(1, 0, 2));
}

TEST(WordPiece, TruncatesToMaxTokens) {
  const WordPiece tokenizer = small();
  EXPECT_THAT(ids_of(tokenizer, "unaffable", 2), ElementsAre(2, 3));
  EXPECT_THAT(ids_of(tokenizer, "unaffable", 4), ElementsAre(2, 4, 5, 3));
  EXPECT_THAT(ids_of(tokenizer, "un[SEP][SEP][SEP]", 4), ElementsAre(2, 4, 3, 3));
  EXPECT_THROW(ids_of(tokenizer, "un", 1), Error);
  std::string megabyte;
  while (megabyte.size() < 1'000'000) megabyte += "un aff ";
  EXPECT_EQ(ids_of(tokenizer, megabyte, 256).size(), 256u);
}

TEST(WordPiece, EqualsHuggingFaceTokenizersOnHardTexts) {
  if (!exists(minilm_folder())) GTEST_SKIP() << minilm_folder() << " is absent: scripts/get-data";
  const auto rows = read_fixture("wordpiece.tsv");
  ASSERT_GE(rows.size(), 500u);
  const WordPiece from_json = WordPiece::open(minilm_folder());
  const auto vocab = minilm_folder() / "vocab.txt";
  const WordPiece from_vocab = WordPiece::from_vocab(read_file(vocab), vocab.string());
  for (const auto& [text, expected] : rows) {
    std::vector<int32_t> wanted;
    std::istringstream in(expected);
    for (int32_t id; in >> id;) wanted.push_back(id);
    EXPECT_EQ(ids_of(from_json, text, 256), wanted) << text;
    EXPECT_EQ(ids_of(from_vocab, text, 256), wanted) << text;
  }
}

std::string message_of(std::string_view json) {
  try {
    WordPiece::from_tokenizer_json(json, "tokenizer.json");
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kCorrupt);
    return e.what();
  }
  return "no error";
}

std::string tokenizer_json(const std::string& type, const std::string& vocab) {
  return R"({"normalizer":{"type":"BertNormalizer"},"pre_tokenizer":{"type":"BertPreTokenizer"},)"
         R"("post_processor":{"type":"BertProcessing","sep":["[SEP]",2],"cls":["[CLS]",1]},)"
         R"("model":{"type":")" +
         type + R"(","vocab":)" + vocab + "}}";
}

TEST(WordPiece, WhatIsWrongWithAFileIsSaid) {
  const std::string vocab = R"({"[UNK]":0,"[CLS]":1,"[SEP]":2,"a":3})";
  EXPECT_EQ(message_of(tokenizer_json("WordPiece", vocab)), "no error");
  EXPECT_THAT(message_of("{"), HasSubstr("tokenizer.json: not a JSON object"));
  EXPECT_THAT(message_of("{}"), HasSubstr("tokenizer.json: not a tokenizer of the form expected"));
  EXPECT_THAT(message_of(tokenizer_json("BPE", vocab)), HasSubstr("a BPE tokenizer"));
  EXPECT_THAT(message_of(tokenizer_json("WordPiece", R"({"a":0})")), HasSubstr("has no [UNK]"));
  EXPECT_THAT(message_of(tokenizer_json("WordPiece", R"({"a":-1})")), HasSubstr("has id"));
  EXPECT_THAT(message_of(tokenizer_json("WordPiece", R"({"a":"b"})")),
              HasSubstr("not a tokenizer"));
  EXPECT_THROW(WordPiece::from_vocab("", "vocab.txt"), Error);
  EXPECT_THROW(WordPiece::open("/nowhere"), Error);
}

}  // namespace
}  // namespace carya
