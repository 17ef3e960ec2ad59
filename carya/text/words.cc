#include "carya/text/words.h"

#include <libstemmer.h>
#include <unicode/uchar.h>
#include <unicode/uscript.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <unordered_set>

#include "carya/core/error.h"

namespace carya {
namespace {

constexpr size_t kMaxWordBytes = 64;  // longer ones are keys and base64, not words

bool is_word_character(UChar32 c) {
  return u_isalnum(c) || (U_GET_GC_MASK(c) & (U_GC_MN_MASK | U_GC_MC_MASK)) != 0;
}

bool stands_alone(UChar32 c) {
  UErrorCode error = U_ZERO_ERROR;
  const UScriptCode script = uscript_getScript(c, &error);
  return script == USCRIPT_HAN || script == USCRIPT_HIRAGANA || script == USCRIPT_KATAKANA ||
         script == USCRIPT_HANGUL;
}

void append_utf8(std::string& text, UChar32 c) {
  uint8_t bytes[U8_MAX_LENGTH];
  int32_t length = 0;
  UBool error = false;
  U8_APPEND(bytes, length, U8_MAX_LENGTH, c, error);
  if (!error) text.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(length));
}

}  // namespace

TextSource text_source(const std::vector<std::string>& texts) {
  return {texts.size(), [&texts](size_t first, size_t count) {
            const auto begin = texts.begin() + static_cast<ptrdiff_t>(first);
            return std::vector<std::string>(begin, begin + static_cast<ptrdiff_t>(count));
          }};
}

std::vector<std::string> split_words(std::string_view text) {
  std::vector<std::string> words;
  std::string word;
  const auto finish = [&] {
    if (!word.empty()) words.push_back(std::move(word));
    word.clear();
  };
  for (size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80) {  // most text is ASCII
      if (std::isalnum(byte)) {
        word += static_cast<char>(std::tolower(byte));
        if (word.size() >= kMaxWordBytes) finish();
      } else {
        finish();
      }
      ++i;
      continue;
    }
    UChar32 c = 0;
    U8_NEXT(text.data(), i, text.size(), c);
    if (c < 0 || !is_word_character(c)) {
      finish();
    } else if (stands_alone(c)) {
      finish();
      append_utf8(word, c);
      finish();
    } else {
      append_utf8(word, u_tolower(c));
      if (word.size() >= kMaxWordBytes) finish();
    }
  }
  finish();
  return words;
}

bool is_stop_word(std::string_view word) {
  static const std::unordered_set<std::string_view> kWords = {
      "a",         "about",    "above",     "across",     "after",     "again",    "against",
      "all",       "almost",   "also",      "although",   "always",    "am",       "among",
      "an",        "and",      "another",   "any",        "anyone",    "anything", "are",
      "aren",      "around",   "as",        "at",         "back",      "be",       "became",
      "because",   "become",   "becomes",   "been",       "before",    "behind",   "being",
      "below",     "between",  "both",      "but",        "by",        "can",      "cannot",
      "could",     "couldn",   "did",       "didn",       "do",        "does",     "doesn",
      "doing",     "don",      "done",      "down",       "due",       "during",   "each",
      "either",    "else",     "enough",    "etc",        "even",      "ever",     "every",
      "few",       "for",      "from",      "further",    "had",       "hadn",     "has",
      "hasn",      "have",     "haven",     "having",     "he",        "hence",    "her",
      "here",      "hers",     "herself",   "him",        "himself",   "his",      "how",
      "however",   "i",        "ie",        "if",         "in",        "indeed",   "instead",
      "into",      "is",       "isn",       "it",         "its",       "itself",   "just",
      "least",     "less",     "let",       "ll",         "many",      "may",      "me",
      "might",     "more",     "moreover",  "most",       "much",      "must",     "my",
      "myself",    "neither",  "never",     "no",         "nor",       "not",      "now",
      "of",        "off",      "often",     "on",         "once",      "one",      "only",
      "onto",      "or",       "other",     "others",     "otherwise", "our",      "ours",
      "ourselves", "out",      "over",      "own",        "per",       "perhaps",  "quite",
      "rather",    "re",       "s",         "same",       "several",   "shall",    "she",
      "should",    "shouldn",  "since",     "so",         "some",      "someone",  "something",
      "sometimes", "still",    "such",      "t",          "than",      "that",     "the",
      "their",     "theirs",   "them",      "themselves", "then",      "there",    "therefore",
      "these",     "they",     "this",      "those",      "though",    "through",  "thus",
      "to",        "together", "too",       "toward",     "towards",   "under",    "until",
      "unto",      "up",       "upon",      "us",         "ve",        "very",     "via",
      "was",       "wasn",     "we",        "well",       "were",      "weren",    "what",
      "whatever",  "when",     "where",     "whether",    "which",     "while",    "who",
      "whole",     "whom",     "whose",     "why",        "will",      "with",     "within",
      "without",   "won",      "would",     "wouldn",     "yet",       "you",      "your",
      "yours",     "yourself", "yourselves"};
  if (kWords.contains(word)) return true;
  return std::ranges::all_of(word, [](char c) { return c >= '0' && c <= '9'; });
}

struct Stemmer::State {
  struct Delete {
    void operator()(sb_stemmer* p) const noexcept { sb_stemmer_delete(p); }
  };
  std::unique_ptr<sb_stemmer, Delete> stemmer;
};

Stemmer::Stemmer() : state_(std::make_unique<State>()) {
  state_->stemmer.reset(sb_stemmer_new("english", "UTF_8"));
  CARYA_ASSERT(state_->stemmer != nullptr);
}
Stemmer::~Stemmer() = default;
Stemmer::Stemmer(Stemmer&&) noexcept = default;

std::string Stemmer::stem(std::string_view word) const {
  const sb_symbol* stem =
      sb_stemmer_stem(state_->stemmer.get(), reinterpret_cast<const sb_symbol*>(word.data()),
                      static_cast<int>(word.size()));
  if (stem == nullptr) return std::string(word);
  return {reinterpret_cast<const char*>(stem),
          static_cast<size_t>(sb_stemmer_length(state_->stemmer.get()))};
}

}  // namespace carya
