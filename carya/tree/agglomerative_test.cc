#include "carya/tree/agglomerative.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <numeric>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::DoubleNear;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Pointwise;

Matrix<float> random_points(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (float& x : points.flat()) x = static_cast<float>(rng.normal());
  return points;
}

std::vector<double> heights(const Hierarchy& tree) {
  std::vector<double> result;
  for (const Merge& merge : tree.merges()) result.push_back(merge.height);
  return result;
}

using Items = std::vector<size_t>;
double euclidean(MatrixView<const float> points, size_t i, size_t j) {
  double sum = 0;
  for (size_t t = 0; t < points.cols(); ++t) {
    sum += std::pow(static_cast<double>(points(i, t)) - points(j, t), 2);
  }
  return std::sqrt(sum);
}

// The definition of each linkage, on the items themselves.
double naive_distance(LinkageKind kind, MatrixView<const float> points, const Items& a,
                      const Items& b) {
  const auto size = [](const Items& items) { return static_cast<double>(items.size()); };
  if (kind == LinkageKind::kWard) {
    double squared = 0;
    for (size_t t = 0; t < points.cols(); ++t) {
      double mean_a = 0, mean_b = 0;
      for (const size_t i : a) mean_a += static_cast<double>(points(i, t)) / size(a);
      for (const size_t i : b) mean_b += static_cast<double>(points(i, t)) / size(b);
      squared += std::pow(mean_a - mean_b, 2);
    }
    return std::sqrt(2 * size(a) * size(b) / (size(a) + size(b)) * squared);
  }
  double least = 1e300, most = 0, sum = 0;
  for (const size_t i : a) {
    for (const size_t j : b) {
      const double distance = euclidean(points, i, j);
      least = std::min(least, distance);
      most = std::max(most, distance);
      sum += distance;
    }
  }
  if (kind == LinkageKind::kSingle) return least;
  return kind == LinkageKind::kComplete ? most : sum / (size(a) * size(b));
}

std::vector<double> naive_heights(LinkageKind kind, MatrixView<const float> points) {
  std::vector<Items> clusters;
  for (size_t i = 0; i < points.rows(); ++i) clusters.push_back({i});
  std::vector<double> result;
  while (clusters.size() > 1) {
    size_t best_a = 0, best_b = 1;
    double least = 1e300;
    for (size_t a = 0; a < clusters.size(); ++a) {
      for (size_t b = a + 1; b < clusters.size(); ++b) {
        const double distance = naive_distance(kind, points, clusters[a], clusters[b]);
        if (distance >= least) continue;
        least = distance;
        best_a = a;
        best_b = b;
      }
    }
    result.push_back(least);
    clusters[best_a].insert(clusters[best_a].end(), clusters[best_b].begin(),
                            clusters[best_b].end());
    clusters.erase(clusters.begin() + static_cast<ptrdiff_t>(best_b));
  }
  return result;
}

class EveryLinkage : public ::testing::TestWithParam<LinkageKind> {};  // the conformance test
INSTANTIATE_TEST_SUITE_P(, EveryLinkage,
                         ::testing::Values(LinkageKind::kSingle, LinkageKind::kComplete,
                                           LinkageKind::kAverage, LinkageKind::kWard));

TEST_P(EveryLinkage, HeightsFollowTheDefinition) {
  for (const size_t n : {1, 2, 3, 40}) {
    SCOPED_TRACE(n);
    const Matrix<float> points = random_points(n, 3, n);
    EXPECT_THAT(heights(agglomerate(points, {.linkage = GetParam()})),
                Pointwise(DoubleNear(1e-12), naive_heights(GetParam(), points)));
  }
}

