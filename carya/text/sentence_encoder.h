#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/text/bert_encoder.h"
#include "carya/text/wordpiece.h"

namespace carya {

struct SentenceEncoderOptions {
  // Cosine to f32 over 1,200 package descriptions, least and mean: bf16 0.99996 and 0.99999, int8
  // 0.9977 and 0.9991 (of ten nearest neighbours 9.66 stay) at 1.6 times the speed.  What the CPU
  // does not compute with becomes f32.
  WeightFormat precision = WeightFormat::kBf16;
  std::optional<size_t> max_tokens = {};  // 2 .. the folder's, which it is by default
  std::string prompt = {};  // put before each text: "query: " and the like, where a model wants it
};

// Texts to vectors that are near where the meaning is: a sentence-transformers folder of the BERT
// family (all-MiniLM, bge, e5, gte, ...), with the tokenizer, pooling and normalization that the
// folder names.  Immutable, so many threads may share it.
//
//   SentenceEncoder encoder = SentenceEncoder::open("models/all-MiniLM-L6-v2");
//   Matrix<float> vectors(texts.size(), encoder.dim());
//   encoder.encode(texts, vectors);
class SentenceEncoder {
 public:
  // Throws kNotFound (a folder or file that is missing), kCorrupt (what does not fit, with the
  // file's name; another architecture by its name) or kInvalidArgument.  A second for 90 MB.
  static SentenceEncoder open(const std::filesystem::path& folder,
                              const SentenceEncoderOptions& options = {});

  size_t dim() const noexcept;
  size_t max_tokens() const noexcept;
  WeightFormat precision() const noexcept;  // what runs: kF32 if the CPU lacks the wish
  const WordPiece& tokenizer() const noexcept;
  const BertEncoder& network() const noexcept;

  // vectors [texts.size(), dim].  A text is UTF-8 (wrong bytes count as U+FFFD); what is beyond
  // max_tokens is left out.  A text without words, the empty one too, has the vector of [CLS]
  // [SEP]. A text's vector depends on it alone, not on its neighbours or on the number of threads.
  // 21 MFLOP a token for MiniLM-L6, on all threads; 10 MB a thread beside the result.
  // Throws kInvalidArgument if `vectors` has another shape, kCancelled if progress says so.
  void encode(std::span<const std::string_view> texts, MatrixView<float> vectors,
              Progress* progress = nullptr) const;
  // The vectors of token sequences as they are: 1 token or more each.  Throws kInvalidArgument for
  // an id beyond the vocabulary or a sequence longer than the network's positions, too.
  void encode_tokens(const TokenBatch& batch, MatrixView<float> vectors,
                     Progress* progress = nullptr) const;

 private:
  struct Parts;
  explicit SentenceEncoder(std::shared_ptr<const Parts> parts) : parts_(std::move(parts)) {}
  void run_batch(const TokenBatch& batch, std::span<const size_t> rows, BertWorkspace& workspace,
                 GemmThreads threads, MatrixView<float> vectors) const;
  std::shared_ptr<const Parts> parts_;
};

}  // namespace carya
