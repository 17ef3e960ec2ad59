#include "carya/simd/self_attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>

#include "carya/core/rng.h"

namespace carya {
namespace {

Matrix<float> random_matrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix<float> matrix(rows, cols);
  Rng rng(seed);
  for (float& value : matrix.flat()) value = static_cast<float>(rng.normal());
  return matrix;
}

// The definition, in double.
Matrix<double> naive_attention(const Matrix<float>& qkv, std::span<const uint32_t> offsets,
                               size_t n_heads) {
  const size_t dim = qkv.cols() / 3, head_dim = dim / n_heads;
  Matrix<double> out(qkv.rows(), dim);
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    for (size_t h = 0; h < n_heads; ++h) {
      for (size_t i = offsets[s]; i < offsets[s + 1]; ++i) {
        double total = 0;
        for (size_t j = offsets[s]; j < offsets[s + 1]; ++j) {
          double dot = 0;
          for (size_t t = h * head_dim; t < (h + 1) * head_dim; ++t) {
            dot += static_cast<double>(qkv(i, t)) * qkv(j, dim + t);
          }
          const double weight = std::exp(dot);
          total += weight;
          for (size_t t = h * head_dim; t < (h + 1) * head_dim; ++t) {
            out(i, t) += weight * qkv(j, 2 * dim + t);
          }
        }
        for (size_t t = h * head_dim; t < (h + 1) * head_dim; ++t) out(i, t) /= total;
      }
    }
  }
  return out;
}

TEST(SelfAttention, FollowsTheDefinitionOnEveryInstructionSet) {
  const std::vector<uint32_t> offsets = {0, 1, 3, 3, 6, 21, 37, 54, 118};
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    for (const auto& [n_heads, head_dim] : {std::pair{1, 1}, {2, 12}, {3, 16}, {2, 32}, {1, 70}}) {
      SCOPED_TRACE(head_dim);
      const auto heads = static_cast<size_t>(n_heads), dim = heads * static_cast<size_t>(head_dim);
      const auto qkv = random_matrix(118, 3 * dim, 1);
      Matrix<float> out(118, dim), scratch;
      self_attention(qkv, offsets, heads, out, scratch);
      const auto expected = naive_attention(qkv, offsets, heads);
      for (size_t i = 0; i < out.size(); ++i) {
        // Scores reach 40 in f32: their rounding of 4e-6 is the relative error of a weight.
        ASSERT_NEAR(out.flat()[i], expected.flat()[i], 1e-4);
      }
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(SelfAttention, ASequenceDoesNotDependOnItsNeighbours) {
  const auto qkv = random_matrix(50, 96, 2);
  const std::vector<uint32_t> together = {0, 7, 30, 50}, alone = {0, 23};
  Matrix<float> all(50, 32), one(23, 32), scratch;
  self_attention(qkv, together, 2, all, scratch);
  self_attention(Matrix<float>::copy(qkv.view().slice(7, 23)), alone, 2, one, scratch);
  for (size_t i = 0; i < 23; ++i) {
    EXPECT_THAT(one.row(i), ::testing::ElementsAreArray(all.row(7 + i)));
  }
}

TEST(SelfAttention, LargeScoresDoNotOverflow) {
  Matrix<float> qkv(2, 3), out(2, 1), scratch;
  qkv(0, 0) = 1000, qkv(0, 1) = 1000, qkv(0, 2) = 1;
  qkv(1, 0) = 1000, qkv(1, 1) = -1000, qkv(1, 2) = 5;
  const std::vector<uint32_t> offsets = {0, 2};
  self_attention(qkv, offsets, 1, out, scratch);
  EXPECT_THAT(out.flat(), ::testing::ElementsAre(1, 1));
}

TEST(SelfAttention, WrongShapesAreRefused) {
  Matrix<float> qkv(4, 12), out(4, 4), scratch;
  const std::vector<uint32_t> beyond = {0, 5}, falling = {2, 1};
  EXPECT_THROW(self_attention(qkv, beyond, 2, out, scratch), Error);
  EXPECT_THROW(self_attention(qkv, falling, 2, out, scratch), Error);
  EXPECT_THROW(self_attention(qkv, falling, 3, out, scratch), Error);
}

}  // namespace
}  // namespace carya
