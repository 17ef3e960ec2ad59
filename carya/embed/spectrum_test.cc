#include "carya/embed/spectrum.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <Eigen/Dense>
#include <cmath>
#include <numbers>
#include <vector>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

// y = A x for a dense symmetric matrix.
auto dense(const Eigen::MatrixXd& a) {
  return [a](std::span<const float> x, std::span<float> y) {
    const Eigen::Map<const Eigen::VectorXf> in(x.data(), static_cast<Eigen::Index>(x.size()));
    Eigen::Map<Eigen::VectorXf>(y.data(), static_cast<Eigen::Index>(y.size())) =
        (a * in.cast<double>()).cast<float>();
  };
}

Eigen::MatrixXd random_symmetric(int n, uint64_t seed) {
  Rng rng(seed);
  Eigen::MatrixXd a(n, n);
  for (int i = 0; i < n; ++i) {
    for (int j = 0; j <= i; ++j) a(i, j) = a(j, i) = rng.normal();
  }
  return a / (2 * std::sqrt(n));  // eigenvalues within about [-1, 1]
}

TEST(Lanczos, AgreesWithADenseSolver) {
  for (int n : {1, 2, 5, 30, 300}) {
    SCOPED_TRACE(n);
    const Eigen::MatrixXd a = random_symmetric(n, static_cast<uint64_t>(n));
    const Eigen::VectorXd expected =
        Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>(a).eigenvalues();
    const size_t k = std::min<size_t>(6, static_cast<size_t>(n));
    const Eigenpairs pairs =
        lanczos(static_cast<size_t>(n), dense(a), {.n_pairs = k, .tolerance = 1e-5});
    for (size_t i = 0; i < k; ++i) {
      EXPECT_NEAR(pairs.values[i], expected(n - 1 - static_cast<int>(i)), 1e-5);
      Eigen::VectorXd v(n);
      for (int j = 0; j < n; ++j) v(j) = pairs.vectors(static_cast<size_t>(j), i);
      EXPECT_NEAR(v.norm(), 1, 1e-5);
      EXPECT_LT((a * v - pairs.values[i] * v).norm(), 1e-4);  // the tolerance, and float vectors
    }
  }
}

TEST(Lanczos, FindsRepeatedEigenvaluesAfterAnInvariantSubspace) {
  Eigen::MatrixXd a = Eigen::MatrixXd::Identity(40, 40);  // one Lanczos step spans nothing new
  a(3, 3) = 2;
  const Eigenpairs pairs = lanczos(40, dense(a), {.n_pairs = 5});
  EXPECT_NEAR(pairs.values[0], 2, 1e-5);
  for (size_t i = 1; i < 5; ++i) EXPECT_NEAR(pairs.values[i], 1, 1e-5);
}

TEST(Lanczos, DoesNotDependOnTheNumberOfThreads) {
  const Eigen::MatrixXd a = random_symmetric(200, 1);
  Matrix<float> first;
  for (size_t threads : {1, 2, 8}) {
    const ThreadLimit limit(threads);
    Eigenpairs pairs = lanczos(200, dense(a), {.n_pairs = 4});
    if (first.empty()) {
      first = std::move(pairs.vectors);
    } else {
      EXPECT_TRUE(std::ranges::equal(first.flat(), pairs.vectors.flat()));
    }
  }
}

TEST(Lanczos, RefusesMorePairsThanThereAre) {
  EXPECT_THAT([] { lanczos(3, [](auto, auto) {}, {.n_pairs = 4}); },
              ThrowsMessage<Error>(HasSubstr("n_pairs is 4, but a matrix of size 3")));
}

// A ring of n nodes: eigenvalues of D^-1/2 A D^-1/2 are cos(2 pi k / n).
CsrGraph ring(size_t n) {
  std::vector<GraphEdge> edges;
  for (uint32_t i = 0; i < n; ++i) {
    const auto next = static_cast<uint32_t>((i + 1) % n);
    edges.push_back({i, next, 1});
    edges.push_back({next, i, 1});
  }
  return CsrGraph::from_edges(n, edges);
}

TEST(DiffusionCoordinates, PutARingOnACircle) {
  const Matrix<float> x = diffusion_coordinates(ring(24), {.n_dims = 3, .time = 0});
  // One constant coordinate and a cosine and a sine: neighbours have the scalar product
  // (1 + 2 cos(2 pi / n)) / 3.
  for (size_t i = 0; i < 24; ++i) {
    double product = 0;
    for (size_t k = 0; k < 3; ++k) product += x(i, k) * x((i + 1) % 24, k);
    EXPECT_NEAR(product, (1 + 2 * std::cos(2 * std::numbers::pi / 24)) / 3, 1e-3);
  }
}

TEST(DiffusionCoordinates, SeparateComponentsAndLeaveLoneNodesAtZero) {
  const std::vector<GraphEdge> edges = {{0, 1, 1}, {1, 0, 1}, {2, 3, 1}, {3, 2, 1}};
  const Matrix<float> x =
      diffusion_coordinates(CsrGraph::from_edges(5, edges), {.n_dims = 2, .time = 1});
  const auto product = [&](size_t a, size_t b) { return x(a, 0) * x(b, 0) + x(a, 1) * x(b, 1); };
  EXPECT_NEAR(product(0, 1), 1, 1e-3);
  EXPECT_NEAR(product(2, 3), 1, 1e-3);
  EXPECT_NEAR(product(0, 2), 0, 1e-3);
  EXPECT_EQ(product(4, 4), 0);
}

TEST(DiffusionCoordinates, TinyGraphs) {
  EXPECT_EQ(diffusion_coordinates(CsrGraph(), {.n_dims = 2}).rows(), 0u);
  const Matrix<float> one = diffusion_coordinates(CsrGraph::from_edges(1, {}), {.n_dims = 2});
  EXPECT_EQ(one(0, 0), 0);
}

}  // namespace
}  // namespace carya
