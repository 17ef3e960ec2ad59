#include "carya/tree/hdbscan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/io/vectors.h"
#include "carya/metrics/clustering.h"

namespace carya {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

// n_clusters blobs of standard deviations 0.5, 0.6, ... 8 apart, and every tenth point anywhere.
Matrix<float> blobs_and_noise(size_t n, size_t n_clusters, uint64_t seed) {
  Matrix<float> points(n, 2);
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) {
    const size_t cluster = i % n_clusters;
    const double width = 8.0 * static_cast<double>(n_clusters);
    const double spread = 0.5 + 0.1 * static_cast<double>(cluster);
    const bool is_noise = i % 10 == 9;
    points(i, 0) =
        static_cast<float>(is_noise ? rng.uniform() * width
                                    : 8.0 * static_cast<double>(cluster) + spread * rng.normal());
    points(i, 1) = static_cast<float>(is_noise ? rng.uniform() * width : spread * rng.normal());
  }
  return points;
}

Matrix<double> distance_matrix(MatrixView<const float> points) {
  Matrix<double> distances(points.rows(), points.rows());
  for (size_t i = 0; i < points.rows(); ++i) {
    for (size_t j = 0; j < points.rows(); ++j) {
      double sum = 0;
      for (size_t t = 0; t < points.cols(); ++t) {
        sum += std::pow(static_cast<double>(points(i, t)) - points(j, t), 2);
      }
      distances(i, j) = std::sqrt(sum);
    }
  }
  return distances;
}

void expect_sound(const HdbscanResult& result, size_t n) {
  ASSERT_EQ(result.labels.size(), n);
  ASSERT_EQ(result.probabilities.size(), n);
  ASSERT_EQ(result.outlier_scores.size(), n);
  ASSERT_EQ(result.mst.size() + 1, n);
  for (size_t i = 0; i < n; ++i) {
    EXPECT_GE(result.labels[i], -1);
    EXPECT_LT(result.labels[i], static_cast<int32_t>(result.selected.size()));
    EXPECT_TRUE(result.probabilities[i] >= 0 && result.probabilities[i] <= 1);  // NaN fails
    EXPECT_TRUE(result.outlier_scores[i] >= 0 && result.outlier_scores[i] <= 1);
    EXPECT_EQ(result.probabilities[i] == 0, result.labels[i] == -1);
  }
}

TEST(Hdbscan, FindsBlobsOfVaryingDensity) {
  const Matrix<float> points = blobs_and_noise(1000, 4, 1);
  const HdbscanResult result = hdbscan(points, {.min_cluster_size = 15});
  expect_sound(result, 1000);
  std::vector<int32_t> truth, found;
  for (size_t i = 0; i < 1000; ++i) {
    if (i % 10 == 9 || result.labels[i] < 0) continue;
    truth.push_back(static_cast<int32_t>(i % 4));
    found.push_back(result.labels[i]);
  }
  EXPECT_EQ(result.selected.size(), 4u);
  EXPECT_EQ(adjusted_rand_index(truth, found), 1);
  EXPECT_GT(found.size(), 700u);  // of 900: the sparse rims are noise
}

struct Fixture {
  std::vector<int32_t> labels, leaf_labels;
  std::vector<double> probabilities, outlier_scores;
};
std::optional<std::pair<Matrix<float>, Fixture>> clusterable() {
  const char* data = std::getenv("CARYA_DATA");
  if (data == nullptr) return std::nullopt;
  const auto path = std::filesystem::path(data) / "clusterable/clusterable_data.npy";
  if (!std::filesystem::exists(path)) return std::nullopt;
  Fixture fixture;
  std::ifstream in(std::filesystem::path(CARYA_REPRODUCE_TESTDATA) / "clusterable_hdbscan.csv");
  std::string line;
  std::getline(in, line);
  int32_t label = 0, leaf_label = 0;
  double probability = 0, outlier_score = 0;
  char comma = 0;
  while (in >> label >> comma >> probability >> comma >> outlier_score >> comma >> leaf_label) {
    fixture.labels.push_back(label);
    fixture.probabilities.push_back(probability);
    fixture.outlier_scores.push_back(outlier_score);
    fixture.leaf_labels.push_back(leaf_label);
  }
  return std::pair(read_npy(path), std::move(fixture));
}

