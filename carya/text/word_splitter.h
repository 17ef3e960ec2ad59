#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace carya {

// What a BERT tokenizer does to a text before it looks words up.
struct NormalizerOptions {
  bool clean_text = true;            // drop control characters and U+FFFD, all white space is ' '
  bool handle_chinese_chars = true;  // each CJK ideograph is a word
  bool strip_accents = true;         // NFD, then drop the nonspacing marks
  bool lowercase = true;
};

// Splits a text into words as BertNormalizer and BertPreTokenizer of Hugging Face `tokenizers` do:
// at white space, which vanishes, and around each punctuation mark, which is a word.  Bytes that
// are no UTF-8 count as U+FFFD.  ASCII goes through a table, the rest through ICU.
// Characters are decomposed one by one: unlike NFD, spacing marks keep their order.
//
//   WordSplitter words("Hello, Wörld", {});
//   while (words.next()) use(words.word());  // hello | , | world
class WordSplitter {
 public:
  // `text` must outlive this.
  WordSplitter(std::string_view text, const NormalizerOptions& options)
      : text_(text), options_(options) {}
  // Goes to the next word; false at the end.
  bool next();
  // The word, normalized, as UTF-8; until next().  Never empty.
  std::string_view word() const noexcept { return word_; }
  size_t n_chars() const noexcept { return n_chars_; }

 private:
  enum class CharClass : uint8_t { kWord, kSpace, kAlone, kDrop };
  static constexpr size_t kMaxExpansion = 8;  // Unicode's longest canonical decomposition has 4
  struct Char {
    char32_t code;
    CharClass char_class;
  };
  struct AsciiTable;

  void expand(char32_t c);
  CharClass classify(char32_t c) const;
  void append(char32_t c);

  std::string_view text_;
  NormalizerOptions options_;
  size_t position_ = 0;
  Char pending_[kMaxExpansion];  // of a character beyond ASCII
  size_t first_pending_ = 0, n_pending_ = 0;
  std::string word_;
  size_t n_chars_ = 0;
};

}  // namespace carya
