#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/text/words.h"

namespace carya {

// What counts as the words of a text; called from many threads at once.
using TextSplitter = std::function<std::vector<std::string>(std::string_view text)>;

struct LsaOptions {
  size_t n_dims = 100;
  size_t min_documents = 3;    // rarer words are left out; 1 below 1000 texts
  size_t max_words = 200'000;  // the most frequent of the rest
  size_t n_iterations = 5;     // of the subspace iteration
  uint64_t seed = 0;
  void validate() const;
};

// Latent semantic analysis (Deerwester et al. 1990): TF-IDF with sublinear counts, projected on the
// largest singular vectors, which a randomised subspace iteration finds (Halko, Martinsson & Tropp
// 2011).  Needs no model and no language; what it knows are the corpus' own words.  Immutable after
// fit, so many threads may encode.
class Lsa {
 public:
  // Time O(words of all texts * n_dims * n_iterations), memory 12 bytes a distinct word of a text
  // and 4 (n_dims + 20) bytes a word of the vocabulary.  n_dims falls to the vocabulary's size
  // where that is less.  Throws kInvalidArgument if no text has a word.
  static Lsa fit(const TextSource& texts, const LsaOptions& options = {},
                 Progress* progress = nullptr, TextSplitter split = split_words);
  // `split` must be that of fit.  Throws kNotFound, kCorrupt.
  static Lsa open(const std::filesystem::path& path, TextSplitter split = split_words);
  void save(const std::filesystem::path& path) const;

  size_t dim() const noexcept { return projection_.cols(); }
  size_t n_words() const noexcept { return weights_.size(); }
  // Vectors [texts.size(), dim] of length 1; a text without a known word is a row of zeros.
  void encode(std::span<const std::string> texts, MatrixView<float> out) const;
  std::vector<float> encode(const std::string& text) const;
  std::span<const float> singular_values() const noexcept { return singular_values_; }

 private:
  TextSplitter split_;
  std::unordered_map<std::string, uint32_t> word_ids_;
  std::vector<std::string> words_;      // sorted
  std::vector<float> weights_;          // inverse document frequencies
  std::vector<float> singular_values_;  // [dim], largest first
  Matrix<float> projection_;            // [n_words, dim]
  void index_words();
  // (word, tf-idf) of a text, sorted by word, of length 1.
  std::vector<std::pair<uint32_t, float>> weigh(std::string_view text) const;
};

}  // namespace carya
