// The forms in which an index keeps vectors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "carya/index/hnsw.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::HasSubstr;

TEST(Rows, RoundToTheNearestCode) {
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct}) {
    for (RowFormat format : {RowFormat::kInt8, RowFormat::kInt4}) {
      const Matrix<float> sample = random_points(500, 9, 1);
      std::vector<float> low(9, -8.0f), high(9, 8.0f);
      Rows rows(format, metric, 9);
      rows.train(sample, low, high);
      rows.resize(sample.rows());
      const float scale = rows.quantizer().scale;
      const CodeRange range = code_range(format, metric);
      size_t n_inside = 0;
      for (size_t i = 0; i < sample.rows(); ++i) {
        rows.write(i, sample.row(i));
        std::vector<float> read(9);
        rows.read(i, read);
        for (size_t j = 0; j < 9; ++j) {
          const float offset = rows.quantizer().offsets[j];
          const float lowest = offset + scale * static_cast<float>(range.lowest);
          const float highest = offset + scale * static_cast<float>(range.highest);
          const float clamped = std::clamp(sample(i, j), lowest, highest);
          n_inside += clamped == sample(i, j);
          EXPECT_NEAR(read[j], clamped, 0.501f * scale);
        }
      }
      EXPECT_GT(n_inside, 9 * sample.rows() * 95 / 100);
    }
  }
}

struct Case {
  std::string name;
  VectorStorage storage;
  double recall;     // of items that are ranked by what is stored
  size_t row_bytes;  // of 40 dims, at most
};
class EveryStorage : public ::testing::TestWithParam<Case> {};
INSTANTIATE_TEST_SUITE_P(
    Hnsw, EveryStorage,
    ::testing::Values(Case{"f32", {RowFormat::kF32, {}}, 0.98, 192},
                      Case{"f32_int8", {RowFormat::kF32, RowFormat::kInt8}, 0.98, 256},
                      Case{"f32_int4", {RowFormat::kF32, RowFormat::kInt4}, 0.97, 256},
                      Case{"bf16", {RowFormat::kBf16, {}}, 0.96, 128},
                      Case{"bf16_int8", {RowFormat::kBf16, RowFormat::kInt8}, 0.96, 192},
                      Case{"int8", {{}, RowFormat::kInt8}, 0.9, 64},
                      Case{"int4", {{}, RowFormat::kInt4}, 0.5, 64}),
    [](const auto& info) { return info.param.name; });

TEST_P(EveryStorage, FindsAndSavesAndOpensAndGrows) {
  const Matrix<float> vectors = random_points(3000, 40, 2), queries = random_points(50, 40, 3);
  for (Metric metric : {Metric::kSquaredL2, Metric::kInnerProduct, Metric::kCosine}) {
    SCOPED_TRACE(metric_name(metric));
    Hnsw index(40, metric, {.storage = GetParam().storage});
    // In steps: the range of codes is learnt when there are 1,024, and anew.
    for (size_t first = 0; first < 3000;) {
      const size_t n = first < 1000 ? 250 : 2000;
      index.add(ids_from(first, n), vectors.view().slice(first, n));
      first += n;
    }
    const TempFile file;
    index.save(file.path());
    const Hnsw opened = Hnsw::open(file.path());
    EXPECT_EQ(opened.options().storage.exact, GetParam().storage.exact);
    EXPECT_EQ(opened.options().storage.codes, GetParam().storage.codes);
    const double graph = 3000.0 * (8.4 * 16 + 18 + 12) + 30'000;
    EXPECT_LT(static_cast<double>(std::filesystem::file_size(file.path())),
              3000.0 * static_cast<double>(GetParam().row_bytes) + graph);
    const Neighbors truth = exact_knn(queries, vectors, 10, metric);
    size_t found = 0, found_exactly = 0;
    for (size_t q = 0; q < queries.rows(); ++q) {
      const auto hits = index.search(queries.row(q), {.k = 10, .effort = 100});
      EXPECT_EQ(opened.search(queries.row(q), {.k = 10, .effort = 100}), hits);
      for (const Hit& hit : hits) {
        found += static_cast<size_t>(std::ranges::count(truth.ids.row(q), hit.id));
      }
      // With the caller's vectors, distances are exact whatever is stored.
      for (const Hit& hit :
           index.search(queries.row(q), {.k = 10, .effort = 100, .exact = vectors})) {
        const auto at = std::ranges::find(truth.ids.row(q), hit.id) - truth.ids.row(q).begin();
        if (at == 10) continue;
        ++found_exactly;
        if (!GetParam().storage.exact) {
          EXPECT_NEAR(hit.distance, truth.distances(q, static_cast<size_t>(at)), 1e-4);
        }
      }
    }
    EXPECT_GT(static_cast<double>(found) / 500, GetParam().recall);
    EXPECT_GT(static_cast<double>(found_exactly) / 500, std::min(GetParam().recall + 0.02, 0.96));
  }
}