double mean_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += std::abs(a[i] - b[i]);
  return sum / static_cast<double>(a.size());
}

// The package is not the same for another order of the rows, so the last per mille may differ.
TEST(Hdbscan, AgreesWithTheHdbscanPackage) {
  const auto data = clusterable();
  if (!data) GTEST_SKIP() << "CARYA_DATA has no clusterable/clusterable_data.npy";
  const auto& [points, package] = *data;
  const HdbscanResult result = hdbscan(points, {.min_cluster_size = 15});
  EXPECT_EQ(result.selected.size(), 6u);
  EXPECT_GE(adjusted_rand_index(result.labels, package.labels), 0.99);
  EXPECT_LT(mean_difference(result.probabilities, package.probabilities), 0.005);
  EXPECT_LT(mean_difference(result.outlier_scores, package.outlier_scores), 0.005);
  const HdbscanResult leaves =
      hdbscan(points, {.min_cluster_size = 15, .select = {.method = ClusterSelection::kLeaf}});
  EXPECT_GE(adjusted_rand_index(leaves.labels, package.leaf_labels), 0.95);  // more ties decide
}

TEST(Hdbscan, LabelsDoNotDependOnTheOrderOfTheRows) {
  Matrix<float> points = blobs_and_noise(600, 3, 2);
  for (float& x : points.flat()) x = std::round(x * 4);  // a grid: ties and duplicates everywhere
  for (const auto method : {ClusterSelection::kExcessOfMass, ClusterSelection::kLeaf}) {
    const HdbscanOptions options{.min_cluster_size = 8, .select = {.method = method}};
    const HdbscanResult result = hdbscan(points, options);
    expect_sound(result, 600);
    std::vector<uint32_t> order(600);
    std::iota(order.begin(), order.end(), 0u);
    Rng rng(1);
    for (int repeat = 0; repeat < 5; ++repeat) {
      for (size_t i = 600; i > 1; --i) std::swap(order[i - 1], order[rng.below(i)]);
      Matrix<float> shuffled(600, 2);
      for (size_t i = 0; i < 600; ++i) {
        std::ranges::copy(points.row(order[i]), shuffled.row_data(i));
      }
      const HdbscanResult other = hdbscan(shuffled, options);
      std::vector<int32_t> back(600);
      for (size_t i = 0; i < 600; ++i) {
        back[order[i]] = other.labels[i];
        EXPECT_NEAR(other.probabilities[i], result.probabilities[order[i]], 1e-12);
        EXPECT_NEAR(other.outlier_scores[i], result.outlier_scores[order[i]], 1e-12);
      }
      EXPECT_EQ(adjusted_rand_index(back, result.labels), 1);
      for (size_t i = 0; i < 600; ++i) EXPECT_EQ(back[i] < 0, result.labels[i] < 0);
    }
  }
}

TEST(Hdbscan, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = blobs_and_noise(3000, 5, 3);
  const auto run = [&](size_t threads) {
    const ThreadLimit limit(threads);
    return hdbscan(points, {.min_cluster_size = 10});
  };
  const HdbscanResult one = run(1);
  for (const size_t threads : {2, 8}) {
    const HdbscanResult other = run(threads);
    EXPECT_EQ(one.labels, other.labels);
    EXPECT_EQ(one.probabilities, other.probabilities);
    EXPECT_EQ(one.mst, other.mst);
  }
}

TEST(Hdbscan, PrecomputedDistancesGiveTheSame) {
  const Matrix<float> points = blobs_and_noise(300, 3, 4);
  const HdbscanOptions options{.min_cluster_size = 7, .min_samples = 4};
  const HdbscanResult a = hdbscan(points, options);
  const HdbscanResult b = hdbscan_precomputed(distance_matrix(points), options);
  EXPECT_EQ(a.labels, b.labels);
  for (size_t i = 0; i < 300; ++i) EXPECT_NEAR(a.probabilities[i], b.probabilities[i], 1e-12);
}

