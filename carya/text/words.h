#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace carya {

// Texts that need not all be in memory: read(first, count) gives texts first .. first + count - 1.
// Called from one thread at a time.
struct TextSource {
  size_t n_texts = 0;
  std::function<std::vector<std::string>(size_t first, size_t count)> read;
};
TextSource text_source(const std::vector<std::string>& texts);  // `texts` must outlive it

// The words of a text: runs of letters, digits and combining marks (Unicode), in lower case; each
// Han, Hiragana, Katakana or Hangul character by itself.  Words of more than 64 bytes are cut
// there. Any bytes are accepted; what is not UTF-8 separates words.
std::vector<std::string> split_words(std::string_view text);

// English function words and numbers without letters, which name nothing.  `word` is lower case.
bool is_stop_word(std::string_view word);

// Porter2 stems of English words; other words come back as they are.  One thread at a time.
class Stemmer {
 public:
  Stemmer();
  ~Stemmer();
  Stemmer(Stemmer&&) noexcept;
  std::string stem(std::string_view word) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace carya
