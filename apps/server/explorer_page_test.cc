#include "apps/server/explorer_page.h"

#include <nlohmann/json.hpp>

#include "apps/server/assets.h"
#include "apps/server/test_atlas.h"

namespace carya {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;
using testing::Not;

class ExplorerPageTest : public WithAtlas {
 protected:
  void SetUp() override {
    if (!has_explorer()) GTEST_SKIP() << "the program is built without the explorer";
    WithAtlas::SetUp();
  }
  std::string page(const ExplorerPageOptions& options = {}) {
    std::string html;
    write_explorer_page(*served_, options, [&](std::string_view text) { html += text; });
    return html;
  }
  static Json data_of(const std::string& html) {
    const std::string_view begin = "id=\"carya-export\">";
    const size_t at = html.find(begin) + begin.size();
    return Json::parse(html.substr(at, html.find("</script>", at) - at));
  }
};

TEST_F(ExplorerPageTest, HoldsAllItems) {
  const Json data = data_of(page());
  EXPECT_EQ(data["texts"].size(), kItems + 1);
  EXPECT_EQ(data["ids"][7], "item7");
  EXPECT_EQ(data["tree"]["size"], kItems + 1);
  EXPECT_EQ(data["exemplars"].size(), served_->atlas().tree().n_nodes());
  EXPECT_TRUE(data["columns"].contains("theme"));
  EXPECT_TRUE(data["columns"].contains("size"));
}

TEST_F(ExplorerPageTest, TextsCannotEndTheirElement) {
  const std::string html = page();
  EXPECT_THAT(html, Not(HasSubstr("<script>alert(1)")));
  EXPECT_EQ(data_of(html)["texts"][kItems], "<script>alert(1)</script> chess & board");
}

TEST_F(ExplorerPageTest, ASampleIsSaidAndAddsUp) {
  const Json data = data_of(page({.max_items = 50, .max_text = 5}));
  EXPECT_EQ(data["texts"].size(), 50U);
  EXPECT_EQ(data["info"]["n_items"], 50U);
  EXPECT_EQ(data["tree"]["size"], 50U);
  size_t below = 0;
  for (const Json& child : data["tree"]["children"]) below += child["size"].get<size_t>();
  EXPECT_LE(below, 50U);
  EXPECT_THAT(data["limits"].get<std::string>(), HasSubstr("sample of 50 of the 201 items"));
  EXPECT_THAT(data["limits"].get<std::string>(), HasSubstr("5 characters"));
  EXPECT_THROW(page({.max_items = 0}), Error);
}

}  // namespace
}  // namespace carya
