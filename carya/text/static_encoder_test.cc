#include "carya/text/static_encoder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/text/fixture.h"

namespace carya {
namespace {

using ::testing::Each;
using ::testing::ElementsAreArray;

const std::filesystem::path kTiny = std::filesystem::path(CARYA_TESTDATA) / "tiny_bert";

Matrix<float> encode(const StaticEncoder& encoder, const std::vector<std::string>& texts) {
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  Matrix<float> vectors(texts.size(), encoder.dim());
  encoder.encode(views, vectors);
  return vectors;
}

double dot(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

StaticEncoder tiny(const StaticEncoderOptions& options = {.dim = 24}) {
  return StaticEncoder::distil(SentenceEncoder::open(kTiny, {.precision = WeightFormat::kF32}),
                               options);
}

TEST(StaticEncoder, AllComponentsKeepTheAnglesBetweenCentredTokenVectors) {
  const auto encoder = SentenceEncoder::open(kTiny, {.precision = WeightFormat::kF32});
  const StaticEncoder table = StaticEncoder::distil(encoder, {.dim = encoder.dim()});
  // The mean over all words, by the definition: texts of one token each.
  std::vector<std::string_view> words;
  TokenBatch batch;
  for (int32_t id = 5; id < static_cast<int32_t>(encoder.tokenizer().size()); ++id) {
    batch.ids.insert(batch.ids.end(), {2, id, 3});
    batch.offsets.push_back(static_cast<uint32_t>(batch.ids.size()));
  }
  Matrix<float> vectors(batch.size(), encoder.dim());
  encoder.encode_tokens(batch, vectors);
  std::vector<double> mean(encoder.dim());
  for (size_t i = 0; i < vectors.rows(); ++i) {
    for (size_t j = 0; j < mean.size(); ++j)
      mean[j] += vectors(i, j) / static_cast<double>(vectors.rows());
  }
  const auto centred = [&](const std::string& token) {
    for (size_t id = 5; id < encoder.tokenizer().size(); ++id) {
      if (encoder.tokenizer().token(id) != token) continue;
      std::vector<float> v(mean.size());
      for (size_t j = 0; j < v.size(); ++j) v[j] = static_cast<float>(vectors(id - 5, j) - mean[j]);
      return v;
    }
    return std::vector<float>();
  };
  const std::vector<std::string> tokens = {"tree", "kernel", "graph"};
  const Matrix<float> found = encode(table, tokens);
  for (size_t a = 0; a < tokens.size(); ++a) {
    for (size_t b = 0; b < tokens.size(); ++b) {
      const auto x = centred(tokens[a]), y = centred(tokens[b]);
      EXPECT_NEAR(dot(found.row(a), found.row(b)), dot(x, y) / std::sqrt(dot(x, x) * dot(y, y)),
                  1e-4);
    }
  }
}

TEST(StaticEncoder, ATextIsTheWeightedMeanOfItsTokens) {
  const StaticEncoder encoder = tiny();
  // With counts that make one token ten times as heavy: a / (a + p).
  std::vector<uint64_t> counts(encoder.tokenizer().size());
  std::vector<int32_t> ids;
  encoder.tokenizer().encode("tree graph", 10, ids);
  counts[static_cast<size_t>(ids[1])] = 1, counts[static_cast<size_t>(ids[2])] = 999;
  const StaticEncoder weighted = encoder.reweighted(counts);
  const Matrix<float> alone = encode(weighted, {"tree", "graph", "tree graph"});
  // The direction of w1 e1 + w2 e2 has a cosine with e1 that follows from e1 . e2 and the norms, of
  // which only the directions are seen here; with w2 << w1 it is nearly e1.
  EXPECT_GT(dot(alone.row(2), alone.row(0)), 0.99);
  EXPECT_LT(dot(alone.row(2), alone.row(1)), 0.99);
}

TEST(StaticEncoder, VectorsHaveNormOneAndUnknownTextsAreZero) {
  const StaticEncoder encoder = tiny({.dim = 10});
  EXPECT_EQ(encoder.dim(), 10u);
  const Matrix<float> vectors = encode(encoder, {"the tree", "", "  ", "[CLS] [PAD] \U0001F600"});
  EXPECT_NEAR(dot(vectors.row(0), vectors.row(0)), 1.0, 1e-5);
  for (size_t i = 1; i < 4; ++i) EXPECT_THAT(vectors.row(i), Each(0.0f));
  EXPECT_EQ(encode(encoder, {}).rows(), 0u);
}

TEST(StaticEncoder, SavedAndOpenedItIsTheSame) {
  const auto path = std::filesystem::temp_directory_path() / "carya_static_encoder.bin";
  const std::vector<std::string> texts = {"the tree of kernels", "graphs, running!", "é 中"};
  const StaticEncoder encoder = tiny();
  encoder.save(path);
  const Matrix<float> before = encode(encoder, texts),
                      after = encode(StaticEncoder::open(path), texts);
  EXPECT_THAT(after.flat(), ElementsAreArray(before.flat()));
  std::string content = read_file(path);
  content[content.size() / 2] ^= 1;
  write_file(path, content);
  EXPECT_THROW(StaticEncoder::open(path), Error);
  write_file(path, content.substr(0, content.size() / 2));
  EXPECT_THROW(StaticEncoder::open(path), Error);
  std::filesystem::remove(path);
  EXPECT_THROW(StaticEncoder::open(path), Error);
}

TEST(StaticEncoder, DoesNotDependOnTheNumberOfThreads) {
  const std::vector<std::string> texts(500, "the tree of kernels");
  const Matrix<float> many = encode(tiny(), texts);
  const ThreadLimit limit(1);
  EXPECT_THAT(encode(tiny(), texts).flat(), ElementsAreArray(many.flat()));
}

TEST(StaticEncoder, WrongOptionsAreRefused) {
  EXPECT_THROW(tiny({.dim = 0}), Error);
  EXPECT_THROW(tiny({.dim = 25}), Error);
  EXPECT_THROW(tiny({.dim = 5, .sif_weight = 0}), Error);
  EXPECT_THROW(tiny().reweighted(std::vector<uint64_t>(3)), Error);
}

}  // namespace
}  // namespace carya
