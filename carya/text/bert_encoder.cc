#include "carya/text/bert_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "carya/core/parallel.h"
#include "carya/simd/layer_norm.h"
#include "carya/simd/self_attention.h"

namespace carya {

// Tensors by the names that transformers gives them.
class BertEncoder::Reader {
 public:
  Reader(const BertConfig& config, const TensorFile& file, WeightFormat format)
      : config_(config),
        file_(file),
        format_(format),
        prefix_(file.has("bert.embeddings.word_embeddings.weight") ? "bert." : "") {}

  Matrix<float> matrix(const std::string& name, size_t rows, size_t cols) const {
    return file_.read(prefix_ + name, rows, cols);
  }
  std::vector<float> vector(const std::string& name, size_t size) const {
    return file_.read(prefix_ + name, size);
  }
  Linear linear(const std::string& name, size_t n_outputs, size_t n_inputs) const {
    return {PackedWeights::pack(matrix(name + ".weight", n_outputs, n_inputs), format_),
            vector(name + ".bias", n_outputs)};
  }
  Norm norm(const std::string& name) const {
    return {vector(name + ".weight", config_.hidden_size),
            vector(name + ".bias", config_.hidden_size)};
  }
  // One product for all three; the queries carry the 1 / sqrt(d) of the attention.
  Linear query_key_value(const std::string& name) const {
    const size_t dim = config_.hidden_size;
    const float scale = 1.0f / std::sqrt(static_cast<float>(dim / config_.n_heads));
    auto weights = Matrix<float>::uninitialized(3 * dim, dim);
    std::vector<float> bias;
    size_t row = 0;
    for (const char* part : {".query", ".key", ".value"}) {
      const float factor = row == 0 ? scale : 1.0f;
      const Matrix<float> from = matrix(name + part + ".weight", dim, dim);
      std::ranges::transform(from.flat(), weights.row_data(row),
                             [&](float w) { return w * factor; });
      for (const float b : vector(name + part + ".bias", dim)) bias.push_back(b * factor);
      row += dim;
    }
    return {PackedWeights::pack(weights, format_), std::move(bias)};
  }
  Layer layer(size_t i) const {
    const std::string name = fmt::format("encoder.layer.{}.", i);
    const size_t dim = config_.hidden_size, wide = config_.intermediate_size;
    return {.query_key_value = query_key_value(name + "attention.self"),
            .attention_output = linear(name + "attention.output.dense", dim, dim),
            .intermediate = linear(name + "intermediate.dense", wide, dim),
            .output = linear(name + "output.dense", dim, wide),
            .attention_norm = norm(name + "attention.output.LayerNorm"),
            .output_norm = norm(name + "output.LayerNorm")};
  }

 private:
  const BertConfig& config_;
  const TensorFile& file_;
  WeightFormat format_;
  std::string prefix_;
};

BertEncoder::BertEncoder(const BertConfig& config, const TensorFile& weights, WeightFormat format)
    : config_(config) {
  const Reader reader(config_, weights, format);
  const size_t dim = config_.hidden_size;
  words_ = reader.matrix("embeddings.word_embeddings.weight", config_.vocab_size, dim);
  positions_ = reader.matrix("embeddings.position_embeddings.weight", config_.max_positions, dim);
  const auto types = weights.tensors().find("embeddings.token_type_embeddings.weight");
  const size_t n_types =
      types != weights.tensors().end() && !types->second.shape.empty() ? types->second.shape[0] : 2;
  const Matrix<float> type = reader.matrix("embeddings.token_type_embeddings.weight", n_types, dim);
  for (size_t i = 0; i < positions_.rows() && n_types > 0; ++i) {
    for (size_t j = 0; j < dim; ++j) positions_(i, j) += type(0, j);
  }
  embedding_norm_ = reader.norm("embeddings.LayerNorm");
  layers_.resize(config_.n_layers);
  parallel_for(0, layers_.size(), 1, [&](size_t i, size_t) { layers_[i] = reader.layer(i); });
}

void BertEncoder::embed(const TokenBatch& batch, MatrixView<float> hidden) const {
  for (size_t s = 0; s < batch.size(); ++s) {
    for (size_t i = batch.offsets[s]; i < batch.offsets[s + 1]; ++i) {
      const auto word = static_cast<size_t>(batch.ids[i]);
      CARYA_ASSERT(word < words_.rows() && i - batch.offsets[s] < positions_.rows());
      std::ranges::transform(words_.row(word), positions_.row(i - batch.offsets[s]),
                             hidden.row_data(i), std::plus<>());
    }
  }
  layer_norm(hidden, embedding_norm_.scale, embedding_norm_.shift, config_.layer_norm_epsilon);
}

void BertEncoder::run_layer(const Layer& layer, const TokenBatch& batch, BertWorkspace& workspace,
                            GemmThreads threads) const {
  const size_t n = batch.ids.size();
  const auto rows = [&](Matrix<float>& matrix) { return matrix.view().slice(0, n); };
  const MatrixView<float> hidden = rows(workspace.hidden);
  gemm(hidden, layer.query_key_value.weights, {.bias = layer.query_key_value.bias},
       rows(workspace.qkv), threads);
  self_attention(rows(workspace.qkv), batch.offsets, config_.n_heads, rows(workspace.context),
                 workspace.attention_scratch);
  gemm(rows(workspace.context), layer.attention_output.weights,
       {.bias = layer.attention_output.bias, .residual = hidden}, hidden, threads);
  layer_norm(hidden, layer.attention_norm.scale, layer.attention_norm.shift,
             config_.layer_norm_epsilon);
  gemm(hidden, layer.intermediate.weights,
       {.bias = layer.intermediate.bias, .activation = Activation::kGelu},
       rows(workspace.intermediate), threads);
  gemm(rows(workspace.intermediate), layer.output.weights,
       {.bias = layer.output.bias, .residual = hidden}, hidden, threads);
  layer_norm(hidden, layer.output_norm.scale, layer.output_norm.shift, config_.layer_norm_epsilon);
}

MatrixView<const float> BertEncoder::forward(const TokenBatch& batch, BertWorkspace& workspace,
                                             GemmThreads threads) const {
  const size_t n = batch.ids.size(), dim = config_.hidden_size;
  if (workspace.hidden.rows() < n) {
    workspace.hidden = Matrix<float>::uninitialized(n, dim);
    workspace.qkv = Matrix<float>::uninitialized(n, 3 * dim);
    workspace.context = Matrix<float>::uninitialized(n, dim);
    workspace.intermediate = Matrix<float>::uninitialized(n, config_.intermediate_size);
  }
  const MatrixView<float> hidden = workspace.hidden.view().slice(0, n);
  embed(batch, hidden);
  for (const Layer& layer : layers_) run_layer(layer, batch, workspace, threads);
  return hidden;
}

}  // namespace carya
