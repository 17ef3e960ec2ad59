#include "carya/atlas/atlas.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <set>

#include "carya/atlas/atlas_files.h"
#include "carya/atlas/build.h"
#include "carya/atlas/test_data.h"
#include "carya/index/hnsw.h"
#include "carya/metrics/clustering.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

namespace files = atlas_files;
using ::testing::AllOf;
using ::testing::Contains;
using ::testing::Each;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using ::testing::ThrowsMessage;

// One atlas of 300 texts for all tests, one of 200 vectors.
class AtlasTest : public InFolder {
 protected:
  static constexpr size_t kTexts = 300;
  static void SetUpTestSuite() {
    shared_ = fs::path(testing::TempDir()) / ("carya_atlas_shared_" + std::to_string(::getpid()));
    fs::remove_all(shared_);
    fs::create_directories(shared_);
    write_file(shared_ / "in.csv", themed_csv(kTexts));
    build_atlas(shared_ / "in.csv", texts(), lsa_options());
    write_npy(shared_ / "in.npy", blobs(200, 6, 4));
    build_atlas(shared_ / "in.npy", vectors(), {});
  }
  static void TearDownTestSuite() { fs::remove_all(shared_); }
  static fs::path texts() { return shared_ / "texts.atlas"; }
  static fs::path vectors() { return shared_ / "vectors.atlas"; }
  // A copy that a test may damage.
  fs::path copy() const {
    const fs::path to = folder_ / "copy.atlas";
    fs::remove_all(to);
    fs::copy(texts(), to);
    return to;
  }
  // Changes the manifest of a copy.
  template <class Change>
  void change_manifest(const fs::path& atlas, const Change& change) const {
    auto json = nlohmann::json::parse(read_file(atlas / files::kManifest));
    change(json);
    write_file(atlas / files::kManifest, json.dump());
  }
  static void accept_damage(const fs::path& atlas) {
    auto json = nlohmann::json::parse(read_file(atlas / files::kManifest));
    json["files"] = files::file_list(atlas);
    write_file(atlas / files::kManifest, json.dump());
  }
  static inline fs::path shared_;
};

std::vector<std::string> themes_of(const Atlas& atlas, const std::vector<AtlasHit>& hits) {
  std::vector<std::string> themes;
  for (const AtlasHit& hit : hits) {
    themes.push_back(std::get<std::string>(atlas.items().item(hit.item).values[0]));
  }
  return themes;
}

TEST_F(AtlasTest, EveryModeFindsTheThemeOfTheQuery) {
  const Atlas atlas = Atlas::open(texts());
  for (const SearchMode mode : {SearchMode::kHybrid, SearchMode::kVector, SearchMode::kLexical}) {
    const auto hits = atlas.search("guitar melody", {.k = 20, .mode = mode});
    ASSERT_THAT(hits, SizeIs(20));
    EXPECT_THAT(themes_of(atlas, hits), Each("music"));
    for (size_t i = 0; i < hits.size(); ++i) {
      if (i > 0) {
        EXPECT_GE(hits[i - 1].score, hits[i].score);
      }
      if (mode == SearchMode::kLexical) {
        EXPECT_FALSE(hits[i].similarity.has_value());
      }
      if (mode == SearchMode::kVector) {
        EXPECT_NEAR(hits[i].score, *hits[i].similarity, 1e-9);
      }
    }
  }
}

TEST_F(AtlasTest, VectorHitsAreTheNearestByCosine) {
  const Atlas atlas = Atlas::open(texts());
  // The text of an item is at distance 0 from the item.
  const std::string text = atlas.items().item(17).text;
  const auto hits = atlas.search(text, {.k = 3, .mode = SearchMode::kVector});
  ASSERT_FALSE(hits.empty());
  EXPECT_NEAR(*hits[0].similarity, 1, 1e-4);
}

