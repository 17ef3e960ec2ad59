#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "carya/core/progress.h"
#include "carya/text/words.h"

namespace carya {

struct TermOptions {
  size_t min_documents = 2;         // rarer terms name nothing; 1 below 100 texts
  size_t max_terms = 300'000;       // the most frequent of the rest
  size_t max_words_per_text = 500;  // of a longer text the beginning counts
};

// Which terms are in which text.  A term is a stem that is no stop word, or two that follow each
// other; it is shown in its commonest spelling.
struct TermTable {
  std::vector<std::string> spellings;  // [n_terms]
  std::vector<uint32_t> n_documents;   // [n_terms]: texts with the term
  std::vector<uint32_t> first_stem;    // [n_terms]: a number per stem, to see shared words
  std::vector<uint32_t> second_stem;   // [n_terms]: kNoTerm for a single word
  std::vector<size_t> starts = {0};    // [n_texts + 1]
  std::vector<uint32_t> terms;         // of each text, rising, each once
  static constexpr uint32_t kNoTerm = 0xffffffffu;

  size_t n_texts() const noexcept { return starts.size() - 1; }
  size_t n_terms() const noexcept { return spellings.size(); }
  std::span<const uint32_t> terms_of(size_t text) const noexcept {
    return std::span(terms).subspan(starts[text], starts[text + 1] - starts[text]);
  }
};

// Reads the texts once.  O(words) time, 4 bytes a term of a text.  The same for every number of
// threads.
TermTable extract_terms(const TextSource& texts, const TermOptions& options = {},
                        Progress* progress = nullptr);

}  // namespace carya
