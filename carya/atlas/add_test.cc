#include <nlohmann/json.hpp>

#include "carya/atlas/atlas.h"
#include "carya/atlas/build.h"
#include "carya/atlas/test_data.h"

namespace carya {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class AddTest : public InFolder {
 protected:
  fs::path atlas() const { return folder_ / "a.atlas"; }
  void build(size_t n = 200) const {
    build_atlas(file("in.csv", themed_csv(n)), atlas(), lsa_options());
  }
};

TEST_F(AddTest, NewItemsAreFoundAtOnceAndHangBesideTheirLike) {
  build();
  const size_t n_nodes = Atlas::open(atlas()).tree().n_nodes();
  EXPECT_EQ(add_to_atlas(atlas(), file("more.csv", themed_csv(40, 200))), 40u);
  const Atlas after = Atlas::open(atlas());
  EXPECT_EQ(after.n_items(), 240u);
  EXPECT_EQ(after.tree().n_nodes(), n_nodes);
  EXPECT_EQ(after.hierarchy().n_items(), 240u);
  size_t n_right = 0;
  for (uint32_t item = 200; item < 240; ++item) {
    const Item added = after.items().item(item);
    EXPECT_EQ(after.find("item" + std::to_string(item)), item);
    for (const SearchMode mode : {SearchMode::kVector, SearchMode::kLexical}) {
      std::vector<uint32_t> found;
      for (const AtlasHit& hit : after.search(added.text, {.k = 30, .mode = mode})) {
        found.push_back(hit.item);
      }
      EXPECT_THAT(found, Contains(item)) << added.text;
    }
    // Most of those at its node are of its theme.
    size_t n_same = 0;
    const auto own = after.tree().items(after.tree().node_of(item));
    for (uint32_t other : own) n_same += other % 4 == item % 4;
    n_right += 2 * n_same > own.size();
  }
  EXPECT_GE(n_right, 38u);
  EXPECT_GT(after.evaluate("theme").ami, 0.9);
  EXPECT_FALSE(fs::exists(folder_ / "a.atlas.add"));
}

TEST_F(AddTest, AddsAgainAndAgain) {
  build(40);
  for (size_t first = 40; first < 60; first += 5) {
    EXPECT_EQ(add_to_atlas(atlas() / "", file("more.csv", themed_csv(5, first))), 5u);
  }
  EXPECT_EQ(Atlas::open(atlas()).n_items(), 60u);
  EXPECT_EQ(add_to_atlas(atlas(), file("none.csv", "id,text\n")), 0u);
  EXPECT_EQ(Atlas::open(atlas()).n_items(), 60u);
}

TEST_F(AddTest, AnAtlasOfOneItemGrows) {
  build(1);
  EXPECT_EQ(add_to_atlas(atlas(), file("more.csv", themed_csv(3, 1))), 3u);
  const Atlas after = Atlas::open(atlas());
  EXPECT_EQ(after.n_items(), 4u);
  EXPECT_EQ(after.neighbors(0, 10).size(), 3u);
}

TEST_F(AddTest, VectorsAreAdded) {
  write_npy(folder_ / "in.npy", blobs(100, 5, 3));
  build_atlas(folder_ / "in.npy", atlas(), {});
  write_npy(folder_ / "more.npy", blobs(7, 5, 3));
  EXPECT_EQ(add_to_atlas(atlas(), folder_ / "more.npy"), 7u);
  EXPECT_EQ(Atlas::open(atlas()).n_items(), 107u);
  EXPECT_EQ(Atlas::open(atlas()).neighbors(100, 1)[0].item, 0u);  // the same vector
  write_npy(folder_ / "wide.npy", blobs(7, 6, 3));
  EXPECT_THAT([&] { add_to_atlas(atlas(), folder_ / "wide.npy"); },
              ThrowsMessage<Error>(HasSubstr("6 dims, the atlas of 5")));
}

TEST_F(AddTest, NothingChangesWhenItFails) {
  build();
  const auto before = contents(atlas());
  const auto expect_unchanged = [&](const std::string& what) {
    EXPECT_EQ(contents(atlas()), before) << what;
    EXPECT_FALSE(fs::exists(folder_ / "a.atlas.add")) << what;
  };
  EXPECT_THAT([&] { add_to_atlas(atlas(), file("d.csv", themed_csv(5, 198))); },
              ThrowsMessage<Error>(AllOf(HasSubstr("d.csv:2"), HasSubstr("item198"))));
  expect_unchanged("duplicate");
  EXPECT_THROW(add_to_atlas(atlas(), folder_ / "absent.csv"), Error);
  expect_unchanged("absent");
  EXPECT_THROW(add_to_atlas(atlas(), file("r.csv", "id,text\n1,2,3\n")), Error);
  expect_unchanged("ragged");
  const fs::path more = file("more.csv", themed_csv(20, 200));
  for (const char* stage : {"reading", "encoding"}) {
    StopAt stop(stage);
    EXPECT_THROW(add_to_atlas(atlas(), more, {}, &stop), Error);
    expect_unchanged(stage);
  }
  for (size_t kilobytes : {1, 40, 80}) {
    const FullDisk full(kilobytes << 10);
    EXPECT_THROW(add_to_atlas(atlas(), more), Error) << kilobytes;
    expect_unchanged("full disk");
  }
  EXPECT_THROW(add_to_atlas(folder_ / "absent.atlas", more), Error);
}

}  // namespace
}  // namespace carya
