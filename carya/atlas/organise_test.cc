#include "carya/atlas/organise.h"

#include <cmath>
#include <set>

#include "carya/atlas/test_data.h"
#include "carya/core/parallel.h"
#include "carya/metrics/clustering.h"

namespace carya {
namespace {

using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

Neighbors neighbors_of(const Matrix<float>& points, size_t k = 10) {
  if (points.rows() == 1) return {Matrix<uint32_t>(1, 0), Matrix<float>(1, 0)};
  return exact_knn_graph(points, std::min(k, points.rows() - 1));
}

Organised organised(const Matrix<float>& points, const OrganiseOptions& options, size_t k = 10) {
  return organise(points, neighbors_of(points, k), options);
}

// What holds for every result.
void expect_whole(const Organised& result, size_t n) {
  EXPECT_EQ(result.hierarchy.n_items(), n);
  ASSERT_EQ(result.tree.n_items(), n);
  EXPECT_EQ(result.tree.size(NodeTree::kRoot), n);
  std::set<uint32_t> all(result.tree.item_order().begin(), result.tree.item_order().end());
  EXPECT_EQ(all.size(), n);
  ASSERT_EQ(result.strength.size(), n);
  ASSERT_EQ(result.is_outlier.size(), n);
  for (size_t i = 0; i < n; ++i) {
    EXPECT_GE(result.strength[i], 0) << i;
    EXPECT_LE(result.strength[i], 1) << i;
    EXPECT_LE(result.is_outlier[i], 1) << i;
  }
  for (uint32_t node = 0; node < result.tree.n_nodes(); ++node) {
    EXPECT_GE(result.tree.size(node), 1u);
  }
}

class EveryMethod : public ::testing::TestWithParam<OrganiseMethod> {};
INSTANTIATE_TEST_SUITE_P(Organise, EveryMethod,
                         ::testing::Values(OrganiseMethod::kDiffusion, OrganiseMethod::kHdbscan,
                                           OrganiseMethod::kKMeansTree),
                         [](const auto& info) {
                           std::string name(organise_method_name(info.param));
                           std::erase(name, '-');
                           return name;
                         });

TEST_P(EveryMethod, GivesEveryItemAPlace) {
  for (size_t n : {1, 2, 3, 5, 10, 100, 600}) {
    SCOPED_TRACE(n);
    expect_whole(organised(blobs(n, 6, 4), {.method = GetParam()}), n);
  }
}

TEST_P(EveryMethod, TakesIdenticalItems) {
  for (size_t n : {2, 3, 200}) {
    SCOPED_TRACE(n);
    Matrix<float> points(n, 3);
    std::ranges::fill(points.flat(), 0.5f);
    expect_whole(organised(points, {.method = GetParam()}), n);
  }
}

TEST_P(EveryMethod, TakesClusterSizesBeyondTheItems) {
  expect_whole(organised(blobs(20, 3, 2), {.method = GetParam(), .min_cluster_size = 1000}), 20);
}

TEST_P(EveryMethod, TakesGraphsOfManyParts) {
  // Twelve blobs far from each other, two neighbours each: the graph falls into parts.
  expect_whole(organised(blobs(240, 3, 12), {.method = GetParam(), .min_cluster_size = 5}, 2), 240);
}

TEST_P(EveryMethod, KeepsTheBlobsApart) {
  const size_t n = 400, n_blobs = 4;
  const Organised result = organised(blobs(n, 6, n_blobs), {.method = GetParam()});
  std::vector<int32_t> classes;
  for (size_t i = 0; i < n; ++i) classes.push_back(static_cast<int32_t>(i % n_blobs));
  EXPECT_EQ(purity(result.hierarchy.cut_into(12), classes), 1);
}

TEST_P(EveryMethod, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = blobs(500, 5, 7);
  std::vector<Organised> results;
  for (size_t n : {1, 2, 8}) {
    const ThreadLimit limit(n);
    results.push_back(organised(points, {.method = GetParam()}));
  }
  for (const Organised& result : results) {
    EXPECT_TRUE(std::ranges::equal(result.hierarchy.merges(), results[0].hierarchy.merges()));
    EXPECT_TRUE(std::ranges::equal(result.tree.parents(), results[0].tree.parents()));
    EXPECT_TRUE(std::ranges::equal(result.tree.nodes_of_items(), results[0].tree.nodes_of_items()));
    EXPECT_EQ(result.strength, results[0].strength);
    EXPECT_EQ(result.is_outlier, results[0].is_outlier);
  }
}

TEST_P(EveryMethod, HasAsManyLevelsAsAsked) {
  for (size_t levels : {1, 2, 3}) {
    const Organised result =
        organised(blobs(600, 5, 20), {.method = GetParam(), .n_levels = levels});
    EXPECT_LE(result.tree.max_depth(), levels);
  }
}

TEST(Organise, OptionsAreChecked) {
  const Matrix<float> points = blobs(10, 2, 2);
  EXPECT_THAT([&] { organised(points, {.min_cluster_size = 1}); },
              ThrowsMessage<Error>(HasSubstr("--min-cluster-size is 1")));
  EXPECT_THAT([&] { organised(points, {.n_levels = 11}); },
              ThrowsMessage<Error>(HasSubstr("--levels is 11")));
  EXPECT_THAT([] { organise_method_from_name("magic"); },
              ThrowsMessage<Error>(HasSubstr("diffusion, hdbscan or kmeans-tree")));
  for (auto method :
       {OrganiseMethod::kDiffusion, OrganiseMethod::kHdbscan, OrganiseMethod::kKMeansTree}) {
    EXPECT_EQ(organise_method_from_name(organise_method_name(method)), method);
  }
}

TEST(Organise, AnOutlierHasAPlaceAndIsMarked) {
  Matrix<float> points = blobs(201, 3, 2);
  for (float& x : points.row(200)) x = 500;
  const Organised result = organised(points, {});
  EXPECT_EQ(result.is_outlier[200], 1);
  expect_whole(result, 201);
}

}  // namespace
}  // namespace carya
