#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/text/sentence_encoder.h"
#include "carya/text/wordpiece.h"

namespace carya {

struct StaticEncoderOptions {
  size_t dim = 256;          // principal components kept: 1 .. the encoder's dim
  double sif_weight = 1e-3;  // a > 0: a token of frequency p counts a / (a + p) (Arora et al. 2017)
};

// Texts to vectors by a table: the weighted mean of what a SentenceEncoder makes of each of its
// tokens alone (Model2Vec, Tulkens and van Dongen 2024).  Order and context are lost, and it is
// about 500 times as fast.  Immutable, so many threads may share it.
//
//   StaticEncoder encoder = StaticEncoder::distil(SentenceEncoder::open(folder));
//   encoder.save("static.bin");
//   StaticEncoder again = StaticEncoder::open("static.bin");
class StaticEncoder {
 public:
  // Runs every token of the vocabulary through the encoder as [CLS] token [SEP], keeps the leading
  // principal components, and weighs by frequencies that follow Zipf's law over the vocabulary,
  // which BERT's is sorted by.  Five seconds for MiniLM-L6 on 2 cores.  Throws kInvalidArgument.
  static StaticEncoder distil(const SentenceEncoder& encoder,
                              const StaticEncoderOptions& options = {},
                              Progress* progress = nullptr);
  // The same table with weights from how often each token occurs in texts of the user's:
  // counts[id], as count_tokens gives them.  Throws kInvalidArgument if the size differs.
  StaticEncoder reweighted(std::span<const uint64_t> counts) const;
  std::vector<uint64_t> count_tokens(std::span<const std::string_view> texts) const;

  // A file of 4 (dim + 3) bytes a token.  Throws kIo.
  void save(const std::filesystem::path& path) const;
  // Throws kNotFound, or kCorrupt with the file's name.
  static StaticEncoder open(const std::filesystem::path& path);

  size_t dim() const noexcept { return table_.cols(); }
  const WordPiece& tokenizer() const noexcept { return tokenizer_; }

  // vectors [texts.size(), dim] of norm 1; a text without known words (an empty one) has zeros.
  // The whole text counts.  Microseconds a text; a text's vector depends on it alone.
  void encode(std::span<const std::string_view> texts, MatrixView<float> vectors,
              Progress* progress = nullptr) const;

 private:
  StaticEncoder(WordPiece tokenizer, Matrix<float> table, std::vector<float> weights, double sif);
  void encode_one(std::span<const int32_t> ids, std::span<float> vector) const;

  WordPiece tokenizer_;
  Matrix<float> table_;         // [tokens, dim]
  std::vector<float> weights_;  // [tokens]; 0 for special and unused ones
  double sif_weight_;
};

}  // namespace carya