TEST(Hnsw, TellsClustersOfOneCodeApartByExactVectors) {
  Matrix<float> vectors = random_points(2000, 4, 7);
  for (size_t i = 0; i < 2000; ++i) vectors(i, 0) += static_cast<float>(100'000 * (i / 100));
  Hnsw index(4, Metric::kSquaredL2);  // all of a cluster would have the same int8 code
  index.add(ids_from(0, 2000), vectors);
  for (size_t i = 0; i < 2000; ++i) {
    ASSERT_EQ(index.search(vectors.row(i), {.k = 1, .effort = 20})[0].id, i);
  }
}

TEST(Hnsw, RefusesStorageThatCannotBe) {
  EXPECT_THAT(message([] {
                Hnsw(4, Metric::kCosine, {.storage = {{}, {}}});
              }),
              HasSubstr("exact vectors, codes, or both"));
  EXPECT_THAT(message([] {
                Hnsw(4, Metric::kCosine, {.storage = {RowFormat::kInt8, {}}});
              }),
              HasSubstr("exact vectors are f32 or bf16"));
  EXPECT_THAT(message([] {
                Hnsw(4, Metric::kCosine, {.storage = {{}, RowFormat::kF32}});
              }),
              HasSubstr("codes are int8 or int4"));
}

TEST(Hnsw, TakesVectorsOfAnySizeInCodes) {
  for (float size : {0.0f, 1e-30f, 1e-6f, 1e6f, 1e18f}) {
    Matrix<float> vectors = random_points(1500, 5, 8);
    for (float& x : vectors.flat()) x *= size;
    for (Metric metric : {Metric::kSquaredL2, Metric::kCosine}) {
      Hnsw index(5, metric, {.storage = {{}, RowFormat::kInt8}});
      index.add(ids_from(0, 1500), vectors);
      EXPECT_EQ(index.search(vectors.row(3), {.k = 10}).size(), 10u) << size;
    }
  }
}

TEST(Hnsw, TellsItemsOfOneCodeApartByTheCallersVectors) {
  constexpr size_t kPairs = 1000, kDim = 6;
  Matrix<float> points = random_points(2 * kPairs, kDim, 11);
  for (size_t i = 0; i < kPairs; ++i) {  // the second of a pair is nearer than codes are fine
    for (size_t j = 0; j < kDim; ++j) points(kPairs + i, j) = points(i, j) + 1e-5f;
  }
  Hnsw index(kDim, Metric::kSquaredL2, {.storage = {.exact = {}, .codes = RowFormat::kInt8}});
  index.add(ids_from(0, 2 * kPairs), points);
  const EveryNth even(2);
  for (size_t i = 0; i < 2 * kPairs; i += 7) {
    const auto hits = index.search(points.row(i), {.k = 2, .exact = points});
    ASSERT_EQ(hits.size(), 2u);
    EXPECT_EQ(hits[0].id, i);
    EXPECT_EQ(hits[0].distance, 0);
    EXPECT_EQ(hits[1].id, (i + kPairs) % (2 * kPairs));
    EXPECT_GT(hits[1].distance, 0);
    const auto filtered = index.search(points.row(i), {.k = 2, .filter = &even, .exact = points});
    for (const Hit& hit : filtered) EXPECT_EQ(hit.id % 2, 0u);
  }
}

}  // namespace
}  // namespace carya
