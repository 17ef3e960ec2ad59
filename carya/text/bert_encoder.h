#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/io/tensor_file.h"
#include "carya/simd/gemm.h"
#include "carya/text/encoder_folder.h"

namespace carya {

// Token sequences one after the other, without padding: sequence s is ids[offsets[s]] ..
// ids[offsets[s + 1] - 1].
struct TokenBatch {
  std::vector<int32_t> ids;
  std::vector<uint32_t> offsets = {0};
  size_t size() const noexcept { return offsets.size() - 1; }
  void clear() { ids.clear(), offsets.assign(1, 0); }
};

// What a forward pass needs beside the weights; one per thread, to be used again.
struct BertWorkspace {
  Matrix<float> hidden, qkv, context, intermediate, attention_scratch;
};

// The network of Devlin et al. 2019: embeddings, then layers of self-attention and of a perceptron,
// each followed by a layer norm.  Products run in the weights' format, all else in f32.
// Immutable, so many threads may share it.
class BertEncoder {
 public:
  // Throws kCorrupt, naming file and tensor, if one is missing or has another shape.  The names may
  // have the prefix `bert.`.
  BertEncoder(const BertConfig& config, const TensorFile& weights, WeightFormat format);

  // The last hidden states [ids.size(), hidden_size] in workspace.hidden (whose further rows are
  // not defined).  Ids must be below vocab_size, sequences not longer than max_positions.
  // 2 * (4 hidden^2 + 2 hidden * intermediate) operations per token and layer.
  MatrixView<const float> forward(const TokenBatch& batch, BertWorkspace& workspace,
                                  GemmThreads threads) const;

  const BertConfig& config() const noexcept { return config_; }
  WeightFormat format() const noexcept { return layers_.front().query_key_value.weights.format(); }
  MatrixView<const float> word_embeddings() const noexcept { return words_; }

 private:
  struct Linear {
    PackedWeights weights;
    std::vector<float> bias;
  };
  struct Norm {
    std::vector<float> scale, shift;
  };
  struct Layer {
    Linear query_key_value, attention_output, intermediate, output;
    Norm attention_norm, output_norm;
  };
  class Reader;

  void embed(const TokenBatch& batch, MatrixView<float> hidden) const;
  void run_layer(const Layer& layer, const TokenBatch& batch, BertWorkspace& workspace,
                 GemmThreads threads) const;

  BertConfig config_;
  Matrix<float> words_;      // [vocab_size, hidden_size]
  Matrix<float> positions_;  // [max_positions, hidden_size], the embedding of type 0 added
  Norm embedding_norm_;
  std::vector<Layer> layers_;
};

}  // namespace carya
