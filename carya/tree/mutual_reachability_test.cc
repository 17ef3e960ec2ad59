#include "carya/tree/mutual_reachability.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

using ::testing::HasSubstr;

// The definition in double: all distances, then Prim.
MutualReachabilityTree dense_prim(MatrixView<const float> points, size_t min_samples,
                                  double alpha = 1) {
  const size_t n = points.rows();
  Matrix<double> distances(n, n);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (size_t t = 0; t < points.cols(); ++t) {
        const double diff = static_cast<double>(points(i, t)) - points(j, t);
        sum += diff * diff;
      }
      distances(i, j) = std::sqrt(sum);
    }
  }
  MutualReachabilityTree tree;
  for (size_t i = 0; i < n; ++i) {
    std::vector<double> row(distances.row(i).begin(), distances.row(i).end());
    row.erase(row.begin() + static_cast<ptrdiff_t>(i));
    std::ranges::sort(row);
    tree.core_distances.push_back(row[min_samples - 1]);
  }
  std::vector<double> lightest(n, std::numeric_limits<double>::infinity());
  std::vector<bool> done(n, false);
  uint32_t current = 0;
  for (size_t step = 1; step < n; ++step) {
    done[current] = true;
    for (size_t i = 0; i < n; ++i) {
      lightest[i] =
          std::min(lightest[i], std::max({distances(current, i) / alpha,
                                          tree.core_distances[current], tree.core_distances[i]}));
    }
    size_t next = n;
    for (size_t i = 0; i < n; ++i) {
      if (!done[i] && (next == n || lightest[i] < lightest[next])) next = i;
    }
    tree.edges.push_back({0, 0, lightest[next]});
    current = static_cast<uint32_t>(next);
  }
  std::ranges::sort(tree.edges, {}, &Edge::weight);
  return tree;
}

// Equal weights, sorted, are the strongest statement about a minimum spanning tree that does not
// depend on ties.  1e-14: sums of squares in another order.
void expect_equal_trees(const MutualReachabilityTree& got, const MutualReachabilityTree& expected) {
  const size_t n = expected.core_distances.size();
  ASSERT_EQ(got.core_distances.size(), n);
  ASSERT_EQ(got.edges.size(), expected.edges.size());
  for (size_t i = 0; i < n; ++i) {
    ASSERT_NEAR(got.core_distances[i], expected.core_distances[i],
                1e-14 * expected.core_distances[i]);
  }
  for (size_t i = 0; i + 1 < n; ++i) {
    ASSERT_NEAR(got.edges[i].weight, expected.edges[i].weight, 1e-14 * expected.edges[i].weight);
  }
  EXPECT_NO_THROW({
    const Hierarchy hierarchy = single_linkage_of_edges(n, got.edges);
    EXPECT_TRUE(n == 1 || std::isfinite(hierarchy.merges().back().height)) << "not spanning";
  });
}

using Draw = std::function<float(Rng&, size_t row)>;
Matrix<float> draw_points(size_t n, size_t dim, uint64_t seed, const Draw& draw) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < dim; ++j) points(i, j) = draw(rng, i);
  }
  return points;
}
float normal(Rng& rng, size_t) { return static_cast<float>(rng.normal()); }
float clustered(Rng& rng, size_t row) {
  return static_cast<float>(static_cast<double>(row % 7) * 5 +
                            rng.normal() * (0.05 + static_cast<double>(row % 3)));
}
float on_grid(Rng& rng, size_t) { return static_cast<float>(rng.below(6)); }

TEST(MutualReachability, TreeHasTheWeightsOfDensePrim) {
  for (const size_t dim : {1, 2, 5, 10, 100}) {
    for (const size_t n : {2, 3, 17, 64, 65, 700}) {
      for (const size_t min_samples : {1, 5, 30}) {
        if (min_samples >= n) continue;
        SCOPED_TRACE(::testing::Message() << dim << " dims, " << n << " points, " << min_samples);
        for (const auto& draw : {normal, clustered, on_grid}) {
          const Matrix<float> points = draw_points(n, dim, dim + n, draw);
          expect_equal_trees(mutual_reachability_mst(points, {.min_samples = min_samples}),
                             dense_prim(points, min_samples));
        }
      }
    }
  }
}

