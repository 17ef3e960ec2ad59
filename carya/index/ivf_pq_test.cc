#include "carya/index/ivf_pq.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "carya/core/file.h"
#include "carya/index/test_data.h"
#include "carya/simd/distance.h"

namespace carya {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

// n points around 30 centres.
Matrix<float> clustered(size_t n, size_t dim, uint64_t seed) {
  const Matrix<float> centres = random_points(30, dim, seed);
  Matrix<float> points = random_points(n, dim, seed + 1);
  for (size_t i = 0; i < n; ++i) {
    for (size_t j = 0; j < dim; ++j) points(i, j) = 3 * centres(i % 30, j) + points(i, j);
  }
  return points;
}

float distance_of(Metric metric, std::span<const float> query, const Matrix<float>& points,
                  ItemId id) {
  float distance = 0;
  const auto row = static_cast<uint32_t>(id);
  distances(metric, query, points, std::span(&row, 1), {&distance, 1});
  return distance;
}

double recall(const IvfPq& index, const Matrix<float>& points, MatrixView<const float> queries,
              const SearchOptions& options, std::optional<Metric> metric = {}) {
  size_t n_found = 0;
  for (size_t q = 0; q < queries.rows(); ++q) {
    const auto expected =
        ids_of(naive_search(points, 0, queries.row(q), options.k, metric.value_or(index.metric())));
    const std::set<ItemId> right(expected.begin(), expected.end());
    for (const ItemId id : ids_of(index.search(queries.row(q), options))) {
      n_found += right.count(id);
    }
  }
  return static_cast<double>(n_found) / static_cast<double>(options.k * queries.rows());
}

class IvfPqTest : public testing::TestWithParam<std::tuple<Metric, size_t, bool>> {
 protected:
  static constexpr size_t kItems = 1500, kDim = 16, kParts = 8, kLists = 12;
  // The first n points.  Training takes a while: each kind is trained once.
  IvfPq make(size_t n = kItems) const {
    static std::map<ParamType, TempFile> trained;
    const auto [metric, bits, rotate] = GetParam();
    if (!trained.contains(GetParam())) {
      IvfPq index(kDim, metric,
                  {.n_lists = kLists, .n_parts = kParts, .bits = bits, .rotate = rotate});
      index.train(points_);
      index.save(trained[GetParam()].path());
    }
    IvfPq index = IvfPq::open(trained[GetParam()].path());
    index.add(ids_from(0, n), points_.view().slice(0, n));
    return index;
  }
  Matrix<float> points_ = clustered(kItems, kDim, 1);
  // Of the same clusters, but no points.
  MatrixView<const float> held_out() const { return more_.view().slice(kItems, 40); }
  Matrix<float> more_ = clustered(kItems + 40, kDim, 1);
};

TEST_P(IvfPqTest, ExactVectorsMakeAllListsExact) {
  const IvfPq index = make();
  const SearchOptions options{.k = 10, .effort = kLists, .exact = points_};
  EXPECT_GE(recall(index, points_, held_out(), options), 0.98);
  for (const Hit& hit : index.search(held_out().row(0), options)) {
    EXPECT_EQ(hit.distance, distance_of(index.metric(), held_out().row(0), points_, hit.id));
  }
}

TEST_P(IvfPqTest, CodesRankByTheVectorsThatTheyStandFor) {
  const IvfPq index = make();
  Matrix<float> decoded(kItems, kDim);
  for (ItemId id = 0; id < kItems; ++id) {
    std::ranges::copy(*index.reconstruct(id), decoded.row_data(id));
  }
  EXPECT_EQ(index.reconstruct(kItems), std::nullopt);
  // For cosine the vectors had length 1 before they were coded.
  const bool is_cosine = index.metric() == Metric::kCosine;
  const Metric metric = is_cosine ? Metric::kInnerProduct : index.metric();
  const bool is_short = std::get<1>(GetParam()) == 4;
  const SearchOptions options{.k = 10, .effort = kLists};
  EXPECT_GE(recall(index, decoded, held_out(), options, metric), is_short ? 0.9 : 0.999);
  std::vector<float> query(held_out().row(0).begin(), held_out().row(0).end());
  double squared = 0;
  for (const float x : query) squared += static_cast<double>(x) * x;
  for (float& x : query) x /= is_cosine ? static_cast<float>(std::sqrt(squared)) : 1.0f;
  for (const Hit& hit : index.search(query, options)) {
    const float expected = distance_of(metric, query, decoded, hit.id) + (is_cosine ? 1.0f : 0.0f);
    const float scale = is_cosine ? 1 : std::abs(expected);
    EXPECT_NEAR(hit.distance, expected, (is_short ? 0.05f : 1e-4f) * scale);
  }
}

TEST_P(IvfPqTest, MoreListsFindMore) {
  const IvfPq index = make();
  double last = 0;
  for (const size_t effort : {1, 3, 6, 12}) {
    const double now =
        recall(index, points_, held_out(), {.k = 10, .effort = effort, .exact = points_});
    EXPECT_GE(now, last - 0.01);
    last = now;
  }
}

TEST_P(IvfPqTest, ChangesAreSeen) {
  IvfPq index = make(1000);
  EXPECT_FALSE(index.remove(2000));
  for (ItemId id = 0; id < 1000; id += 2) EXPECT_TRUE(index.remove(id));
  EXPECT_EQ(index.size(), 500U);
  for (const Hit& hit : index.search(points_.row(4), {.k = 500, .effort = 20})) {
    EXPECT_EQ(hit.id % 2, 1U);
  }
  index.add(ids_from(5000, 10), points_.view().slice(0, 10));
  EXPECT_THAT(ids_of(index.search(points_.row(4), {.k = 20, .effort = 20})),
              testing::Contains(ItemId{5004}));
  // What item 1 becomes, it is found as.
  const std::vector<ItemId> one = {1};
  index.update(one, points_.view().slice(1400, 1));
  EXPECT_THAT(ids_of(index.search(points_.row(1400), {.k = 20, .effort = 20})),
              testing::Contains(ItemId{1}));
  EXPECT_EQ(index.size(), 510U);
  EXPECT_EQ(index.search(points_.row(0), {.k = 1000, .effort = 20}).size(), 510U);
}

TEST_P(IvfPqTest, AFilterHolds) {
  const IvfPq index = make();
  const EveryNth third(3);
  const auto hits = index.search(points_.row(7), {.k = 20, .effort = 20, .filter = &third});
  EXPECT_EQ(hits.size(), 20U);
  for (const Hit& hit : hits) EXPECT_EQ(hit.id % 3, 0U);
}

TEST_P(IvfPqTest, SavedAndOpenedItAnswersAlike) {
  IvfPq index = make(700);
  const TempFile file;
  const std::filesystem::path& path = file.path();
  index.save(path);
  const std::unique_ptr<Index> opened = open_index(path);
  EXPECT_EQ(opened->size(), 700U);
  for (size_t q = 0; q < 20; ++q) {
    const SearchOptions options{.k = 10, .effort = 5};
    EXPECT_EQ(opened->search(points_.row(q), options), index.search(points_.row(q), options));
  }
  EXPECT_TRUE(opened->remove(3));
  EXPECT_EQ(opened->size(), 699U);
}

INSTANTIATE_TEST_SUITE_P(All, IvfPqTest,
                         testing::Combine(testing::Values(Metric::kSquaredL2, Metric::kInnerProduct,
                                                          Metric::kCosine),
                                          testing::Values(4, 8), testing::Bool()));

TEST(IvfPq, WhatCannotBeIsSaid) {
  const Matrix<float> points = random_points(300, 10, 1);
  EXPECT_THAT([] { IvfPq(10, Metric::kSquaredL2, {.n_parts = 3}); },
              ThrowsMessage<Error>(HasSubstr("divisor of 10")));
  EXPECT_THAT([] { IvfPq(10, Metric::kSquaredL2, {.bits = 5}); },
              ThrowsMessage<Error>(HasSubstr("4 or 8")));
  IvfPq index(10, Metric::kSquaredL2);
  EXPECT_THAT([&] { index.add(ids_from(0, 300), points); },
              ThrowsMessage<Error>(HasSubstr("not trained")));
  EXPECT_THAT(index.search(points.row(0), {}), IsEmpty());
  EXPECT_THAT([&] { index.train(points.view().slice(0, 15)); },
              ThrowsMessage<Error>(HasSubstr("too few")));
  index.train(points);
  EXPECT_THROW(index.train(points), Error);
  Matrix<float> bad = random_points(2, 10, 2);
  bad(1, 3) = std::nanf("");
  EXPECT_THAT([&] { index.add(ids_from(0, 2), bad); },
              ThrowsMessage<Error>(HasSubstr("vector 1 (id 1)")));
  EXPECT_EQ(index.size(), 0U);
  EXPECT_THAT(index.search(points.row(0), {}), IsEmpty());
  index.add(ids_from(0, 5), points.view().slice(0, 5));
  EXPECT_THROW(index.add(ids_from(4, 2), points.view().slice(0, 2)), Error);
  EXPECT_THROW(index.search(random_points(1, 9, 1).row(0), {}), Error);
  EXPECT_THROW(index.search(points.row(0), {.k = 0}), Error);
  EXPECT_EQ(index.search(points.row(0), {.k = 99, .effort = 1000}).size(), 5U);
}

TEST(IvfPq, EqualPointsAreAllFound) {
  Matrix<float> points(400, 8);
  for (float& x : points.flat()) x = 1;
  IvfPq index(8, Metric::kSquaredL2, {.n_lists = 4});
  index.train(points);
  index.add(ids_from(0, 400), points);
  const auto hits = index.search(points.row(0), {.k = 400, .effort = 4});
  ASSERT_EQ(hits.size(), 400U);
  EXPECT_NEAR(hits.front().distance, 0, 1e-6);
}

TEST(IvfPq, DamagedFilesAreErrors) {
  const Matrix<float> points = random_points(300, 8, 1);
  IvfPq index(8, Metric::kSquaredL2, {.n_lists = 4});
  index.train(points);
  index.add(ids_from(0, 300), points);
  const TempFile file;
  const std::filesystem::path& path = file.path();
  index.save(path);
  const std::string whole = read_file(path);
  for (size_t cut = 0; cut < whole.size(); cut += 97) {
    write_file(path, std::string_view(whole).substr(0, cut));
    EXPECT_THROW(open_index(path), Error);
  }
}

TEST(ProductQuantizer, CodesAreTheNearestPieces) {
  const Matrix<float> points = random_points(500, 12, 3);
  const auto quantizer = ProductQuantizer::train(points, {.n_parts = 4, .bits = 4});
  const Matrix<uint8_t> numbers = quantizer.encode(points);
  const Matrix<float> decoded = quantizer.decode(numbers);
  double error = 0, norm = 0;
  for (size_t i = 0; i < 500; ++i) {
    for (size_t part = 0; part < 4; ++part) {
      double best = 1e30, chosen = 0;
      for (size_t c = 0; c < 16; ++c) {
        double squared = 0;
        for (size_t j = 0; j < 3; ++j) {
          const double d = points(i, 3 * part + j) - quantizer.centroids(part)(c, j);
          squared += d * d;
        }
        best = std::min(best, squared);
        if (c == numbers(i, part)) chosen = squared;
      }
      EXPECT_NEAR(chosen, best, 1e-6);
    }
    for (size_t j = 0; j < 12; ++j) {
      error += std::pow(points(i, j) - decoded(i, j), 2);
      norm += std::pow(points(i, j), 2);
    }
  }
  EXPECT_LT(error, 0.3 * norm);
}

TEST(OptimizedRotation, IsOneAndLosesLess) {
  // Two strong directions in the first part: without a rotation its codes lose most.
  Matrix<float> points = random_points(2000, 8, 5);
  for (size_t i = 0; i < 2000; ++i) points(i, 0) *= 10, points(i, 1) *= 10;
  const ProductQuantizerOptions options{.n_parts = 4, .bits = 4};
  const Matrix<float> rotation = optimized_rotation(points, options);
  Matrix<float> rotated(2000, 8);
  for (size_t a = 0; a < 8; ++a) {
    for (size_t b = 0; b < 8; ++b) {
      float sum = 0;
      for (size_t j = 0; j < 8; ++j) sum += rotation(a, j) * rotation(b, j);
      EXPECT_NEAR(sum, a == b ? 1 : 0, 1e-4);
    }
  }
  for (size_t i = 0; i < 2000; ++i) {
    for (size_t a = 0; a < 8; ++a) {
      for (size_t j = 0; j < 8; ++j) rotated(i, a) += rotation(a, j) * points(i, j);
    }
  }
  const auto loss = [&](const Matrix<float>& x) {
    const auto quantizer = ProductQuantizer::train(x, options);
    const Matrix<float> decoded = quantizer.decode(quantizer.encode(x));
    double sum = 0;
    for (size_t i = 0; i < x.size(); ++i) sum += std::pow(x.flat()[i] - decoded.flat()[i], 2);
    return sum;
  };
  EXPECT_LT(loss(rotated), 0.7 * loss(points));
}

}  // namespace
}  // namespace carya
