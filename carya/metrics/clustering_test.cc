#include "carya/metrics/clustering.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using Labels = std::vector<int32_t>;

// The values are scikit-learn 1.x's:
//   from sklearn.metrics import *
//   adjusted_rand_score(a, b), adjusted_mutual_info_score(a, b), normalized_mutual_info_score(a, b)
TEST(ClusteringScores, AgreeWithScikitLearn) {
  const Labels a = {0, 0, 1, 1, 2, 2, 2, -1, -1, 3, 3, 3, 3, 0, 1};
  const Labels b = {5, 5, 5, 1, 1, 2, 2, 2, 0, 0, 0, 3, 3, 3, 3};
  EXPECT_NEAR(adjusted_rand_index(a, b), 0.1151685393258427, 1e-14);
  EXPECT_NEAR(adjusted_mutual_information(a, b), 0.16684799271615078, 1e-13);
  EXPECT_NEAR(normalized_mutual_information(a, b), 0.5263459537328316, 1e-14);
}

TEST(ClusteringScores, AgreeWithScikitLearnOnManyItems) {
  Labels a, b;  // [(k*k) % 97 % 13 for k in range(5000)], [(k*k) % 97 % 7 + 3 * (k % 5 == 0) ...]
  for (int32_t k = 0; k < 5000; ++k) {
    a.push_back(k * k % 97 % 13);
    b.push_back(k * k % 97 % 7 + 3 * (k % 5 == 0));
  }
  EXPECT_NEAR(adjusted_rand_index(a, b), 0.07172268237746775, 1e-12);
  EXPECT_NEAR(adjusted_mutual_information(a, b), 0.21175425432026707, 1e-11);
  EXPECT_NEAR(normalized_mutual_information(a, b), 0.2154546446161969, 1e-12);
}

TEST(ClusteringScores, CanBeBelowChance) {
  const Labels a = {0, 1, 0, 1, 0, 1}, b = {0, 0, 0, 1, 1, 1};
  EXPECT_NEAR(adjusted_rand_index(a, b), -1.0 / 9, 1e-14);
  EXPECT_NEAR(adjusted_mutual_information(a, b), -1.0 / 9, 1e-14);
}

TEST(ClusteringScores, SeeNothingInOneClusterOrInSingleItems) {
  const Labels halves = {0, 0, 0, 0, 0, 1, 1, 1, 1, 1}, one(10, 7);
  const Labels single = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  for (const Labels& trivial : {one, single}) {
    EXPECT_NEAR(adjusted_rand_index(trivial, halves), 0, 1e-14);
    EXPECT_NEAR(adjusted_mutual_information(trivial, halves), 0, 1e-12);
  }
  EXPECT_EQ(normalized_mutual_information(one, halves), 0);
  EXPECT_NEAR(normalized_mutual_information(single, halves), 0.46275642631951835, 1e-14);
}

TEST(ClusteringScores, OneForEqualPartitionsWhateverTheNames) {
  const Labels a = {0, 0, 1, -1, 2}, b = {9, 9, -5, 100, 3};
  for (const auto& [x, y] : {std::pair(a, b),
                             {Labels{}, Labels{}},
                             {Labels{4}, Labels{1}},
                             {Labels{0, 1, 2}, Labels{2, 1, 0}}}) {
    EXPECT_EQ(adjusted_rand_index(x, y), 1);
    EXPECT_EQ(adjusted_mutual_information(x, y), 1);
    EXPECT_EQ(normalized_mutual_information(x, y), 1);
    EXPECT_EQ(purity(x, y), 1);
  }
}

// The definition: all pairs of items.
double naive_adjusted_rand(const Labels& a, const Labels& b) {
  double both = 0, in_a = 0, in_b = 0, all = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < i; ++j) {
      both += a[i] == a[j] && b[i] == b[j];
      in_a += a[i] == a[j];
      in_b += b[i] == b[j];
      ++all;
    }
  }
  const double expected = in_a * in_b / all;
  return (both - expected) / ((in_a + in_b) / 2 - expected);
}

TEST(ClusteringScores, RandFollowsTheDefinition) {
  for (uint64_t seed = 0; seed < 5; ++seed) {
    Rng rng(seed);
    Labels a, b;
    for (int i = 0; i < 100; ++i) {
      a.push_back(static_cast<int32_t>(rng.below(6)) - 1);
      b.push_back(rng.below(2) == 0 ? a.back() : static_cast<int32_t>(rng.below(4)));
    }
    EXPECT_NEAR(adjusted_rand_index(a, b), naive_adjusted_rand(a, b), 1e-13);
    EXPECT_NEAR(adjusted_rand_index(b, a), adjusted_rand_index(a, b), 1e-14);
    EXPECT_NEAR(adjusted_mutual_information(b, a), adjusted_mutual_information(a, b), 1e-13);
  }
}

// The expectation that AMI subtracts is the mean over random permutations of one labelling, so the
// mean AMI of permuted labels is 0.  40 permutations: standard error about 0.0015.
TEST(ClusteringScores, MutualInformationOfPermutedLabelsIsZeroOnAverage) {
  Rng rng(1);
  Labels a, b;
  for (int i = 0; i < 300; ++i) {
    a.push_back(static_cast<int32_t>(rng.below(5)));
    b.push_back(static_cast<int32_t>(rng.below(30)));
  }
  double sum = 0;
  for (int repeat = 0; repeat < 40; ++repeat) {
    for (size_t i = b.size(); i > 1; --i) std::swap(b[i - 1], b[rng.below(i)]);
    sum += adjusted_mutual_information(a, b);
  }
  EXPECT_NEAR(sum / 40, 0, 0.006);
}

TEST(ClusteringScores, PurityCountsTheMajorityOfEachCluster) {
  EXPECT_DOUBLE_EQ(purity(Labels{0, 0, 0, 1, 1}, Labels{3, 3, 4, 4, 5}), 3.0 / 5);
  EXPECT_DOUBLE_EQ(purity(Labels{0, 1, 2}, Labels{3, 3, 3}), 1);
}

TEST(ClusteringScores, RefuseLabelsOfDifferentItems) {
  EXPECT_THROW(adjusted_rand_index(Labels{0, 1}, Labels{0}), Error);
}

}  // namespace
}  // namespace carya
