#include "carya/tree/kmeans_tree.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <set>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/metrics/dendrogram_purity.h"
#include "carya/tree/balanced_sample.h"

namespace carya {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// Blobs of 1000, 100 and 10 points, far apart; blob_of(i) tells which.
constexpr size_t kItems = 1110;
int32_t blob_of(size_t i) { return i < 1000 ? 0 : (i < 1100 ? 1 : 2); }
Matrix<float> skewed_blobs() {
  Matrix<float> points(kItems, 2);
  Rng rng(1);
  for (size_t i = 0; i < kItems; ++i) {
    for (size_t j = 0; j < 2; ++j) {
      points(i, j) = static_cast<float>(rng.normal() + 20 * blob_of(i));
    }
  }
  return points;
}

std::vector<KMeansLevel> two_levels() {
  return {{.n_clusters = 40, .n_resamples = 3}, {.n_clusters = 6, .n_resamples = 3}};
}

std::filesystem::path temporary(const char* name) {
  return std::filesystem::temp_directory_path() / (std::string("carya_kmeans_tree_") + name);
}

bool equal(const KMeansTree& a, const KMeansTree& b) {
  if (a.levels.size() != b.levels.size() || a.item_distances != b.item_distances) return false;
  for (size_t i = 0; i < a.levels.size(); ++i) {
    if (a.levels[i].parent != b.levels[i].parent) return false;
    if (!std::ranges::equal(a.levels[i].centroids.flat(), b.levels[i].centroids.flat()))
      return false;
  }
  return true;
}

TEST(KMeansTree, EachItemHasAPlaceInEachLevel) {
  const Matrix<float> points = skewed_blobs();
  const KMeansTree tree = hierarchical_kmeans(points, two_levels());
  ASSERT_THAT(tree.levels, SizeIs(2));
  const std::vector<int32_t> fine = tree.labels(0), coarse = tree.labels(1);
  for (size_t i = 0; i < kItems; ++i) {
    EXPECT_EQ(coarse[i], static_cast<int32_t>(tree.levels[1].parent[static_cast<size_t>(fine[i])]));
  }
  std::vector<int32_t> blobs(kItems);
  for (size_t i = 0; i < kItems; ++i) blobs[i] = blob_of(i);
  EXPECT_EQ(tree.parents().size(), kItems + 40 + 6 + 1);
  EXPECT_GT(dendrogram_purity(tree.parents(), blobs), 0.8);  // the root's would be 0.82 of pairs
  EXPECT_THROW(tree.labels(2), Error);
}

// Without levels and resampling nearly all centroids go to the blob of 1000.
TEST(KMeansTree, ResamplingFlattensTheDensity) {
  const Matrix<float> points = skewed_blobs();
  const auto small_blob_centroids = [&](size_t n_resamples) {
    const KMeansLevel level{.n_clusters = 60, .n_resamples = n_resamples, .per_cluster = 3};
    const KMeansTree tree = hierarchical_kmeans(points, {{level}});
    size_t count = 0;
    for (size_t c = 0; c < 60; ++c) count += tree.levels[0].centroids(c, 0) > 10;
    return count;
  };
  EXPECT_GT(small_blob_centroids(10), small_blob_centroids(0));
}

TEST(KMeansTree, SplittingMakesAboutAsManyClusters) {
  const Matrix<float> points = skewed_blobs();
  const KMeansLevel level{.n_clusters = 100, .n_resamples = 1, .n_coarse = 10};
  const KMeansTree tree = hierarchical_kmeans(points, {{level}});
  EXPECT_LE(tree.levels[0].centroids.rows(), 100u);
  EXPECT_GE(tree.levels[0].centroids.rows(), 80u);
  const std::vector<int32_t> labels = tree.labels(0);
  EXPECT_EQ(std::set(labels.begin(), labels.end()).size(), tree.levels[0].centroids.rows());
}

TEST(KMeansTree, DoesNotDependOnTheNumberOfThreads) {
  const Matrix<float> points = skewed_blobs();
  const auto run = [&](size_t threads) {
    const ThreadLimit limit(threads);
    return hierarchical_kmeans(points, two_levels(), {.seed = 3});
  };
  const KMeansTree one = run(1);
  EXPECT_TRUE(equal(one, run(2)));
  EXPECT_TRUE(equal(one, run(8)));
}

TEST(KMeansTree, SavedIsOpenedAsItWas) {
  const KMeansTree tree = hierarchical_kmeans(skewed_blobs(), two_levels());
  const auto path = temporary("saved");
  tree.save(path);
  EXPECT_TRUE(equal(tree, KMeansTree::open(path)));
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 7);
  EXPECT_THROW(KMeansTree::open(path), Error);
  std::filesystem::remove(path);
}

// Stops when the second level begins, as Ctrl-C would.
class StopAfter : public Progress {
 public:
  explicit StopAfter(size_t stages) : left_(stages) {}
  void begin(std::string_view, size_t, std::string_view) override { --left_; }
  void advance(size_t) override {}
  bool stop_requested() const override { return left_ == 0; }

 private:
  size_t left_;
};