TEST(MutualReachability, FiveThousandPointsHaveTheWeightOfDensePrim) {  // card 076
  for (const size_t dim : {2, 10}) {
    const Matrix<float> points = draw_points(5000, dim, dim, clustered);
    expect_equal_trees(mutual_reachability_mst(points, {.min_samples = 5}), dense_prim(points, 5));
  }
}

// The lists of 16 end inside each blob, so that every edge between blobs is found by a walk.
TEST(MutualReachability, ManyTightBlobsAreJoinedByTheirNearestPoints) {
  for (uint64_t seed = 0; seed < 40; ++seed) {
    SCOPED_TRACE(seed);
    const size_t dim = 1 + seed % 3;
    Matrix<float> points(600, dim);
    Rng rng(seed);
    for (size_t i = 0; i < 600; ++i) {
      Rng blob(seed, /*stream=*/1 + i % 20);
      for (size_t j = 0; j < dim; ++j) {
        points(i, j) = static_cast<float>(10 * blob.uniform() + 0.1 * rng.normal());
      }
    }
    expect_equal_trees(mutual_reachability_mst(points, {.min_samples = 2}), dense_prim(points, 2));
  }
}

// Distances that float cannot tell apart: the nearest of a centre's 400 neighbours is not in its
// list.
TEST(MutualReachability, NearTiesBeyondFloatAreDecidedExactly) {
  for (uint64_t seed = 0; seed < 10; ++seed) {
    Matrix<float> points = draw_points(401, 10, seed, normal);
    for (size_t i = 0; i < 401; ++i) {
      double squared = 0;
      for (const float x : points.row(i)) squared += static_cast<double>(x) * x;
      for (float& x : points.row(i)) {
        x = i == 0 ? 0.0f : static_cast<float>(x / std::sqrt(squared) / 64);
      }
    }
    for (size_t i = 1; i < 401; ++i) points(i, i % 10) *= 1 + 1e-7f;
    for (const size_t min_samples : {1, 3}) {
      expect_equal_trees(mutual_reachability_mst(points, {.min_samples = min_samples}),
                         dense_prim(points, min_samples));
    }
  }
}

TEST(MutualReachability, AlphaDividesDistancesButNotCores) {
  const Matrix<float> points = draw_points(300, 3, 1, clustered);
  for (const double alpha : {0.5, 2.0}) {
    expect_equal_trees(mutual_reachability_mst(points, {.min_samples = 4, .alpha = alpha}),
                       dense_prim(points, 4, alpha));
  }
}

TEST(MutualReachability, CoordinatesOfAnySizeDoNotOverflow) {
  for (const double scale : {1e-30, 1e-12, 1e12, 1e30}) {
    SCOPED_TRACE(scale);
    const Matrix<float> points = draw_points(
        200, 3, 1, [&](Rng& rng, size_t) { return static_cast<float>(rng.normal() * scale); });
    expect_equal_trees(mutual_reachability_mst(points, {.min_samples = 4}), dense_prim(points, 4));
  }
}

TEST(MutualReachability, SmallDistancesFarFromTheOriginAreExact) {
  const Matrix<float> points = draw_points(
      400, 4, 1, [](Rng& rng, size_t) { return 1e4f + static_cast<float>(rng.normal()); });
  expect_equal_trees(mutual_reachability_mst(points, {.min_samples = 4}), dense_prim(points, 4));
}

TEST(MutualReachability, CoincidingPointsHaveCoreZero) {
  const Matrix<float> points(500, 6);
  const auto tree = mutual_reachability_mst(points, {.min_samples = 5});
  EXPECT_EQ(tree.edges.size(), 499u);
  for (const Edge& edge : tree.edges) EXPECT_EQ(edge.weight, 0);
  const Matrix<float> mixed = draw_points(300, 2, 1, [](Rng& rng, size_t row) {
    return row % 3 == 0 ? 0.25f : static_cast<float>(rng.normal());
  });
  expect_equal_trees(mutual_reachability_mst(mixed, {.min_samples = 5}), dense_prim(mixed, 5));
}

TEST(MutualReachability, DoesNotDependOnTheNumberOfThreads) {
  for (const auto& draw : {clustered, on_grid}) {
    const Matrix<float> points = draw_points(3000, 3, 9, draw);
    const auto run = [&](size_t threads) {
      const ThreadLimit limit(threads);
      return mutual_reachability_mst(points, {.min_samples = 5});
    };
    const auto one = run(1);
    for (const size_t threads : {2, 8, 8, 8}) {
      const auto other = run(threads);
      EXPECT_EQ(one.edges, other.edges);
      EXPECT_EQ(one.core_distances, other.core_distances);
    }
  }
}