TEST_F(AtlasTest, FiltersHoldWhateverShareTheyAccept) {
  const Atlas atlas = Atlas::open(texts());
  for (const SearchMode mode : {SearchMode::kHybrid, SearchMode::kVector, SearchMode::kLexical}) {
    SCOPED_TRACE(static_cast<int>(mode));
    const auto search = [&](const std::string& where) {
      return atlas.search("guitar melody music", {.k = 300, .mode = mode, .where = where});
    };
    EXPECT_THAT(search("size < 0"), IsEmpty());
    EXPECT_THAT(search("size = 7"), SizeIs(1));  // item 7 is about music
    for (const AtlasHit& hit : search("size < 30")) EXPECT_LT(hit.item, 30u);
    EXPECT_EQ(search("size >= 0").size(),
              atlas.search("guitar melody music", {.k = 300, .mode = mode}).size());
    if (mode == SearchMode::kVector) {
      EXPECT_THAT(search("size < 30"), SizeIs(30));
    }
  }
  EXPECT_THAT([&] { atlas.search("x", {.where = "colour = red"}); },
              ThrowsMessage<Error>(HasSubstr("no column 'colour'")));
}

TEST_F(AtlasTest, ANodeIsSearchedAlone) {
  const Atlas atlas = Atlas::open(texts());
  for (uint32_t node = 0; node < atlas.tree().n_nodes(); ++node) {
    const auto hits = atlas.search("music chess image network",
                                   {.k = 300, .mode = SearchMode::kVector, .node = node});
    EXPECT_EQ(hits.size(), atlas.tree().size(node));
    for (const AtlasHit& hit : hits) {
      EXPECT_TRUE(atlas.tree().is_below(atlas.tree().node_of(hit.item), node));
    }
  }
  const auto both = atlas.search(
      "music", {.k = 300, .mode = SearchMode::kVector, .where = "size < 50", .node = 1});
  for (const AtlasHit& hit : both) EXPECT_LT(hit.item, 50u);
  EXPECT_THAT([&] { atlas.search("x", {.node = 9999}); },
              ThrowsMessage<Error>(HasSubstr("no node 9999")));
}

