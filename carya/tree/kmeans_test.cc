#include "carya/tree/kmeans.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::HasSubstr;

// n points around n_centers corners that are 100 apart in the first dims; point i at i % n_centers.
Matrix<float> blobs(size_t n, size_t n_centers, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < dim; ++j) points(i, j) = static_cast<float>(rng.normal());
    points(i, i % n_centers % dim) += 100.0f * static_cast<float>(1 + i % n_centers / dim);
  }
  return points;
}

double naive_squared(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t j = 0; j < a.size(); ++j) sum += std::pow(static_cast<double>(a[j]) - b[j], 2);
  return sum;
}

TEST(KMeans, FindsFarApartBlobs) {
  const Matrix<float> points = blobs(300, 7, 4, 1);
  const KMeansResult result = kmeans(points, {.n_clusters = 7, .n_init = 3, .seed = 2});
  for (size_t i = 7; i < 300; ++i) EXPECT_EQ(result.labels[i], result.labels[i % 7]);
  EXPECT_EQ(std::set(result.labels.begin(), result.labels.end()).size(), 7u);
}

// At the end (no label changed) centroids are means and labels the nearest centroids.
TEST(KMeans, EndsAtAFixedPoint) {
  const Matrix<float> points = blobs(500, 1, 3, 5);
  const KMeansResult result = kmeans(points, {.n_clusters = 9, .n_iterations = 1000});
  double inertia = 0;
  std::vector<std::vector<double>> sums(9, std::vector<double>(3, 0));
  std::vector<double> sizes(9, 0);
  for (size_t i = 0; i < 500; ++i) {
    const auto own = static_cast<size_t>(result.labels[i]);
    const double distance = naive_squared(points.row(i), result.centroids.row(own));
    EXPECT_NEAR(result.distances[i], distance, 1e-2);  // float, at 1e4 squared from the origin
    for (size_t c = 0; c < 9; ++c) {
      EXPECT_LE(distance, naive_squared(points.row(i), result.centroids.row(c)) + 1e-2);
    }
    inertia += distance;
    ++sizes[own];
    for (size_t j = 0; j < 3; ++j) sums[own][j] += static_cast<double>(points(i, j));
  }
  EXPECT_NEAR(result.inertia, inertia, 0.01 * inertia);
  for (size_t c = 0; c < 9; ++c) {
    for (size_t j = 0; j < 3; ++j) {
      EXPECT_NEAR(result.centroids(c, j), sums[c][j] / sizes[c], 1e-4);
    }
  }
}

TEST(KMeans, MoreStartsAndIterationsDoNotHurt) {
  const Matrix<float> points = blobs(400, 12, 2, 3);
  const auto inertia = [&](size_t n_init, size_t n_iterations) {
    return kmeans(points, {.n_clusters = 12, .n_iterations = n_iterations, .n_init = n_init})
        .inertia;
  };
  EXPECT_LE(inertia(5, 50), inertia(1, 50));
  EXPECT_LE(inertia(1, 50), inertia(1, 1));
}

// Uniform starts would leave some of 20 equal blobs without a centre almost always.
TEST(KMeans, StartsSpreadOverTheBlobs) {
  size_t n_covered = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const Matrix<float> points = blobs(400, 20, 20, seed);
    const auto result = kmeans(points, {.n_clusters = 20, .n_iterations = 1, .seed = seed});
    n_covered += std::set(result.labels.begin(), result.labels.begin() + 20).size();
  }
  EXPECT_GE(n_covered, 19u * 20u);
}

TEST(KMeans, AsManyClustersAsPointsHasNoInertia) {
  const Matrix<float> points = blobs(40, 3, 2, 4);
  const KMeansResult result = kmeans(points, {.n_clusters = 40});
  EXPECT_EQ(std::set(result.labels.begin(), result.labels.end()).size(), 40u);
  EXPECT_EQ(result.inertia, 0);
}

TEST(KMeans, FewerDistinctPointsThanClustersLeavesSomeEmpty) {
  Matrix<float> points(30, 2);
  for (size_t i = 0; i < 30; ++i) points(i, 0) = static_cast<float>(i % 3);
  const KMeansResult result = kmeans(points, {.n_clusters = 10});
  EXPECT_EQ(std::set(result.labels.begin(), result.labels.end()).size(), 3u);
  EXPECT_EQ(result.inertia, 0);
}

TEST(KMeans, OnePointOneCluster) {
  const Matrix<float> points(1, 3);
  EXPECT_EQ(kmeans(points, {.n_clusters = 1}).labels, std::vector<int32_t>{0});
}

