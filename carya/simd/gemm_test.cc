#include "carya/simd/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <string>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

Matrix<float> random_matrix(size_t rows, size_t cols, uint64_t seed) {
  Matrix<float> matrix(rows, cols);
  Rng rng(seed);
  for (float& value : matrix.flat()) value = static_cast<float>(rng.normal());
  return matrix;
}

double exact_gelu(double x) { return 0.5 * x * (1.0 + std::erf(x / std::sqrt(2.0))); }

struct Reference {
  Matrix<double> values;
  Matrix<double> bound;  // of the error of a format
};
// The definition in double, with the error that the format may make in the worst case:
//   kF32   k + 4 roundings, each of 2^-24 of sum |x w|
//   kBf16  both factors rounded to 8 bits: 2 * 2^-8 of sum |x w| at most, with f32's sums
//   kInt8  a step of the row's 255 levels times sum |w|, half a step of the output's 127 levels
//   times
//          sum |x|
Reference naive_gemm(const Matrix<float>& x, const Matrix<float>& w, const GemmEpilogue& epilogue,
                     WeightFormat format) {
  const auto k = static_cast<double>(x.cols());
  Reference r{Matrix<double>(x.rows(), w.rows()), Matrix<double>(x.rows(), w.rows())};
  for (size_t i = 0; i < x.rows(); ++i) {
    const auto [low, high] = std::ranges::minmax(x.row(i));
    const double x_step = (std::max(high, 0.0f) - std::min(low, 0.0f)) / 255.0;
    for (size_t j = 0; j < w.rows(); ++j) {
      double w_step = 0, sum = epilogue.bias.empty() ? 0.0 : epilogue.bias[j];
      double sum_x = 0, sum_w = 0, sum_xw = std::abs(sum);
      for (size_t c = 0; c < x.cols(); ++c) {
        const double product = static_cast<double>(x(i, c)) * w(j, c);
        sum += product;
        sum_xw += std::abs(product);
        sum_x += std::abs(x(i, c));
        sum_w += std::abs(w(j, c));
        w_step = std::max(w_step, std::abs(w(j, c)) / 127.0);
      }
      double bound = 6e-8 * (k + 4) * sum_xw;
      if (format == WeightFormat::kBf16) bound += 2.01 / 256 * sum_xw;
      if (format == WeightFormat::kInt8) {
        bound += x_step * sum_w + 0.5 * w_step * sum_x + k * x_step * w_step;
      }
      if (epilogue.activation == Activation::kGelu) {
        sum = exact_gelu(sum);
        bound = 1.13 * bound + 2e-6;  // 1.13: its steepest slope
      }
      if (epilogue.residual.data() != nullptr) sum += epilogue.residual(i, j);
      r.values(i, j) = sum;
      r.bound(i, j) = bound + 1e-6 * std::abs(sum);
    }
  }
  return r;
}

void expect_near(const Matrix<float>& out, const Reference& reference) {
  for (size_t i = 0; i < out.rows(); ++i) {
    for (size_t j = 0; j < out.cols(); ++j) {
      ASSERT_NEAR(out(i, j), reference.values(i, j), reference.bound(i, j) + 1e-9)
          << "row " << i << " of " << out.rows() << ", output " << j << " of " << out.cols();
    }
  }
}

class EveryFormat : public ::testing::TestWithParam<WeightFormat> {
 protected:
  void SetUp() override {
    if (!is_fast(GetParam())) GTEST_SKIP() << "this CPU lacks the instructions";
  }
};