TEST_F(AtlasTest, SearchesThatCannotBeAreRefused) {
  const Atlas atlas = Atlas::open(texts());
  EXPECT_THAT([&] { atlas.search("x", {.k = 0}); }, ThrowsMessage<Error>(HasSubstr("-k is 0")));
  EXPECT_THAT([&] { atlas.search("x", {.k = 10'001}); },
              ThrowsMessage<Error>(HasSubstr("at most 10000")));
  EXPECT_THAT([&] { atlas.search(" \n"); }, ThrowsMessage<Error>(HasSubstr("query is empty")));
  EXPECT_NO_THROW(atlas.search("\" OR * NEAR(", {.k = 10'000}));
  EXPECT_NO_THROW(atlas.search(std::string("a\0b\xff", 4)));
  EXPECT_EQ(atlas.search("music", {.k = 10'000, .mode = SearchMode::kVector}).size(), kTexts);
  EXPECT_THAT([] { Atlas::open(vectors()).search("music"); },
              ThrowsMessage<Error>(HasSubstr("vectors without texts")));
  EXPECT_THAT(Atlas::open(vectors()).search("music", {.mode = SearchMode::kLexical}), IsEmpty());
}

TEST_F(AtlasTest, NeighborsAreTheNearestOthers) {
  const Atlas atlas = Atlas::open(vectors());
  const Neighbors exact = exact_knn_graph(blobs(200, 6, 4), 5);
  for (uint32_t item : {0u, 57u, 199u}) {
    const auto neighbors = atlas.neighbors(item, 5);
    ASSERT_THAT(neighbors, SizeIs(5));
    for (size_t i = 0; i < 5; ++i) {
      EXPECT_EQ(neighbors[i].item, exact.ids(item, i));
      EXPECT_NEAR(neighbors[i].distance, std::sqrt(exact.distances(item, i)), 1e-4);
    }
  }
  EXPECT_THAT(atlas.neighbors(3, 10'000), SizeIs(199));
  EXPECT_THAT([&] { atlas.neighbors(200); }, ThrowsMessage<Error>(HasSubstr("no item number 200")));
  EXPECT_THAT([&] { atlas.neighbors(0, 0); }, ThrowsMessage<Error>(HasSubstr("-k is 0")));
}

TEST_F(AtlasTest, ItemsAreFoundByTheirIds) {
  const Atlas atlas = Atlas::open(texts());
  EXPECT_EQ(atlas.find("item42"), 42u);
  EXPECT_THAT([&] { atlas.find("42"); }, ThrowsMessage<Error>(HasSubstr("no item '42'")));
  EXPECT_THAT([&] { atlas.name(9999); }, ThrowsMessage<Error>(HasSubstr("no node 9999")));
}

TEST_F(AtlasTest, EvaluationIsTheBestCutByItsDefinition) {
  const Atlas atlas = Atlas::open(texts());
  const AtlasEvaluation result = atlas.evaluate("theme");
  std::vector<int32_t> classes;
  for (size_t i = 0; i < kTexts; ++i) classes.push_back(static_cast<int32_t>(i % 4));
  double best = 0;
  for (size_t k = 1; k <= 20; ++k) {
    best = std::max(best, adjusted_mutual_information(atlas.hierarchy().cut_into(k), classes));
  }
  EXPECT_GE(result.ami, best);
  EXPECT_DOUBLE_EQ(result.ami, adjusted_mutual_information(
                                   atlas.hierarchy().cut_into(result.cut_nodes), classes));
  EXPECT_GT(result.ami, 0.9);  // the themes share no words
  EXPECT_GT(result.purity, 0.9);
  EXPECT_GT(result.dendrogram_purity, 0.9);
  EXPECT_EQ(result.placed, 1);
  EXPECT_THAT([&] { atlas.evaluate("colour"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("'colour'"), HasSubstr("theme, size"))));
}

TEST_F(AtlasTest, AnythingElseIsNoAtlas) {
  EXPECT_THAT([&] { Atlas::open(folder_ / "absent"); },
              ThrowsMessage<Error>(
                  AllOf(HasSubstr("absent: there is no atlas"), HasSubstr("carya atlas INPUT"))));
  EXPECT_THAT([&] { Atlas::open(shared_ / "in.csv"); },
              ThrowsMessage<Error>(HasSubstr("no atlas")));
  fs::create_directories(folder_ / "x.part");
  EXPECT_THAT([&] { Atlas::open(folder_ / "x"); },
              ThrowsMessage<Error>(HasSubstr("run `carya atlas` again to go on")));
  fs::create_directories(folder_ / "y");
  for (const char* text : {"", "{", "[]", "7", "{\"format\": \"other\"}"}) {
    file("y/manifest.json", text);
    EXPECT_THAT([&] { Atlas::open(folder_ / "y"); },
                ThrowsMessage<Error>(HasSubstr("manifest.json: is damaged")));
  }
}

TEST_F(AtlasTest, ABitFlippedInAnyFileIsNamed) {
  for (const auto& entry : fs::directory_iterator(texts())) {
    const std::string name = entry.path().filename();
    if (name == files::kRun) continue;
    SCOPED_TRACE(name);
    const std::string whole = read_file(entry.path());
    for (const size_t at : {size_t{0}, whole.size() / 3, whole.size() / 2, whole.size() - 2}) {
      const fs::path atlas = copy();
      std::string damaged = whole;
      damaged[at] = static_cast<char>(damaged[at] ^ 1);
      write_file(atlas / name, damaged);
      if (name == files::kManifest) {  // all that is checked in it, or of no importance
        try {
          Atlas::open(atlas).info();
        } catch (const Error& error) {
          EXPECT_THAT(error.what(), HasSubstr("copy.atlas"));
        }
        continue;
      }
      EXPECT_THAT([&] { Atlas::open(atlas); },
                  ThrowsMessage<Error>(AllOf(HasSubstr(name), HasSubstr("checksum"))));
    }
    const fs::path atlas = copy();
    if (name == files::kManifest) continue;
    write_file(atlas / name, whole.substr(0, whole.size() / 2));
    EXPECT_THAT([&] { Atlas::open(atlas); },
                ThrowsMessage<Error>(AllOf(HasSubstr(name), HasSubstr("truncated"))));
    fs::remove(atlas / name);
    EXPECT_THAT([&] { Atlas::open(atlas); }, ThrowsMessage<Error>(HasSubstr(name)));
  }
}

TEST_F(AtlasTest, TruncatedOrDamagedRunFilesAreOfNoImportance) {
  const fs::path atlas = copy();
  for (const char* text : {"", "{", "{\"stages\": 7}", "{\"stages\": [7]}", "{\"stages\": [{}]}",
                           "{\"stages\": [{\"stage\": 1, \"seconds\": \"x\"}]}"}) {
    write_file(atlas / files::kRun, text);
    EXPECT_THAT(Atlas::open(atlas).info().stages, IsEmpty()) << text;
  }
  fs::remove(atlas / files::kRun);
  EXPECT_THAT(Atlas::open(atlas).info().stages, IsEmpty());
}

TEST_F(AtlasTest, OtherVersionsAndManifestsThatDoNotFitAreNamed) {
  const auto expect_error = [&](const auto& change, const std::string& part) {
    const fs::path atlas = copy();
    change_manifest(atlas, change);
    EXPECT_THAT([&] { Atlas::open(atlas).info(); }, ThrowsMessage<Error>(HasSubstr(part)));
  };
  using Json = nlohmann::json;
  expect_error([](Json& m) { m["version"] = 2; },
               "the atlas has version 2, this program reads version 1: build it again");
  expect_error([](Json& m) { m.erase("version"); }, "version null");
  expect_error([](Json& m) { m["files"] = 7; }, "manifest.json");
  expect_error([](Json& m) { m.erase("files"); }, "manifest.json");
  expect_error([](Json& m) { m["files"]["tree.bin"] = "x"; }, "manifest.json");
  expect_error([](Json& m) { m["files"]["../../passwd"] = {}; }, "the manifest names the file");
  expect_error([](Json& m) { m["n_items"] = 7; }, "do not fit together");
  expect_error([](Json& m) { m["n_items"] = "x"; }, "manifest.json");
  const fs::path atlas = copy();
  change_manifest(atlas, [](Json& m) { m["encoder"] = 7; });
  EXPECT_EQ(Atlas::open(atlas).info().encoder, "");
}

TEST_F(AtlasTest, FilesOfAnotherAtlasDoNotFit) {
  for (const char* name :
       {files::kItems, files::kVectors, files::kTree, files::kNames, files::kIndex}) {
    SCOPED_TRACE(name);
    const fs::path atlas = copy();
    fs::copy_file(vectors() / name, atlas / name, fs::copy_options::overwrite_existing);
    accept_damage(atlas);
    EXPECT_THROW(Atlas::open(atlas), Error);
  }
}

TEST_F(AtlasTest, AnIndexWithForeignIdsIsAnErrorNotACrash) {
  const fs::path atlas = copy();
  const files::MappedVectors mapped = files::open_vectors(atlas / files::kVectors);
  std::vector<ItemId> ids;
  for (size_t i = 0; i < kTexts; ++i) ids.push_back(1'000'000 + i);
  Hnsw::build(ids, mapped.vectors, files::open_neighbors(atlas / files::kNeighbors),
              Metric::kSquaredL2, {})
      .save(atlas / files::kIndex);
  accept_damage(atlas);
  const Atlas opened = Atlas::open(atlas);
  EXPECT_THAT([&] { opened.search("music"); }, ThrowsMessage<Error>(HasSubstr("index.bin")));
  EXPECT_THAT([&] { opened.neighbors(0); }, ThrowsMessage<Error>(HasSubstr("knows an item")));
}

}  // namespace
}  // namespace carya