TEST(KMeans, PenaltiesAddToSquaredDistances) {
  const Matrix<float> points = blobs(200, 3, 5, 21), centroids = blobs(9, 9, 5, 22);
  std::vector<float> penalties(9);
  for (size_t c = 0; c < 9; ++c) penalties[c] = static_cast<float>(20'000 * (c % 4));
  const auto labels = assign_with_penalties(points, centroids, penalties);
  std::set<int32_t> moved;
  for (size_t i = 0; i < 200; ++i) {
    size_t best = 0, nearest = 0;
    const auto cost = [&](size_t c) {
      return naive_squared(points.row(i), centroids.row(c)) + double{penalties[c]};
    };
    for (size_t c = 1; c < 9; ++c) {
      if (cost(c) < cost(best)) best = c;
      if (cost(c) - penalties[c] < cost(nearest) - penalties[nearest]) nearest = c;
    }
    EXPECT_NEAR(cost(static_cast<size_t>(labels[i])), cost(best), 1e-2);  // of about 1e4, in float
    if (best != nearest) moved.insert(labels[i]);
  }
  EXPECT_FALSE(moved.empty());
}

TEST(KMeans, BalanceMakesSizesEven) {
  // A dense blob of 900 points and 100 around it.
  Matrix<float> points(1000, 3);
  Rng rng(23);
  for (size_t i = 0; i < 1000; ++i) {
    for (float& x : points.row(i)) x = static_cast<float>(rng.normal() * (i < 900 ? 0.3 : 3.0));
  }
  const auto largest = [&](double balance) {
    const auto result = kmeans(points, {.n_clusters = 10, .seed = 24, .balance = balance});
    std::vector<size_t> sizes(10);
    double inertia = 0;
    for (size_t i = 0; i < 1000; ++i) {
      const auto label = static_cast<size_t>(result.labels[i]);
      ++sizes[label];
      const double squared = naive_squared(points.row(i), result.centroids.row(label));
      EXPECT_NEAR(result.distances[i], squared, 1e-5 * (1 + squared));  // without the penalty
      inertia += squared;
    }
    EXPECT_NEAR(result.inertia, inertia, 1e-3 * inertia);
    return *std::ranges::max_element(sizes);
  };
  // The dense blob makes it hard: its clusters are a tenth as wide as the spread says.
  size_t least = 1000;
  for (double balance : {1e-2, 1e-1, 1.0}) least = std::min(least, largest(balance));
  EXPECT_LT(4 * least, 3 * largest(0));
  Matrix<float> even(1000, 3);
  for (float& x : even.flat()) x = static_cast<float>(rng.normal());
  std::vector<int32_t> sizes(10);
  for (int32_t label : kmeans(even, {.n_clusters = 10, .seed = 24, .balance = 0.3}).labels) {
    ++sizes[static_cast<size_t>(label)];
  }
  EXPECT_LT(*std::ranges::max_element(sizes), 125);
  EXPECT_GT(*std::ranges::min_element(sizes), 75);
}

TEST(KMeans, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = blobs(1000, 5, 6, 8);
  const auto run = [&](size_t threads) {
    const ThreadLimit limit(threads);
    return kmeans(points, {.n_clusters = 30, .seed = 7});
  };
  const KMeansResult one = run(1);
  for (const size_t threads : {2, 8}) {
    const KMeansResult other = run(threads);
    EXPECT_EQ(one.labels, other.labels);
    EXPECT_EQ(one.inertia, other.inertia);
    EXPECT_TRUE(std::ranges::equal(one.centroids.flat(), other.centroids.flat()));
  }
}

TEST(KMeans, RefusesWrongInputByName) {
  const auto message = [](const Matrix<float>& points, const KMeansOptions& options) {
    try {
      kmeans(points, options);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::kInvalidArgument);
      return std::string(error.what());
    }
    return std::string("no error");
  };
  Matrix<float> points(5, 2);
  EXPECT_THAT(message(points, {.n_clusters = 6}), HasSubstr("1 .. 5"));
  EXPECT_THAT(message(points, {.n_clusters = 0}), HasSubstr("1 .. 5"));
  EXPECT_THAT(message(points, {.n_clusters = 2, .n_iterations = 0}), HasSubstr("n_iterations"));
  EXPECT_THAT(message(points, {.n_clusters = 2, .n_init = 0}), HasSubstr("n_init"));
  EXPECT_THAT(message(points, {.n_clusters = 2, .balance = -1}), HasSubstr("balance is -1"));
  EXPECT_THAT(message(Matrix<float>(), {.n_clusters = 1}), HasSubstr("number of points"));
  points(3, 1) = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(message(points, {.n_clusters = 2}), HasSubstr("point 3"));
}

}  // namespace
}  // namespace carya
