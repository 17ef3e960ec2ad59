#include "carya/text/static_encoder.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>

#include "carya/core/container.h"
#include "carya/core/parallel.h"
#include "carya/simd/gemm.h"

namespace carya {

namespace {

constexpr const char* kKind = "static_encoder";
constexpr uint32_t kVersion = 1;
constexpr size_t kGrain = 64;  // texts

// Tokens that stand for words: not special ones, not [unused7], not holes of the vocabulary.
std::vector<uint8_t> find_words(const WordPiece& tokenizer) {
  std::vector<uint8_t> is_word(tokenizer.size(), 1);
  for (size_t id = 0; id < is_word.size(); ++id) {
    const std::string_view token = tokenizer.token(id);
    if (token.empty() || (token.starts_with("[unused") && token.ends_with("]"))) is_word[id] = 0;
  }
  for (const int32_t id : tokenizer.special_ids()) is_word[static_cast<size_t>(id)] = 0;
  return is_word;
}

float sif(double sif_weight, double frequency) {
  return static_cast<float>(sif_weight / (sif_weight + frequency));
}

// Mean of the rows, and their covariance times the number of rows, in double.
struct Moments {
  Eigen::VectorXd mean;
  Eigen::MatrixXd scatter;
};
Moments moments_of(MatrixView<const float> rows) {
  constexpr size_t kBlock = 1024;  // sums of so many products in f32, the blocks' in double
  const size_t dim = rows.cols();
  const auto edge = static_cast<Eigen::Index>(dim);
  Moments moments{Eigen::VectorXd::Zero(edge), Eigen::MatrixXd::Zero(edge, edge)};
  for (size_t i = 0; i < rows.rows(); ++i) {
    for (size_t j = 0; j < dim; ++j) moments.mean(static_cast<Eigen::Index>(j)) += rows(i, j);
  }
  moments.mean /= static_cast<double>(rows.rows());
  Matrix<float> block(dim, kBlock), products(dim, dim);
  for (size_t first = 0; first < rows.rows(); first += kBlock) {
    const size_t n = std::min(kBlock, rows.rows() - first);
    std::ranges::fill(block.flat(), 0.0f);
    for (size_t j = 0; j < dim; ++j) {
      const double mean = moments.mean(static_cast<Eigen::Index>(j));
      for (size_t i = 0; i < n; ++i) block(j, i) = static_cast<float>(rows(first + i, j) - mean);
    }
    gemm(block, PackedWeights::pack(block, WeightFormat::kF32), {}, products);
    for (size_t i = 0; i < dim; ++i) {
      for (size_t j = 0; j < dim; ++j) {
        moments.scatter(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(j)) +=
            products(i, j);
      }
    }
  }
  return moments;
}

// rows, centred, on their `dim` leading principal components; each component's largest entry is
// positive, so that the result is one.
Matrix<float> project(MatrixView<const float> rows, const Moments& moments, size_t dim) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(moments.scatter);
  Matrix<float> components(dim, rows.cols());
  std::vector<float> shift(dim);
  for (size_t c = 0; c < dim; ++c) {
    Eigen::VectorXd vector =
        solver.eigenvectors().col(moments.scatter.cols() - 1 - static_cast<Eigen::Index>(c));
    Eigen::Index largest = 0;
    vector.cwiseAbs().maxCoeff(&largest);
    if (vector(largest) < 0) vector = -vector;
    for (size_t j = 0; j < rows.cols(); ++j) {
      components(c, j) = static_cast<float>(vector(static_cast<Eigen::Index>(j)));
    }
    shift[c] = static_cast<float>(-vector.dot(moments.mean));
  }
  auto projected = Matrix<float>::uninitialized(rows.rows(), dim);
  gemm(rows, PackedWeights::pack(components, WeightFormat::kF32), {.bias = shift}, projected);
  return projected;
}

// WordPieceOptions in a file.
struct TokenizerSection {
  uint8_t clean_text, handle_chinese_chars, strip_accents, lowercase;
  uint32_t max_chars_per_word;
  double sif_weight;
};

std::vector<std::byte> pack_strings(std::span<const std::string> strings) {
  std::vector<std::byte> bytes;
  for (const std::string& text : strings) {
    const auto size = static_cast<uint32_t>(text.size());
    const auto* p = reinterpret_cast<const std::byte*>(&size);
    bytes.insert(bytes.end(), p, p + sizeof(size));
    const auto chars = std::as_bytes(std::span(text));
    bytes.insert(bytes.end(), chars.begin(), chars.end());
  }
  return bytes;
}

std::vector<std::string> unpack_strings(const Container& file, std::string_view section) {
  std::span<const std::byte> bytes = file.array<std::byte>(section);
  std::vector<std::string> strings;
  while (!bytes.empty()) {
    uint32_t size = 0;
    if (bytes.size() < sizeof(size)) file.fail("a string is cut off");
    std::memcpy(&size, bytes.data(), sizeof(size));
    bytes = bytes.subspan(sizeof(size));
    if (size > bytes.size()) file.fail("a string is cut off");
    strings.emplace_back(reinterpret_cast<const char*>(bytes.data()), size);
    bytes = bytes.subspan(size);
  }
  return strings;
}

}  // namespace

