#include "carya/core/rng.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>

namespace carya {
namespace {

TEST(Rng, IsPhiloxWithTheSeedAsKeyAndTheStreamInTheCounter) {
  // Random123's known answers for philox4x32-10: counter 0, key 0 -> 6627e8d5 e169c58d bc57ac4c
  // 9b00dbd8.  The buffer is handed out from its end.
  Rng rng(0);
  EXPECT_EQ(rng.next(), 0x9b00dbd8bc57ac4cu);
  EXPECT_EQ(rng.next(), 0xe169c58d6627e8d5u);
}

TEST(Rng, StreamsAndSeedsDiffer) {
  EXPECT_NE(Rng(1, 0).next(), Rng(1, 1).next());
  EXPECT_NE(Rng(1, 0).next(), Rng(2, 0).next());
  EXPECT_EQ(Rng(7, 3).next(), Rng(7, 3).next());
}

TEST(Rng, BelowIsUniform) {
  constexpr int kDraws = 60'000;
  std::array<int, 6> counts{};
  Rng rng(42);
  for (int i = 0; i < kDraws; ++i) ++counts[rng.below(6)];
  double chi2 = 0;
  for (int count : counts) chi2 += std::pow(count - kDraws / 6.0, 2) / (kDraws / 6.0);
  EXPECT_LT(chi2,
            20.5);  // 5 degrees of freedom: exceeded with probability 0.001, and the seed is fixed
  for (int i = 0; i < 10; ++i) EXPECT_EQ(rng.below(1), 0u);
}

TEST(Rng, UniformAndNormalHaveTheirMoments) {
  constexpr int kDraws = 100'000;
  Rng rng(5);
  double uniform = 0, sum = 0, squares = 0;
  for (int i = 0; i < kDraws; ++i) {
    const double u = rng.uniform();
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    uniform += u;
    const double z = rng.normal();
    sum += z;
    squares += z * z;
  }
  // 4 standard errors
  EXPECT_NEAR(uniform / kDraws, 0.5, 4 * std::sqrt(1.0 / 12 / kDraws));
  EXPECT_NEAR(sum / kDraws, 0, 4 / std::sqrt(kDraws));
  EXPECT_NEAR(squares / kDraws, 1, 4 * std::sqrt(2.0 / kDraws));
}

}  // namespace
}  // namespace carya