TEST(Hdbscan, CosineIsEuclideanOfUnitVectors) {
  Matrix<float> points = blobs_and_noise(300, 3, 4), unit(300, 2);
  for (size_t i = 0; i < 300; ++i) {
    const double length = std::hypot(points(i, 0), points(i, 1));
    for (size_t j = 0; j < 2; ++j) unit(i, j) = static_cast<float>(points(i, j) / length);
  }
  EXPECT_EQ(hdbscan(points, {.metric = Metric::kCosine}).labels, hdbscan(unit).labels);
}

// DBSCAN by its definition: core points have min_samples + 1 points within eps, themselves counted,
// and are joined when within eps.
TEST(Hdbscan, DbscanCutIsDbscanOfTheCorePoints) {
  const Matrix<float> points = blobs_and_noise(400, 3, 5);
  const HdbscanResult result = hdbscan(points, {.min_cluster_size = 10, .min_samples = 6});
  const Matrix<double> distances = distance_matrix(points);
  for (const double eps : {0.2, 0.4, 0.8, 3.0}) {
    SCOPED_TRACE(eps);
    std::vector<bool> is_core(400);
    std::vector<Edge> edges;
    for (uint32_t i = 0; i < 400; ++i) {
      is_core[i] = std::ranges::count_if(distances.row(i), [&](double d) { return d <= eps; }) >= 7;
      for (uint32_t j = 0; j < i; ++j) {
        if (is_core[i] && is_core[j] && distances(i, j) <= eps) edges.push_back({j, i, 1});
      }
    }
    const std::vector<int32_t> expected = single_linkage_of_edges(400, edges).cut_at(1);
    const std::vector<int32_t> labels = dbscan_cut(result, eps);
    for (size_t i = 0; i < 400; ++i) {
      ASSERT_EQ(labels[i] >= 0, is_core[i]);
      for (size_t j = 0; j < i; ++j) {
        if (is_core[i] && is_core[j]) {
          ASSERT_EQ(labels[i] == labels[j], expected[i] == expected[j]);
        }
      }
    }
  }
}

TEST(Hdbscan, EpsilonMergesClustersThatSplitBelowIt) {
  // Two pairs of blobs: 1 apart in a pair, 20 between the pairs.
  Matrix<float> points(400, 2);
  Rng rng(6);
  for (size_t i = 0; i < 400; ++i) {
    points(i, 0) = static_cast<float>(i % 2 * 1.5 + i / 2 % 2 * 20.0 + 0.1 * rng.normal());
    points(i, 1) = static_cast<float>(0.1 * rng.normal());
  }
  const auto n_clusters = [&](const SelectionOptions& select) {
    return hdbscan(points, {.min_cluster_size = 20, .select = select}).selected.size();
  };
  EXPECT_EQ(n_clusters({}), 4u);
  EXPECT_EQ(n_clusters({.epsilon = 3}), 2u);
  EXPECT_EQ(n_clusters({.epsilon = 30}), 2u);  // the whole is not allowed
  EXPECT_EQ(n_clusters({.epsilon = 30, .allow_single = true}), 1u);
}

TEST(Hdbscan, OneBlobIsAClusterOnlyIfAllowed) {
  const Matrix<float> points = blobs_and_noise(200, 1, 7);
  const HdbscanOptions single{.min_cluster_size = 60, .select = {.allow_single = true}};
  const HdbscanResult result = hdbscan(points, single);
  expect_sound(result, 200);
  EXPECT_THAT(result.selected, ElementsAre(0));
  EXPECT_GT(std::ranges::count(result.labels, 0), 100);
  EXPECT_THAT(hdbscan(points, {.min_cluster_size = 60}).labels, Each(-1));
}