TEST_P(EveryFormat, EqualsTheDefinitionAtEveryTail) {
  for (size_t m : {1, 2, 3, 5, 6, 7, 11, 12, 13, 24, 25, 100}) {
    for (size_t n : {1, 15, 16, 17, 31, 32, 33, 64, 97}) {
      for (size_t k : {1, 2, 3, 4, 5, 15, 16, 17, 31, 33, 64, 130}) {
        SCOPED_TRACE(fmt::format("m={} n={} k={}", m, n, k));
        const auto x = random_matrix(m, k, 1), w = random_matrix(n, k, 2);
        Matrix<float> out(m, n);
        gemm(x, PackedWeights::pack(w, GetParam()), {}, out);
        expect_near(out, naive_gemm(x, w, {}, GetParam()));
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_P(EveryFormat, EpiloguesFollowTheirFormula) {
  for (size_t n : {32, 45}) {
    const auto x = random_matrix(50, 64, 1), w = random_matrix(n, 64, 2);
    const auto bias = random_matrix(1, n, 3), residual = random_matrix(50, n, 4);
    for (const Activation activation : {Activation::kNone, Activation::kGelu}) {
      const GemmEpilogue epilogue{bias.flat(), activation, residual};
      Matrix<float> out(50, n);
      gemm(x, PackedWeights::pack(w, GetParam()), epilogue, out);
      expect_near(out, naive_gemm(x, w, epilogue, GetParam()));
    }
  }
}

TEST_P(EveryFormat, ARowDependsOnItselfOnly) {
  const auto x = random_matrix(700, 300, 1), w = random_matrix(200, 300, 2);
  const PackedWeights weights = PackedWeights::pack(w, GetParam());
  Matrix<float> all(700, 200);
  gemm(x, weights, {.activation = Activation::kGelu}, all);
  for (size_t first : {0, 3, 699}) {
    for (size_t count : {1, 5, 13}) {
      if (first + count > 700) continue;
      Matrix<float> some(count, 200);
      gemm(x.view().slice(first, count), weights, {.activation = Activation::kGelu}, some);
      for (size_t i = 0; i < count; ++i) {
        EXPECT_THAT(some.row(i), ::testing::ElementsAreArray(all.row(first + i)));
      }
    }
  }
}

TEST_P(EveryFormat, DoesNotDependOnTheNumberOfThreads) {
  const auto x = random_matrix(100, 77, 1), w = random_matrix(90, 77, 2);
  const PackedWeights weights = PackedWeights::pack(w, GetParam());
  Matrix<float> one(100, 90), many(100, 90), caller(100, 90);
  {
    const ThreadLimit limit(1);
    gemm(x, weights, {}, one);
  }
  gemm(x, weights, {}, many);
  gemm(x, weights, {}, caller, GemmThreads::kCaller);
  EXPECT_THAT(many.flat(), ::testing::ElementsAreArray(one.flat()));
  EXPECT_THAT(caller.flat(), ::testing::ElementsAreArray(one.flat()));
}

TEST_P(EveryFormat, AddsToTheOutputInPlace) {
  const auto x = random_matrix(30, 40, 1), w = random_matrix(50, 40, 2);
  const PackedWeights weights = PackedWeights::pack(w, GetParam());
  const auto residual = random_matrix(30, 50, 3);
  Matrix<float> apart(30, 50), in_place = residual.copy();
  gemm(x, weights, {.residual = residual}, apart);
  gemm(x, weights, {.residual = in_place}, in_place);
  EXPECT_THAT(in_place.flat(), ::testing::ElementsAreArray(apart.flat()));
}

std::string format_name(const ::testing::TestParamInfo<WeightFormat>& info) {
  switch (info.param) {
    case WeightFormat::kF32:
      return "f32";
    case WeightFormat::kBf16:
      return "bf16";
    case WeightFormat::kInt8:
      return "int8";
  }
  return {};
}
INSTANTIATE_TEST_SUITE_P(Gemm, EveryFormat,
                         ::testing::Values(WeightFormat::kF32, WeightFormat::kBf16,
                                           WeightFormat::kInt8),
                         format_name);

TEST(Gemm, EqualsTheDefinitionOnEveryInstructionSet) {
  const auto x = random_matrix(29, 70, 1), w = random_matrix(75, 70, 2);
  const auto bias = random_matrix(1, 75, 3);
  const GemmEpilogue epilogue{.bias = bias.flat(), .activation = Activation::kGelu};
  const Reference reference = naive_gemm(x, w, epilogue, WeightFormat::kF32);
  const PackedWeights weights = PackedWeights::pack(w, WeightFormat::kF32);
  for (const int64_t target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    Matrix<float> out(29, 75);
    gemm(x, weights, epilogue, out);
    expect_near(out, reference);
  }
  hwy::SetSupportedTargetsForTest(0);
}

TEST(Gemm, RowsWithAStrideOfManyPagesAreCopied) {
  const auto x = random_matrix(40, 1024, 1), w = random_matrix(40, 1024, 2);
  Matrix<float> out(40, 40);
  gemm(x, PackedWeights::pack(w, WeightFormat::kF32), {}, out);
  expect_near(out, naive_gemm(x, w, {}, WeightFormat::kF32));
}

TEST(Gemm, Int8ErrsByTwoPercentOfARow) {
  if (!is_fast(WeightFormat::kInt8)) GTEST_SKIP() << "this CPU lacks VNNI";
  const auto x = random_matrix(64, 384, 1), w = random_matrix(384, 384, 2);
  Matrix<float> out(64, 384);
  gemm(x, PackedWeights::pack(w, WeightFormat::kInt8), {}, out);
  const Reference reference = naive_gemm(x, w, {}, WeightFormat::kInt8);
  double error = 0, norm = 0;
  for (size_t i = 0; i < out.size(); ++i) {
    const double d = out.flat()[i] - reference.values.flat()[i];
    error += d * d;
    norm += reference.values.flat()[i] * reference.values.flat()[i];
  }
  EXPECT_LT(std::sqrt(error / norm), 0.02);
}

TEST(Gemm, NoRowsAreNoWork) {
  const auto w = random_matrix(8, 4, 1);
  Matrix<float> x(0, 4), out(0, 8);
  gemm(x, PackedWeights::pack(w, WeightFormat::kF32), {}, out);
}

TEST(Gemm, WrongShapesAreRefused) {
  const auto w = random_matrix(8, 4, 1);
  const PackedWeights weights = PackedWeights::pack(w, WeightFormat::kF32);
  Matrix<float> x(3, 4), wide(3, 5), out(3, 8), small(3, 7);
  EXPECT_THROW(gemm(wide, weights, {}, out), Error);
  EXPECT_THROW(gemm(x, weights, {}, small), Error);
  EXPECT_THROW(gemm(x, weights, {.residual = wide}, out), Error);
  const std::vector<float> bias(7);
  EXPECT_THROW(gemm(x, weights, {.bias = bias}, out), Error);
  EXPECT_THROW(PackedWeights::pack(Matrix<float>(0, 3), WeightFormat::kF32), Error);
}

}  // namespace
}  // namespace carya