TEST(KMeansTree, ResumesAtTheLevelThatWasNotFinished) {
  const Matrix<float> points = skewed_blobs();
  const auto path = temporary("checkpoint");
  std::filesystem::remove(path);
  const KMeansTreeOptions options{.seed = 5, .checkpoint = path};
  StopAfter stop(6);  // level 0 has 4 runs of k-means
  EXPECT_THROW(hierarchical_kmeans(points, two_levels(), options, &stop), Error);
  EXPECT_THAT(KMeansTree::open(path).levels, SizeIs(1));
  const KMeansTree resumed = hierarchical_kmeans(points, two_levels(), options);
  EXPECT_TRUE(equal(resumed, hierarchical_kmeans(points, two_levels(), {.seed = 5})));
  EXPECT_THROW(hierarchical_kmeans(points, two_levels(), {.seed = 6, .checkpoint = path}), Error);
  std::filesystem::remove(path);
}

TEST(KMeansTree, RefusesWrongInputByName) {
  Matrix<float> points = skewed_blobs();
  const auto message = [&](std::vector<KMeansLevel> levels, size_t n_iterations = 5) {
    try {
      hierarchical_kmeans(points, levels, {.n_iterations = n_iterations});
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("no error");
  };
  EXPECT_THAT(message({}), HasSubstr("at least one"));
  EXPECT_THAT(message({{.n_clusters = 2000}}), HasSubstr("1 .. 1110"));
  EXPECT_THAT(message({{.n_clusters = 20}, {.n_clusters = 30}}), HasSubstr("level 1"));
  EXPECT_THAT(message({{.n_clusters = 0}}), HasSubstr("level 0"));
  EXPECT_THAT(message({{.n_clusters = 5, .n_coarse = 6}}), HasSubstr("coarse"));
  EXPECT_THAT(message({{.n_clusters = 5, .per_cluster = 0}}), HasSubstr("per_cluster"));
  EXPECT_THAT(message({{.n_clusters = 5}}, 0), HasSubstr("n_iterations"));
  points(17, 0) = std::nanf("");
  EXPECT_THAT(message({{.n_clusters = 5}}), HasSubstr("point 17"));
}

TEST(BalancedQuotas, AreTheDefinition) {
  const std::vector<size_t> sizes = {10, 3, 0, 7};
  EXPECT_THAT(balanced_quotas(sizes, 9, 1, 0), ElementsAre(3, 3, 0, 3));
  EXPECT_THAT(balanced_quotas(sizes, 0, 1, 0), ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(balanced_quotas(sizes, 20, 1, 0), ElementsAre(10, 3, 0, 7));
  EXPECT_THAT(balanced_quotas(sizes, 99, 1, 0), ElementsAre(10, 3, 0, 7));
  EXPECT_THAT(balanced_quotas(sizes, 18, 1, 0), ElementsAre(8, 3, 0, 7));
  EXPECT_TRUE(balanced_quotas({}, 5, 1, 0).empty());
  for (uint64_t seed = 0; seed < 10; ++seed) {  // the one over goes to one of the large
    const auto quotas = balanced_quotas(sizes, 10, seed, 0);
    EXPECT_EQ(quotas[0] + quotas[1] + quotas[3], 10u);
    EXPECT_EQ(quotas[1], 3u);
  }
}

TEST(BalancedSample, HasTheExactSizeAndEvensOutTheBlobs) {
  const KMeansTree tree = hierarchical_kmeans(skewed_blobs(), two_levels());
  for (const size_t target : {0, 1, 30, 500, 1110, 5000}) {
    const auto sample = balanced_sample(tree, target);
    EXPECT_EQ(sample.size(), std::min(target, kItems));
    EXPECT_EQ(std::set(sample.begin(), sample.end()).size(), sample.size());
  }
  std::vector<size_t> of_blob(3, 0);
  for (const uint32_t item : balanced_sample(tree, 200))
    ++of_blob[static_cast<size_t>(blob_of(item))];
  EXPECT_GE(of_blob[1], 30u);  // of 200; by chance 18
  EXPECT_GE(of_blob[2], 5u);   // by chance 2
}

TEST(BalancedSample, MultiplicityAllowsRepeats) {
  const KMeansTree tree = hierarchical_kmeans(skewed_blobs(), two_levels());
  const auto sample = balanced_sample(tree, 5000, {.multiplicity = 2});
  EXPECT_EQ(sample.size(), 2 * kItems);
  for (size_t i = 0; i < sample.size(); ++i) EXPECT_EQ(sample[i], i / 2);
  EXPECT_THROW(balanced_sample(tree, 5, {.multiplicity = 0}), Error);
}

TEST(BalancedSample, ClosestTakesTheNearestToTheCentroid) {
  const KMeansTree tree = hierarchical_kmeans(skewed_blobs(), {{{.n_clusters = 10}}});
  const auto sample = balanced_sample(tree, 10, {.pick = SamplePick::kClosest});
  const std::vector<int32_t> labels = tree.labels(0);
  for (const uint32_t chosen : sample) {
    for (size_t i = 0; i < kItems; ++i) {
      if (labels[i] == labels[chosen]) {
        EXPECT_LE(tree.item_distances[chosen], tree.item_distances[i]);
      }
    }
  }
}

}  // namespace
}  // namespace carya
