#include "carya/text/terms.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

namespace carya {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

std::vector<std::string> terms_of(const TermTable& table, size_t text) {
  std::vector<std::string> result;
  for (uint32_t term : table.terms_of(text)) result.push_back(table.spellings[term]);
  return result;
}

TEST(ExtractTerms, StemsWordsAndPairsThatNoStopWordParts) {
  const std::vector<std::string> texts = {"Games of the strategy", "strategy games",
                                          "a strategy game", ""};
  const TermTable table = extract_terms(text_source(texts));
  EXPECT_THAT(terms_of(table, 0), UnorderedElementsAre("games", "strategy"));
  EXPECT_THAT(terms_of(table, 1), UnorderedElementsAre("games", "strategy", "strategy games"));
  EXPECT_THAT(terms_of(table, 2), UnorderedElementsAre("games", "strategy", "strategy games"));
  EXPECT_THAT(terms_of(table, 3), ElementsAre());
  const auto pair = std::ranges::find(table.spellings, "strategy games") - table.spellings.begin();
  EXPECT_EQ(table.n_documents[static_cast<size_t>(pair)], 2u);
}

TEST(ExtractTerms, LeavesOutRareTermsAndLongTails) {
  std::vector<std::string> texts(200, "common word");
  texts[7] = "unique";
  const TermTable table = extract_terms(text_source(texts));
  EXPECT_THAT(table.spellings, Not(Contains("unique")));
  const TermTable few = extract_terms(text_source(texts), {.max_terms = 1});
  EXPECT_EQ(few.n_terms(), 1u);
}

TEST(ExtractTerms, NoTexts) {
  const std::vector<std::string> none;
  EXPECT_EQ(extract_terms(text_source(none)).n_texts(), 0u);
}

}  // namespace
}  // namespace carya
