#include "carya/atlas/atlas_json.h"

#include <nlohmann/json.hpp>

#include "carya/atlas/build.h"
#include "carya/atlas/test_data.h"

namespace carya {
namespace {

using ::testing::ElementsAre;

class AtlasJsonTest : public InFolder {
 protected:
  Atlas themed_atlas() const {
    build_atlas(file("in.csv", themed_csv(200)), folder_ / "a.atlas", lsa_options());
    return Atlas::open(folder_ / "a.atlas");
  }
};

TEST_F(AtlasJsonTest, ComparesTopics) {
  const Atlas atlas = themed_atlas();
  const auto children = atlas.tree().children(NodeTree::kRoot);
  ASSERT_GE(children.size(), 2u);
  const nlohmann::json json = comparison_json(atlas, children[0], children[1]);
  EXPECT_EQ(json["topics"][1]["size"], atlas.tree().size(children[1]));
  EXPECT_EQ(json["common"]["node"], NodeTree::kRoot);
  ASSERT_EQ(json["columns"].size(), 2u);
  const nlohmann::json& theme = json["columns"][0];
  EXPECT_EQ(theme["name"], "theme");
  // Each topic is of one theme alone, so these differ most.
  EXPECT_DOUBLE_EQ(
      theme["shares"][0]["first"].get<double>() + theme["shares"][0]["second"].get<double>(), 1);
  std::vector<double> sizes;
  for (const uint32_t item : atlas.tree().items(children[0])) sizes.push_back(item);
  std::ranges::sort(sizes);
  const double median = (sizes[(sizes.size() - 1) / 2] + sizes[sizes.size() / 2]) / 2;
  EXPECT_DOUBLE_EQ(json["columns"][1]["medians"][0].get<double>(), median);
  // With itself nothing differs, and above a topic and its part is the topic.
  const nlohmann::json same = comparison_json(atlas, children[0], children[0]);
  EXPECT_EQ(same["keywords"]["shared"], atlas.name(children[0]).keywords);
  EXPECT_TRUE(same["keywords"]["first"].empty());
  EXPECT_EQ(comparison_json(atlas, children[0], 0)["common"]["node"], 0);
}

TEST(Shortened, CutsBetweenCharacters) {
  EXPECT_EQ(shortened("", 3), "");
  EXPECT_EQ(shortened("abc", 3), "abc");
  EXPECT_EQ(shortened("abcd", 3), "abc…");
  EXPECT_EQ(shortened("äöü", 2), "äö…");
}

}  // namespace
}  // namespace carya
