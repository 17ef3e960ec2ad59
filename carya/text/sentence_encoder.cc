#include "carya/text/sentence_encoder.h"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/text/encoder_folder.h"

namespace carya {

struct SentenceEncoder::Parts {
  EncoderFolder folder;
  WordPiece tokenizer;
  BertEncoder network;
  size_t max_tokens;
  std::string prompt;
};

namespace {

// Tokens of a batch: their activations (12 KB each for MiniLM) should stay in the L2 while the
// weights, 21 MB of bf16, stream by once a batch.
constexpr size_t kBatchTokens = 192;
constexpr size_t kWindowTexts = 8192;  // tokenized at once
constexpr size_t kTokenizeGrain = 64;

// Workspaces of one encode() call: as many as threads are at work at once.
class WorkspacePool {
 public:
  std::unique_ptr<BertWorkspace> take() {
    const std::lock_guard lock(mutex_);
    if (free_.empty()) return std::make_unique<BertWorkspace>();
    auto workspace = std::move(free_.back());
    free_.pop_back();
    return workspace;
  }
  void give_back(std::unique_ptr<BertWorkspace> workspace) {
    const std::lock_guard lock(mutex_);
    free_.push_back(std::move(workspace));
  }

 private:
  std::mutex mutex_;
  std::vector<std::unique_ptr<BertWorkspace>> free_;
};

void pool(MatrixView<const float> hidden, Pooling pooling, std::span<float> out) {
  if (pooling == Pooling::kFirst) {
    std::ranges::copy(hidden.row(0), out.begin());
    return;
  }
  std::ranges::copy(hidden.row(0), out.begin());
  for (size_t i = 1; i < hidden.rows(); ++i) {
    const float* row = hidden.row_data(i);
    if (pooling == Pooling::kMax) {
      for (size_t j = 0; j < out.size(); ++j) out[j] = std::max(out[j], row[j]);
    } else {
      for (size_t j = 0; j < out.size(); ++j) out[j] += row[j];
    }
  }
  if (pooling == Pooling::kMax) return;
  const auto n = static_cast<float>(hidden.rows());
  const float factor = 1.0f / (pooling == Pooling::kMean ? n : std::sqrt(n));
  for (float& value : out) value *= factor;
}

void normalize(std::span<float> vector) {
  double square = 0;
  for (const float value : vector) square += static_cast<double>(value) * value;
  const auto factor = static_cast<float>(1.0 / std::max(std::sqrt(square), 1e-12));
  for (float& value : vector) value *= factor;
}

void lower_ascii(std::string& text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  }
}

}  // namespace

SentenceEncoder SentenceEncoder::open(const std::filesystem::path& folder,
                                      const SentenceEncoderOptions& options) {
  EncoderFolder read = EncoderFolder::read(folder);
  const size_t max_tokens = options.max_tokens.value_or(read.max_tokens);
  require(max_tokens >= 2 && max_tokens <= read.max_tokens,
          "max_tokens is {}, but {} takes 2 to {}", max_tokens, folder.string(), read.max_tokens);
  WordPiece tokenizer = WordPiece::open(read.transformer);
  if (tokenizer.size() > read.config.vocab_size) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: the tokenizer has {} tokens, but config.json says vocab_size {}",
                            read.transformer.string(), tokenizer.size(), read.config.vocab_size));
  }
  const TensorFile weights = TensorFile::open(read.weights());
  BertEncoder network(read.config, weights, options.precision);
  return SentenceEncoder(std::make_shared<const Parts>(Parts{
      std::move(read), std::move(tokenizer), std::move(network), max_tokens, options.prompt}));
}

size_t SentenceEncoder::dim() const noexcept { return parts_->folder.config.hidden_size; }
size_t SentenceEncoder::max_tokens() const noexcept { return parts_->max_tokens; }
WeightFormat SentenceEncoder::precision() const noexcept { return parts_->network.format(); }
const WordPiece& SentenceEncoder::tokenizer() const noexcept { return parts_->tokenizer; }
const BertEncoder& SentenceEncoder::network() const noexcept { return parts_->network; }