StaticEncoder::StaticEncoder(WordPiece tokenizer, Matrix<float> table, std::vector<float> weights,
                             double sif)
    : tokenizer_(std::move(tokenizer)),
      table_(std::move(table)),
      weights_(std::move(weights)),
      sif_weight_(sif) {}

StaticEncoder StaticEncoder::distil(const SentenceEncoder& encoder,
                                    const StaticEncoderOptions& options, Progress* progress) {
  require(options.dim >= 1 && options.dim <= encoder.dim(), "dim is {}, allowed are 1 to {}",
          options.dim, encoder.dim());
  require(options.sif_weight > 0 && std::isfinite(options.sif_weight),
          "sif_weight is {}, but must be positive", options.sif_weight);
  const WordPiece& tokenizer = encoder.tokenizer();
  const std::vector<uint8_t> is_word = find_words(tokenizer);
  std::vector<size_t> words;
  TokenBatch batch;
  for (size_t id = 0; id < is_word.size(); ++id) {
    if (is_word[id] == 0) continue;
    words.push_back(id);
    batch.ids.insert(batch.ids.end(),
                     {tokenizer.first_id(), static_cast<int32_t>(id), tokenizer.last_id()});
    batch.offsets.push_back(static_cast<uint32_t>(batch.ids.size()));
  }
  require(words.size() >= 2, "the vocabulary has {} words, too few for a table", words.size());
  require(encoder.max_tokens() >= 3, "max_tokens is {}, but [CLS] token [SEP] are 3",
          encoder.max_tokens());
  begin_stage(progress, "distil", words.size(), "tokens");
  auto vectors = Matrix<float>::uninitialized(words.size(), encoder.dim());
  encoder.encode_tokens(batch, vectors, progress);
  const Matrix<float> projected = project(vectors, moments_of(vectors), options.dim);

  Matrix<float> table(tokenizer.size(), options.dim);
  std::vector<float> weights(tokenizer.size());
  double harmonic = 0;
  for (size_t rank = 1; rank <= words.size(); ++rank) harmonic += 1.0 / static_cast<double>(rank);
  for (size_t i = 0; i < words.size(); ++i) {
    std::ranges::copy(projected.row(i), table.row_data(words[i]));
    weights[words[i]] = sif(options.sif_weight, 1.0 / (static_cast<double>(i + 1) * harmonic));
  }
  return {tokenizer, std::move(table), std::move(weights), options.sif_weight};
}

std::vector<uint64_t> StaticEncoder::count_tokens(std::span<const std::string_view> texts) const {
  std::vector<uint64_t> counts(tokenizer_.size());
  std::vector<int32_t> ids;
  for (const std::string_view text : texts) {
    ids.clear();
    tokenizer_.encode(text, std::numeric_limits<uint32_t>::max(), ids);
    for (const int32_t id : ids) ++counts[static_cast<size_t>(id)];
  }
  return counts;
}

StaticEncoder StaticEncoder::reweighted(std::span<const uint64_t> counts) const {
  require(counts.size() == tokenizer_.size(), "{} counts for {} tokens", counts.size(),
          tokenizer_.size());
  double total = 0;
  for (size_t id = 0; id < counts.size(); ++id) {
    if (weights_[id] > 0) total += static_cast<double>(counts[id]);
  }
  std::vector<float> weights(counts.size());
  for (size_t id = 0; id < counts.size(); ++id) {
    if (weights_[id] == 0) continue;
    weights[id] = sif(sif_weight_, static_cast<double>(counts[id]) / std::max(total, 1.0));
  }
  return {tokenizer_, table_.copy(), std::move(weights), sif_weight_};
}

