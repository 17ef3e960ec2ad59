#include "carya/simd/layer_norm.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <cmath>

#include "carya/core/rng.h"

namespace carya {
namespace {

TEST(LayerNorm, FollowsTheDefinitionAtEveryLengthOnEveryInstructionSet) {
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    for (size_t dim = 1; dim < 70; ++dim) {
      Rng rng(dim);
      Matrix<float> x(3, dim);
      std::vector<float> scale(dim), shift(dim);
      for (float& v : x.flat()) v = static_cast<float>(5 + rng.normal());
      for (size_t i = 0; i < dim; ++i) {
        scale[i] = static_cast<float>(rng.normal());
        shift[i] = static_cast<float>(rng.normal());
      }
      const Matrix<float> before = x.copy();
      layer_norm(x, scale, shift, 1e-5f);
      for (size_t r = 0; r < 3; ++r) {
        double mean = 0, variance = 0;
        for (const float v : before.row(r)) mean += v / static_cast<double>(dim);
        for (const float v : before.row(r))
          variance += (v - mean) * (v - mean) / static_cast<double>(dim);
        for (size_t i = 0; i < dim; ++i) {
          const double expected =
              (before(r, i) - mean) / std::sqrt(variance + 1e-5) * scale[i] + shift[i];
          // The mean is about 5 standard deviations: its rounding counts 5 times, more where the
          // variance is small.
          EXPECT_NEAR(x(r, i), expected,
                      2e-5 * (1 + std::abs(scale[i]) / std::sqrt(variance + 1e-5)));
        }
      }
    }
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(LayerNorm, AConstantRowBecomesTheShift) {
  Matrix<float> x(1, 20);
  std::ranges::fill(x.flat(), 3.0f);
  const std::vector<float> scale(20, 2.0f), shift(20, 0.5f);
  layer_norm(x, scale, shift, 1e-12f);
  for (const float v : x.flat()) EXPECT_FLOAT_EQ(v, 0.5f);
}

TEST(LayerNorm, WrongSizesAreRefused) {
  Matrix<float> x(1, 4);
  const std::vector<float> three(3), four(4);
  EXPECT_THROW(layer_norm(x, three, four, 0), Error);
}

}  // namespace
}  // namespace carya
