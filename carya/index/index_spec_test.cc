#include "carya/index/index_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "carya/index/test_data.h"
#include "carya/index/window.h"

namespace carya {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Pair;

TEST(IndexSpec, IsReadAndWritten) {
  EXPECT_EQ(IndexSpec::parse("hnsw").text(), "hnsw");
  const IndexSpec spec = IndexSpec::parse("hnsw:m=32,codes=int4");
  EXPECT_EQ(spec.type, "hnsw");
  EXPECT_EQ(spec.parameters.at("m"), "32");
  EXPECT_EQ(spec.text(), "hnsw:codes=int4,m=32");
  EXPECT_EQ(IndexSpec::parse("hnsw:").text(), "hnsw");
}

TEST(IndexSpec, SaysWhatCannotBe) {
  const Matrix<float> points = random_points(50, 4, 1);
  const std::vector<ItemId> ids = ids_from(0, 50);
  const auto build = [&](const std::string& spec) {
    return message([&] {
      build_index(IndexSpec::parse(spec), Metric::kSquaredL2, {.ids = ids, .vectors = points});
    });
  };
  EXPECT_THAT(build("tree"), HasSubstr("there are: hnsw, flat, ivf_pq, spann, window"));
  EXPECT_THAT(build("spann:heads=much"), HasSubstr("heads=much is no number"));
  const std::vector<double> labels(50);
  EXPECT_THAT(message([&] {
                build_index({}, Metric::kSquaredL2,
                            {.ids = ids, .vectors = points, .labels = labels});
              }),
              HasSubstr("labels are for the index type 'window', not 'hnsw'"));
  EXPECT_THAT(build("hnsw:m"), HasSubstr("'m' is no name=value"));
  EXPECT_THAT(build("hnsw:m=1,m=2"), HasSubstr("m comes twice"));
  EXPECT_THAT(build("hnsw:m=4x"), HasSubstr("m=4x is no whole number"));
  EXPECT_THAT(build("hnsw:m=-4"), HasSubstr("no whole number"));
  EXPECT_THAT(build("hnsw:codes=int2"), HasSubstr("none of int8, int4, none"));
  EXPECT_THAT(build("hnsw:lists=3"), HasSubstr("no parameter 'lists'; it has: codes, ef_con"));
  EXPECT_THAT(build("flat:m=3"), HasSubstr("no parameter 'm'"));
  EXPECT_THAT(build("hnsw:m=1"), HasSubstr("m"));  // what the options say
  EXPECT_THAT(message([] {
                estimate_index({.type = "flat", .parameters = {{"m", "1"}}}, Metric::kCosine, 1, 1);
              }),
              HasSubstr("no parameter 'm'"));
}

TEST(IndexSpec, BuildsWhatItSays) {
  const Matrix<float> points = random_points(300, 8, 2);
  const std::vector<ItemId> ids = ids_from(7, 300);
  const auto facts = [&](const std::string& spec) {
    return index_facts(
        *build_index(IndexSpec::parse(spec), Metric::kCosine, {.ids = ids, .vectors = points}));
  };
  const auto hnsw = facts("hnsw:m=8,ef_construction=50,exact=none,codes=int4");
  for (const auto& fact : {std::pair("type", "hnsw"),
                           {"m", "8"},
                           {"ef_construction", "50"},
                           {"exact", "none"},
                           {"codes", "int4"},
                           {"metric", "cosine"},
                           {"items", "300"},
                           {"dim", "8"}}) {
    EXPECT_THAT(hnsw, Contains(Pair(fact.first, fact.second)));
  }
  const auto ivf = facts("ivf_pq:lists=5,parts=4,bits=8,rotate=no");
  EXPECT_THAT(ivf, Contains(Pair("lists", "5")));
  EXPECT_THAT(ivf, Contains(Pair("parts", "4")));
  EXPECT_THAT(ivf, Contains(Pair("bits", "8")));
  EXPECT_THAT(facts("flat"), Contains(Pair("type", "flat")));
  const auto index =
      build_index(IndexSpec::parse("flat"), Metric::kSquaredL2, {.ids = ids, .vectors = points});
  EXPECT_EQ(index->search(points.row(12), {.k = 1})[0].id, 19u);
}

TEST(IndexSpec, BuildsIndexesThatNeedMore) {
  const Matrix<float> points = random_points(300, 8, 2);
  const std::vector<ItemId> ids = ids_from(7, 300);
  std::vector<double> labels(300);
  for (size_t i = 0; i < 300; ++i) labels[i] = static_cast<double>(i % 10);
  const auto window = build_index(IndexSpec::parse("window:cutoff=50"), Metric::kSquaredL2,
                                  {.ids = ids, .vectors = points, .labels = labels});
  const auto hits = dynamic_cast<const WindowIndex&>(*window).search(
      points.row(3), LabelWindow{.low = 3, .high = 3}, {.k = 300});
  EXPECT_EQ(hits.size(), 30u);
  EXPECT_EQ(hits[0].id, 10u);
  // In a file without a name, and in one with.
  const TempFile file;
  for (const std::filesystem::path& path : {std::filesystem::path(), file.path()}) {
    const auto spann = build_index(IndexSpec::parse("spann:format=int8"), Metric::kSquaredL2,
                                   {.ids = ids, .vectors = points, .path = path});
    EXPECT_EQ(spann->search(points.row(3), {.k = 1})[0].id, 10u);
    EXPECT_EQ(std::filesystem::exists(file.path()), !path.empty());
    EXPECT_THAT(index_facts(*spann), Contains(Pair("format", "int8")));
  }
}

TEST(IndexSpec, MakesEmptyIndexes) {
  for (const char* type : {"hnsw:m=5", "flat", "spann", "window"}) {
    const auto index = empty_index(IndexSpec::parse(type), Metric::kCosine, 3);
    EXPECT_EQ(index->size(), 0u) << type;
    EXPECT_EQ(index->dim(), 3u) << type;
  }
  EXPECT_THAT(message([] { empty_index(IndexSpec::parse("ivf_pq"), Metric::kCosine, 3); }),
              HasSubstr("cannot begin empty"));
}

// The file of an index is as large as the estimate says.
class EstimateTest : public testing::TestWithParam<const char*> {};

TEST_P(EstimateTest, TellsTheSizeOfTheFile) {
  constexpr size_t kItems = 12'000, kDim = 48;
  const Matrix<float> points = random_points(kItems, kDim, 3);
  const std::vector<ItemId> ids = ids_from(0, kItems);
  const IndexSpec spec = IndexSpec::parse(GetParam());
  const IndexEstimate estimate = estimate_index(spec, Metric::kSquaredL2, kItems, kDim);
  const TempFile file;
  build_index(spec, Metric::kSquaredL2, {.ids = ids, .vectors = points, .path = file.path()});
  const auto bytes = static_cast<double>(std::filesystem::file_size(file.path()));
  const double ratio = static_cast<double>(estimate.file_bytes) / bytes;
  EXPECT_GE(ratio, 0.9);
  // Vectors without structure, as these, lie in fewer lists than real ones.
  EXPECT_LE(ratio, spec.type == "spann" ? 1.5 : 1.1);
  // Lists stay in the file.
  EXPECT_EQ(estimate.open_bytes < estimate.file_bytes, spec.type == "spann");
  EXPECT_GT(estimate.build_bytes, estimate.open_bytes);
}

INSTANTIATE_TEST_SUITE_P(Specs, EstimateTest,
                         testing::Values("hnsw:ef_construction=20",
                                         "hnsw:m=8,ef_construction=20,exact=none,codes=int4",
                                         "hnsw:m=32,ef_construction=32,exact=bf16,codes=none",
                                         "flat", "ivf_pq", "ivf_pq:lists=20,parts=24,bits=8",
                                         "spann", "spann:heads=0.05,format=int8",
                                         "window:cutoff=2000,ef_construction=20"));

TEST(IndexSpec, EstimatesBits) {
  constexpr size_t kItems = 10'000, kDim = 600;
  Matrix<float> points = random_points(kItems, kDim, 5);
  for (float& x : points.flat()) x = x > 0 ? 1 : 0;
  const std::vector<ItemId> ids = ids_from(0, kItems);
  for (const char* spec : {"hnsw:ef_construction=20", "flat"}) {
    const TempFile file;
    const auto index = build_index(IndexSpec::parse(spec), Metric::kHamming,
                                   {.ids = ids, .vectors = points, .path = file.path()});
    const IndexEstimate estimate =
        estimate_index(IndexSpec::parse(spec), Metric::kHamming, kItems, kDim);
    EXPECT_NEAR(static_cast<double>(estimate.file_bytes) /
                    static_cast<double>(std::filesystem::file_size(file.path())),
                1, 0.1)
        << spec;
    if (spec[0] == 'h') {
      EXPECT_THAT(index_facts(*index), Contains(Pair("exact", "bits")));
    }
  }
}

TEST(IndexSpec, EstimatesSecondsOfAnything) {
  EXPECT_EQ(estimate_build_seconds({}, Metric::kSquaredL2, Matrix<float>(0, 3)), 0);
  EXPECT_GT(estimate_build_seconds({}, Metric::kSquaredL2, random_points(30, 3, 4)), 0);
}

}  // namespace
}  // namespace carya
