#include "carya/atlas/atlas_files.h"

#include <nlohmann/json.hpp>

#include "carya/atlas/test_data.h"

namespace carya {
namespace {

namespace files = atlas_files;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class AtlasFilesTest : public InFolder {
 protected:
  fs::path path() const { return folder_ / "file"; }
  static Organised small_tree() {
    return {Hierarchy(4, {{0, 1, 2, 0.5}, {2, 3, 2, 0.75}, {4, 5, 4, 2}}),
            NodeTree({kNoNode, 0, 0}, {1, 1, 2, 0}),
            {1, 0.5f, 0, 0.25f},
            {0, 0, 1, 0}};
  }
  // Every prefix of the file, and the file with each byte changed, is read or is an Error.
  template <class Read>
  void expect_survives_damage(const Read& read) {
    const std::string whole = read_file(path());
    size_t n_errors = 0;
    const auto attempt = [&](const std::string& bytes) {
      write_file(path(), bytes);
      try {
        read();
      } catch (const Error& error) {
        EXPECT_NE(error.kind(), ErrorKind::kCancelled);
        EXPECT_THAT(error.what(), HasSubstr("file"));
        ++n_errors;
      }
    };
    for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 300) {
      attempt(whole.substr(0, size));
    }
    EXPECT_GT(n_errors, 10u);
    for (size_t i = 0; i < whole.size(); i += 1 + whole.size() / 300) {
      std::string damaged = whole;
      damaged[i] = static_cast<char>(damaged[i] ^ 0x41);
      attempt(damaged);
    }
    write_file(path(), whole);
    EXPECT_NO_THROW(read());
  }
  // A tree file whose checksums are right but whose content is `change`d.
  struct StoredMerge {
    uint32_t left, right;
    double height;
  };
  struct TreeParts {
    std::vector<StoredMerge> merges = {{0, 1, 0.5}, {2, 3, 0.75}, {4, 5, 2}};
    std::vector<uint32_t> parents = {kNoNode, 0, 0}, node_of_item = {1, 1, 2, 0};
    std::vector<float> strength = {1, 0.5f, 0, 0.25f};
    std::vector<uint8_t> is_outlier = {0, 0, 1, 0};
  };
  template <class Change>
  void save_changed(const Change& change) {
    TreeParts parts;
    change(parts);
    ContainerWriter out("tree", files::kVersion);
    out.add<StoredMerge>("merges", parts.merges);
    out.add<uint32_t>("parents", parts.parents);
    out.add<uint32_t>("node_of_item", parts.node_of_item);
    out.add<float>("strength", parts.strength);
    out.add<uint8_t>("is_outlier", parts.is_outlier);
    out.save(path());
  }
};

TEST_F(AtlasFilesTest, VectorsComeBack) {
  for (size_t rows : {1, 7}) {
    const Matrix<float> vectors = blobs(rows, 5, 2);
    files::save_vectors(path(), vectors);
    const files::MappedVectors mapped = files::open_vectors(path());
    ASSERT_EQ(mapped.vectors.rows(), rows);
    ASSERT_EQ(mapped.vectors.cols(), 5u);
    for (size_t i = 0; i < rows; ++i) {
      EXPECT_TRUE(std::ranges::equal(mapped.vectors.row(i), vectors.row(i)));
    }
  }
  expect_survives_damage([&] { files::open_vectors(path()); });
}

TEST_F(AtlasFilesTest, NeighborsComeBack) {
  const Neighbors neighbors = exact_knn_graph(blobs(20, 3, 2), 4);
  files::save_neighbors(path(), neighbors);
  const Neighbors again = files::open_neighbors(path());
  EXPECT_TRUE(std::ranges::equal(again.ids.flat(), neighbors.ids.flat()));
  EXPECT_TRUE(std::ranges::equal(again.distances.flat(), neighbors.distances.flat()));
  expect_survives_damage([&] { files::open_neighbors(path()); });
  Neighbors wrong = exact_knn_graph(blobs(20, 3, 2), 4);
  wrong.ids(3, 2) = 20;
  files::save_neighbors(path(), wrong);
  EXPECT_THAT([&] { files::open_neighbors(path()); },
              ThrowsMessage<Error>(HasSubstr("neighbour 20 is no item")));
}

TEST_F(AtlasFilesTest, TreesComeBack) {
  const Organised tree = small_tree();
  files::save_tree(path(), tree);
  const Organised again = files::open_tree(path());
  EXPECT_TRUE(std::ranges::equal(again.hierarchy.merges(), tree.hierarchy.merges()));
  EXPECT_TRUE(std::ranges::equal(again.tree.parents(), tree.tree.parents()));
  EXPECT_TRUE(std::ranges::equal(again.tree.nodes_of_items(), tree.tree.nodes_of_items()));
  EXPECT_EQ(again.strength, tree.strength);
  EXPECT_EQ(again.is_outlier, tree.is_outlier);
  expect_survives_damage([&] { files::open_tree(path()); });
}

TEST_F(AtlasFilesTest, ATreeThatIsNoneIsAnErrorThoughItsChecksumsAreRight) {
  const auto expect_error = [&](const std::string& part) {
    EXPECT_THAT([&] { files::open_tree(path()); },
                ThrowsMessage<Error>(AllOf(HasSubstr("file"), HasSubstr(part))));
  };
  save_changed([](TreeParts&) {});
  EXPECT_NO_THROW(files::open_tree(path()));
  save_changed([](TreeParts& t) { t.merges[0].left = 4; });
  expect_error("out of order");
  save_changed([](TreeParts& t) { t.merges[2] = {0, 1, 2}; });
  expect_error("");
  save_changed([](TreeParts& t) { t.merges[2].height = 0.1; });
  expect_error("");
  save_changed([](TreeParts& t) { t.merges.pop_back(); });
  expect_error("different sizes");
  save_changed([](TreeParts& t) { t.strength.pop_back(); });
  expect_error("different sizes");
  save_changed([](TreeParts& t) { t.parents[1] = 2; });
  expect_error("parent");
  save_changed([](TreeParts& t) { t.parents.clear(); });
  expect_error("root");
  save_changed([](TreeParts& t) { t.node_of_item[3] = 3; });
  expect_error("hangs at node 3");
  save_changed([](TreeParts& t) {
    t.parents = {kNoNode};
    for (uint32_t i = 0; i < 100'000; ++i) t.parents.push_back(i);
  });
  expect_error("too deep");
  save_changed([](TreeParts& t) { t = {{}, {kNoNode}, {}, {}, {}}; });
  expect_error("different sizes");
}

TEST_F(AtlasFilesTest, NamesComeBack) {
  const std::vector<NodeName> names = {{"all", {}, {}}, {"a, \"b\"", {"a", "ü"}, {3, 0}}};
  files::save_names(path(), names);
  const auto again = files::open_names(path(), 2, 4);
  EXPECT_EQ(again[1].name, names[1].name);
  EXPECT_EQ(again[1].keywords, names[1].keywords);
  EXPECT_EQ(again[1].exemplars, names[1].exemplars);
  expect_survives_damage([&] { files::open_names(path(), 2, 4); });
  EXPECT_THAT([&] { files::open_names(path(), 3, 4); },
              ThrowsMessage<Error>(HasSubstr("names 2 nodes, the tree has 3")));
  EXPECT_THAT([&] { files::open_names(path(), 2, 3); },
              ThrowsMessage<Error>(HasSubstr("exemplar 3 is no item")));
  for (const char* text : {"", "null", "7", "[1, 2]", "[{}, {}]", "{\"a\": 1}", "[[[[[[",
                           "[{\"name\": 1, \"keywords\": [], \"exemplars\": []}]",
                           "[{\"name\": \"a\", \"keywords\": [1], \"exemplars\": []}]",
                           "[{\"name\": \"a\", \"keywords\": [], \"exemplars\": [-1]}]"}) {
    write_file(path(), text);
    EXPECT_THROW(files::open_names(path(), 1, 4), Error) << text;
  }
}

TEST_F(AtlasFilesTest, TheListNamesWhatIsMissingOrChanged) {
  file("a", "one");
  file("b", "two");
  file(files::kManifest, "not listed");
  file(files::kRun, "not listed");
  const nlohmann::json list = files::file_list(folder_);
  EXPECT_EQ(list.size(), 2u);
  EXPECT_NO_THROW(files::check_files(folder_, list));
  const auto expect_error = [&](const std::string& name, const std::string& part) {
    EXPECT_THAT([&] { files::check_files(folder_, list); },
                ThrowsMessage<Error>(AllOf(HasSubstr(name), HasSubstr(part))));
  };
  file("b", "tw");
  expect_error("/b", "2 bytes instead of 3");
  file("b", "twp");
  expect_error("/b", "checksum");
  fs::remove(folder_ / "b");
  expect_error("/b", "No such file");
  EXPECT_THAT(
      [&] {
        files::check_files(folder_, {{"../a", {{"bytes", 3}, {"checksum", ""}}}});
      },
      ThrowsMessage<Error>(HasSubstr("'../a'")));
}

TEST_F(AtlasFilesTest, FoldersMayEndInASlash) {
  EXPECT_EQ(files::folder_path("a/b.atlas/"), "a/b.atlas");
  EXPECT_EQ(files::folder_path("a/b.atlas"), "a/b.atlas");
}

}  // namespace
}  // namespace carya