TEST_P(EveryLinkage, DoesNotDependOnTheOrderOfTheItems) {
  const Matrix<float> points = random_points(60, 2, 1);
  Matrix<float> reversed(60, 2);
  for (size_t i = 0; i < 60; ++i) std::ranges::copy(points.row(59 - i), reversed.row_data(i));
  const Hierarchy a = agglomerate(points, {.linkage = GetParam()});
  const Hierarchy b = agglomerate(reversed, {.linkage = GetParam()});
  EXPECT_THAT(heights(a), Pointwise(DoubleNear(1e-12), heights(b)));
  const auto labels_a = a.cut_into(7), labels_b = b.cut_into(7);
  for (size_t i = 0; i < 60; ++i) {
    for (size_t j = 0; j < i; ++j) {
      EXPECT_EQ(labels_a[i] == labels_a[j], labels_b[59 - i] == labels_b[59 - j]);
    }
  }
}

TEST_P(EveryLinkage, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = random_points(200, 4, 2);
  const auto run = [&](size_t threads) {
    const ThreadLimit limit(threads);
    const Hierarchy tree = agglomerate(points, {.linkage = GetParam()});
    return std::vector<Merge>(tree.merges().begin(), tree.merges().end());
  };
  EXPECT_EQ(run(1), run(2));
  EXPECT_EQ(run(1), run(8));
}

TEST_P(EveryLinkage, CoincidingPointsMergeAtZero) {
  const Hierarchy tree = agglomerate(Matrix<float>(20, 3), {.linkage = GetParam()});
  for (const Merge& merge : tree.merges()) EXPECT_EQ(merge.height, 0);
}

// scipy.cluster.hierarchy.linkage([[0, 0], [1, 0], [0, 3], [5, 5], [6, 5]], "ward")[:, 2]
TEST(Agglomerate, WardIsScipys) {
  Matrix<float> points(5, 2);
  const float rows[] = {0, 0, 1, 0, 0, 3, 5, 5, 6, 5};
  std::ranges::copy(rows, points.data());
  EXPECT_THAT(heights(agglomerate(points)), ElementsAre(DoubleNear(1, 1e-12), DoubleNear(1, 1e-12),
                                                        DoubleNear(3.5118845842842465, 1e-12),
                                                        DoubleNear(10.122582015803413, 1e-12)));
}

// Ward over means with counts goes on where Ward over the items would be.
TEST(Agglomerate, WeightsStandForCoincidingItems) {
  const Matrix<float> means = random_points(12, 2, 3);
  std::vector<double> counts;
  std::vector<size_t> mean_of;
  for (size_t i = 0; i < 12; ++i) {
    counts.push_back(static_cast<double>(1 + i % 4));
    for (size_t copy = 0; copy <= i % 4; ++copy) mean_of.push_back(i);
  }
  Matrix<float> items(mean_of.size(), 2);
  for (size_t i = 0; i < mean_of.size(); ++i) {
    std::ranges::copy(means.row(mean_of[i]), items.row_data(i));
  }
  for (const auto kind : {LinkageKind::kWard, LinkageKind::kAverage}) {
    const auto weighted = heights(agglomerate(means, {.linkage = kind, .weights = counts}));
    auto all = heights(agglomerate(items, {.linkage = kind}));
    all.erase(all.begin(), all.end() - 11);  // those before are the copies, at 0
    EXPECT_THAT(weighted, Pointwise(DoubleNear(1e-12), all));
  }
}

TEST(Agglomerate, RefusesWrongInputByName) {
  const auto message = [](const Matrix<float>& points, const AgglomerativeOptions& options) {
    try {
      agglomerate(points, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  Matrix<float> points(4, 2);
  const std::vector<double> three = {1, 2, 3}, negative = {1, 2, 3, -1};
  EXPECT_THAT(message(Matrix<float>(), {}), HasSubstr("no points"));
  EXPECT_THAT(message(points, {.weights = three}), HasSubstr("3 weights for 4 points"));
  EXPECT_THAT(message(points, {.weights = negative}), HasSubstr("weight 3 is -1"));
  EXPECT_THAT(message(points, {.max_bytes = 100}), HasSubstr("max_bytes"));
  points(2, 0) = std::nanf("");
  EXPECT_THAT(message(points, {}), HasSubstr("point 2"));
}

}  // namespace
}  // namespace carya