TEST(MutualReachability, OnePointHasNoEdges) {
  const auto tree = mutual_reachability_mst(Matrix<float>(1, 2), {});
  EXPECT_TRUE(tree.edges.empty());
  EXPECT_EQ(tree.core_distances.size(), 1u);
}

TEST(MutualReachability, RefusesWrongInputByName) {
  const auto message = [](const Matrix<float>& points, const MutualReachability& options) {
    try {
      mutual_reachability_mst(points, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  Matrix<float> points(5, 2);
  EXPECT_THAT(message(Matrix<float>(), {}), HasSubstr("no points"));
  EXPECT_THAT(message(points, {.min_samples = 5}), HasSubstr("1 .. 4"));
  EXPECT_THAT(message(points, {.min_samples = 0}), HasSubstr("1 .. 4"));
  EXPECT_THAT(message(points, {.min_samples = 2, .alpha = 0}), HasSubstr("alpha"));
  points(3, 0) = std::numeric_limits<float>::infinity();
  EXPECT_THAT(message(points, {.min_samples = 2}), HasSubstr("point 3"));
}

double total(const std::vector<Edge>& edges) {
  double sum = 0;
  for (const Edge& edge : edges) sum += edge.weight;
  return sum;
}

// The lists leave about 150 blobs apart. A walk that another thread's find cut short may not lend
// its own find to the component at its other end.
TEST(KnnGraphTree, DoesNotDependOnTheNumberOfThreads) {
  constexpr size_t kBlobs = 150;
  Rng rng(3);
  Matrix<float> centres(kBlobs, 3);
  for (float& x : centres.flat()) x = static_cast<float>(rng.normal() * 20);
  Matrix<float> points(kBlobs * 200, 3);
  for (size_t i = 0; i < points.rows(); ++i) {
    for (size_t j = 0; j < 3; ++j) {
      points(i, j) = centres(i % kBlobs, j) + static_cast<float>(rng.normal());
    }
  }
  const Neighbors neighbors = exact_knn_graph(points, 10);
  const auto run = [&](size_t threads) {
    const ThreadLimit limit(threads);
    return knn_graph_mst(points, neighbors, {.min_samples = 5}, 8).edges;
  };
  const auto one = run(1);
  for (int repeat = 0; repeat < 10; ++repeat) EXPECT_EQ(one, run(8));
}

TEST(KnnGraphTree, WithAllNeighborsListedIsExact) {
  const Matrix<float> points = draw_points(120, 3, 4, clustered);
  const Neighbors neighbors = exact_knn_graph(points, 119);
  expect_equal_trees(knn_graph_mst(points, neighbors, {.min_samples = 5}), dense_prim(points, 5));
}

TEST(KnnGraphTree, JoinsComponentsExactlyWhenAllPointsRepresentThem) {
  const Matrix<float> points = draw_points(400, 3, 4, clustered);
  const Neighbors neighbors = exact_knn_graph(points, 6);
  const auto tree = knn_graph_mst(points, neighbors, {.min_samples = 5}, 400);
  EXPECT_EQ(tree.edges.size(), 399u);
  const double exact = total(dense_prim(points, 5).edges);
  EXPECT_GE(total(tree.edges), exact * (1 - 1e-12));
  EXPECT_LE(total(tree.edges), exact * 1.02);  // 6 of 399 neighbours, 7 separate blobs
  const auto rough = knn_graph_mst(points, neighbors, {.min_samples = 5}, 2);
  EXPECT_EQ(rough.edges.size(), 399u);
  EXPECT_GE(total(rough.edges), exact * (1 - 1e-12));
}

TEST(KnnGraphTree, RefusesListsThatAreTooShort) {
  const Matrix<float> points = draw_points(50, 3, 4, normal);
  const Neighbors neighbors = exact_knn_graph(points, 4);
  EXPECT_THROW(knn_graph_mst(points, neighbors, {.min_samples = 5}), Error);
  EXPECT_THROW(knn_graph_mst(points, neighbors, {.min_samples = 3}, 0), Error);
  EXPECT_THROW(knn_graph_mst(draw_points(49, 3, 4, normal), neighbors, {.min_samples = 3}), Error);
}

}  // namespace
}  // namespace carya