void StaticEncoder::save(const std::filesystem::path& path) const {
  const WordPieceOptions& options = tokenizer_.options();
  ContainerWriter out(kKind, kVersion);
  TokenizerSection section;
  std::memset(&section, 0, sizeof(section));
  section.clean_text = options.normalizer.clean_text;
  section.handle_chinese_chars = options.normalizer.handle_chinese_chars;
  section.strip_accents = options.normalizer.strip_accents;
  section.lowercase = options.normalizer.lowercase;
  section.max_chars_per_word = static_cast<uint32_t>(
      std::min<size_t>(options.max_chars_per_word, std::numeric_limits<uint32_t>::max()));
  section.sif_weight = sif_weight_;
  out.add_value("tokenizer", section);
  std::vector<std::string> tokens;
  for (size_t id = 0; id < tokenizer_.size(); ++id) tokens.emplace_back(tokenizer_.token(id));
  out.add_copy("tokens", pack_strings(tokens));
  std::vector<std::string> special = {options.unknown, options.first, options.last,
                                      options.continuation};
  special.insert(special.end(), options.special.begin(), options.special.end());
  out.add_copy("special", pack_strings(special));
  out.add<float>("weights", weights_);
  out.add<float>("table", table_.flat());
  out.save(path);
}

StaticEncoder StaticEncoder::open(const std::filesystem::path& path) {
  const Container file = Container::open(path, kKind, kVersion);
  const auto section = file.value<TokenizerSection>("tokenizer");
  WordPieceOptions options;
  options.normalizer = {.clean_text = section.clean_text != 0,
                        .handle_chinese_chars = section.handle_chinese_chars != 0,
                        .strip_accents = section.strip_accents != 0,
                        .lowercase = section.lowercase != 0};
  options.max_chars_per_word = section.max_chars_per_word;
  std::vector<std::string> special = unpack_strings(file, "special");
  if (special.size() < 4) file.fail("the special tokens are missing");
  options.unknown = special[0], options.first = special[1], options.last = special[2];
  options.continuation = special[3];
  options.special.assign(special.begin() + 4, special.end());

  std::vector<std::string> tokens = unpack_strings(file, "tokens");
  const std::span<const float> weights = file.array<float>("weights");
  const std::span<const float> values = file.array<float>("table");
  const size_t n = tokens.size();
  if (n == 0 || weights.size() != n || values.empty() || values.size() % n != 0) {
    file.fail("the sizes of its sections do not fit together");
  }
  auto table = Matrix<float>::uninitialized(n, values.size() / n);
  std::ranges::copy(values, table.data());
  try {
    return {WordPiece(std::move(tokens), options),
            std::move(table),
            {weights.begin(), weights.end()},
            section.sif_weight};
  } catch (const Error& e) {
    file.fail(e.what());
  }
}

void StaticEncoder::encode_one(std::span<const int32_t> ids, std::span<float> vector) const {
  std::ranges::fill(vector, 0.0f);
  for (const int32_t id : ids) {
    const float weight = weights_[static_cast<size_t>(id)];
    if (weight == 0) continue;
    const float* row = table_.row_data(static_cast<size_t>(id));
    for (size_t j = 0; j < vector.size(); ++j) vector[j] += weight * row[j];
  }
  double square = 0;
  for (const float value : vector) square += static_cast<double>(value) * value;
  if (square == 0) return;
  const auto factor = static_cast<float>(1.0 / std::sqrt(square));
  for (float& value : vector) value *= factor;
}

void StaticEncoder::encode(std::span<const std::string_view> texts, MatrixView<float> vectors,
                           Progress* progress) const {
  require(vectors.rows() == texts.size() && (texts.empty() || vectors.cols() == dim()),
          "vectors are {} x {}, but {} texts of {} dimensions need their place", vectors.rows(),
          vectors.cols(), texts.size(), dim());
  begin_stage(progress, "encode", texts.size(), "texts");
  parallel_for(0, texts.size(), kGrain, [&](size_t begin, size_t end) {
    std::vector<int32_t> ids;
    for (size_t i = begin; i < end; ++i) {
      ids.clear();
      tokenizer_.encode(texts[i], std::numeric_limits<uint32_t>::max(), ids);
      encode_one(ids, vectors.row(i));
    }
    advance(progress, end - begin);
  });
}

}  // namespace carya