TEST(Hdbscan, CoincidingPointsYieldNoNan) {
  for (const size_t n : {2, 5, 6, 7, 50}) {
    SCOPED_TRACE(n);
    const HdbscanResult result = hdbscan(Matrix<float>(n, 3));
    expect_sound(result, n);
    EXPECT_THAT(result.labels, Each(-1));
    const HdbscanResult single = hdbscan(Matrix<float>(n, 3), {.select = {.allow_single = true}});
    EXPECT_THAT(single.labels, Each(0));
    EXPECT_THAT(single.probabilities, Each(1.0));
    EXPECT_THAT(single.outlier_scores, Each(0.0));
  }
  Matrix<float> two_places(40, 1);  // and two strays
  for (size_t i = 0; i < 40; ++i) two_places(i, 0) = i % 2 == 0 ? 1.0f : 5.0f;
  two_places(0, 0) = 2;
  two_places(1, 0) = 100;
  const HdbscanResult result = hdbscan(two_places);
  expect_sound(result, 40);
  EXPECT_EQ(result.selected.size(), 2u);
  for (size_t i = 2; i < 40; ++i) EXPECT_EQ(result.labels[i], result.labels[2 + i % 2]);
}

TEST(Hdbscan, FewItemsAreAllNoise) {
  for (const size_t n : {1, 2, 3, 14, 15}) {
    SCOPED_TRACE(n);
    const HdbscanResult result = hdbscan(blobs_and_noise(n, 1, 1), {.min_cluster_size = 15});
    expect_sound(result, n);
    EXPECT_THAT(result.labels, Each(-1));
  }
}

TEST(Hdbscan, PredictsTheClusterOfANewPoint) {
  const Matrix<float> points = blobs_and_noise(1000, 4, 1);
  const HdbscanOptions options{.min_cluster_size = 15};
  const HdbscanResult result = hdbscan(points, options);
  Matrix<float> queries(5, 2);
  for (size_t cluster = 0; cluster < 4; ++cluster) {
    queries(cluster, 0) = 8.0f * static_cast<float>(cluster);
  }
  queries(4, 0) = queries(4, 1) = 1000;
  const Prediction prediction = approximate_predict(result, points, options, queries);
  for (size_t cluster = 0; cluster < 4; ++cluster) {
    EXPECT_EQ(prediction.labels[cluster], result.labels[cluster]);
    EXPECT_GT(prediction.probabilities[cluster], 0.3);
  }
  EXPECT_EQ(prediction.labels[4], -1);
  EXPECT_EQ(prediction.probabilities[4], 0);
  EXPECT_THROW(approximate_predict(result, queries, options, queries), Error);
}

TEST(Hdbscan, RefusesWrongInputByName) {
  const auto message = [](const Matrix<float>& points, const HdbscanOptions& options) {
    try {
      hdbscan(points, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  Matrix<float> points = blobs_and_noise(20, 1, 1);
  EXPECT_THAT(message(Matrix<float>(), {}), HasSubstr("no points"));
  EXPECT_THAT(message(points, {.min_cluster_size = 1}), HasSubstr("min_cluster_size is 1"));
  EXPECT_THAT(message(points, {.min_samples = 20}), HasSubstr("min_samples is 20"));
  EXPECT_THAT(message(points, {.metric = Metric::kInnerProduct}), HasSubstr("inner product"));
  EXPECT_THAT(message(points, {.alpha = 0}), HasSubstr("alpha"));
  EXPECT_THAT(message(points, {.select = {.epsilon = -1}}), HasSubstr("epsilon"));
  points(7, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message(points, {}), HasSubstr("point 7: column 1"));
  EXPECT_THAT(message(Matrix<float>(20, 2), {.metric = Metric::kCosine}), HasSubstr("point 0"));
  EXPECT_THROW(hdbscan_precomputed(Matrix<double>(3, 2)), Error);
  Matrix<double> asymmetric(3, 3);
  asymmetric(2, 1) = 1;
  EXPECT_THROW(hdbscan_precomputed(asymmetric), Error);
  EXPECT_THROW(hdbscan_of_mst({}, {0, 0}, 5), Error);
}

}  // namespace
}  // namespace carya
