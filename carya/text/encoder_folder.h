#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace carya {

struct BertConfig {
  size_t vocab_size = 0, hidden_size = 0, n_layers = 0, n_heads = 0, intermediate_size = 0;
  size_t max_positions = 0;
  float layer_norm_epsilon = 1e-12f;
};

// How the vectors of a text's tokens become one.
enum class Pooling {
  kMean,
  kFirst,     // of [CLS]
  kMax,       // per dimension
  kMeanSqrt,  // sum over the square root of the number of tokens
};

// What a sentence-transformers folder says beside its weights: config.json, modules.json, the
// config.json of the pooling module and sentence_bert_config.json.
struct EncoderFolder {
  BertConfig config;
  Pooling pooling = Pooling::kMean;
  bool normalize = false;
  size_t max_tokens = 512;            // [CLS] and [SEP] included
  bool lowercase = false;             // before the tokenizer
  std::filesystem::path transformer;  // the folder of the weights and of the tokenizer

  // Throws kNotFound, or kCorrupt with the file's name, what it says and what is known.
  static EncoderFolder read(const std::filesystem::path& folder);
  // model.safetensors or pytorch_model.bin.  Throws kNotFound if neither is there.
  std::filesystem::path weights() const;
};

}  // namespace carya