void SentenceEncoder::encode(std::span<const std::string_view> texts, MatrixView<float> vectors,
                             Progress* progress) const {
  require(vectors.rows() == texts.size() && (texts.empty() || vectors.cols() == dim()),
          "vectors are {} x {}, but {} texts of {} dimensions need their place", vectors.rows(),
          vectors.cols(), texts.size(), dim());
  begin_stage(progress, "encode", texts.size(), "texts");
  const Parts& parts = *parts_;
  for (size_t first = 0; first < texts.size(); first += kWindowTexts) {
    const auto window = texts.subspan(first, std::min(kWindowTexts, texts.size() - first));
    std::vector<std::vector<int32_t>> blocks((window.size() - 1) / kTokenizeGrain + 1);
    std::vector<uint32_t> lengths(window.size());
    parallel_for(0, window.size(), kTokenizeGrain, [&](size_t begin, size_t end) {
      std::vector<int32_t>& ids = blocks[begin / kTokenizeGrain];
      std::string changed;
      for (size_t i = begin; i < end; ++i) {
        std::string_view text = window[i];
        if (!parts.prompt.empty() || parts.folder.lowercase) {
          changed.assign(parts.prompt).append(text);
          if (parts.folder.lowercase) lower_ascii(changed);
          text = changed;
        }
        const size_t before = ids.size();
        parts.tokenizer.encode(text, parts.max_tokens, ids);
        lengths[i] = static_cast<uint32_t>(ids.size() - before);
      }
    });
    TokenBatch tokens;
    for (const auto& block : blocks)
      tokens.ids.insert(tokens.ids.end(), block.begin(), block.end());
    for (const uint32_t length : lengths) tokens.offsets.push_back(tokens.offsets.back() + length);
    encode_tokens(tokens, vectors.slice(first, window.size()), progress);
  }
}

void SentenceEncoder::encode_tokens(const TokenBatch& batch, MatrixView<float> vectors,
                                    Progress* progress) const {
  require(vectors.rows() == batch.size(), "{} rows for {} sequences", vectors.rows(), batch.size());
  const auto length = [&](size_t s) { return batch.offsets[s + 1] - batch.offsets[s]; };
  const BertConfig& config = parts_->folder.config;
  for (size_t s = 0; s < batch.size(); ++s) {
    require(batch.offsets[s] < batch.offsets[s + 1] && batch.offsets[s + 1] <= batch.ids.size() &&
                length(s) <= config.max_positions,
            "sequence {} has {} tokens, allowed are 1 to {}", s, length(s), config.max_positions);
  }
  for (const int32_t id : batch.ids) {
    require(id >= 0 && static_cast<size_t>(id) < config.vocab_size,
            "token {}, but the vocabulary has {}", id, config.vocab_size);
  }
  std::vector<size_t> order(batch.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::stable_sort(order, [&](size_t a, size_t b) { return length(a) > length(b); });
  struct Range {
    size_t begin, end;
  };
  std::vector<Range> batches;  // of `order`: the longest first, so that threads end together
  for (size_t begin = 0, end = 0; begin < order.size(); begin = end) {
    size_t n_tokens = 0;
    while (end < order.size() && (end == begin || n_tokens + length(order[end]) <= kBatchTokens)) {
      n_tokens += length(order[end++]);
    }
    batches.push_back({begin, end});
  }

  // Threads share out the batches, or, when these are few, the products within one.
  const bool few = batches.size() < 2 * n_threads();
  WorkspacePool pool;
  const auto run = [&](size_t b) {
    const auto rows = std::span(order).subspan(batches[b].begin, batches[b].end - batches[b].begin);
    TokenBatch part;
    for (const size_t s : rows) {
      part.ids.insert(part.ids.end(), batch.ids.begin() + batch.offsets[s],
                      batch.ids.begin() + batch.offsets[s + 1]);
      part.offsets.push_back(static_cast<uint32_t>(part.ids.size()));
    }
    auto workspace = pool.take();
    run_batch(part, rows, *workspace, few ? GemmThreads::kAll : GemmThreads::kCaller, vectors);
    pool.give_back(std::move(workspace));
    advance(progress, rows.size());
  };
  if (few) {
    for (size_t b = 0; b < batches.size(); ++b) run(b);
  } else {
    parallel_for(0, batches.size(), 1, [&](size_t b, size_t) { run(b); });
  }
}

void SentenceEncoder::run_batch(const TokenBatch& batch, std::span<const size_t> rows,
                                BertWorkspace& workspace, GemmThreads threads,
                                MatrixView<float> vectors) const {
  const MatrixView<const float> hidden = parts_->network.forward(batch, workspace, threads);
  for (size_t s = 0; s < rows.size(); ++s) {
    const size_t first = batch.offsets[s], count = batch.offsets[s + 1] - first;
    const std::span<float> out = vectors.row(rows[s]);
    pool(hidden.slice(first, count), parts_->folder.pooling, out);
    if (parts_->folder.normalize) normalize(out);
  }
}

}  // namespace carya
