#include "apps/server/api.h"

#include <nlohmann/json.hpp>
#include <thread>

#include "apps/server/test_atlas.h"

namespace carya {
namespace {

using Json = nlohmann::json;
using testing::HasSubstr;

class ApiTest : public WithAtlas {
 protected:
  // Whether the answers fit openapi.json is tested by serve_test.py against the running program.
  Json get(const std::string& what, unsigned status = 200) {
    return ask({.method = "GET", .target = "/api/v1/atlases/demo" + what, .body = {}, .peer = {}},
               status);
  }
  Json post(const std::string& body, unsigned status = 200) {
    return ask({.method = "POST",
                .target = "/api/v1/atlases/demo/search",
                .body = body,
                .peer = {},
                .headers = {{"Content-Type", "application/json"}}},
               status);
  }
  Json ask(const HttpRequest& request, unsigned status) {
    const HttpResponse response = api_->answer(request);
    EXPECT_EQ(response.status, status) << request.target << "\n" << *response.body;
    const Json json = Json::parse(*response.body);
    if (status != 200) {
      EXPECT_EQ(response.content_type, "application/problem+json");
      EXPECT_EQ(json.at("status"), status);
    }
    return json;
  }
};

TEST_F(ApiTest, SearchFindsTheThemeAndMarksItsWords) {
  const Json page = get("/search?query=chess+boards&limit=5");
  ASSERT_EQ(page["hits"].size(), 5U);
  EXPECT_EQ(page["more"], true);
  std::string marked;
  for (const Json& piece : page["hits"][0]["snippet"]) {
    if (piece["match"]) marked += piece["text"].get<std::string>() + " ";
  }
  EXPECT_THAT(marked, testing::AnyOf(HasSubstr("chess"), HasSubstr("board")));
}

TEST_F(ApiTest, PagesOfASearchJoinToTheWhole) {
  const Json whole = get("/search?query=chess&limit=12");
  Json joined = Json::array();
  for (int offset = 0; offset < 12; offset += 4) {
    const Json page = get("/search?query=chess&limit=4&offset=" + std::to_string(offset));
    for (const Json& hit : page["hits"]) joined.push_back(hit);
  }
  EXPECT_EQ(joined, whole["hits"]);
}

TEST_F(ApiTest, BriefHitsAreTheSameItems) {
  const Json whole = get("/search?query=chess&limit=20"),
             brief = get("/search?query=chess&limit=20&brief=true");
  ASSERT_EQ(whole["hits"].size(), brief["hits"].size());
  for (size_t i = 0; i < whole["hits"].size(); ++i) {
    EXPECT_EQ(whole["hits"][i]["item"], brief["hits"][i]["item"]);
    EXPECT_EQ(brief["hits"][i].size(), 2U);
  }
}

TEST_F(ApiTest, FiltersAndNodesHold) {
  const Json page = get("/search?query=chess&where=size+%3C+50&limit=100");
  EXPECT_GT(page["hits"].size(), 0U);
  for (const Json& hit : page["hits"]) {
    EXPECT_LT(get("/items/" + hit["item"].dump())["metadata"]["size"], 50);
  }
  const Json root = get("/nodes/0");
  const Json child = root["children"][0];
  const std::string node = child["node"].dump();
  const Json inside = get("/search?query=chess&limit=1000&brief=true&node=" + node);
  const Json items = get("/nodes/" + node + "/items?limit=1000");
  EXPECT_EQ(items["total"], child["size"]);
  for (const Json& hit : inside["hits"]) {
    const auto holds = [&](const Json& item) { return item["item"] == hit["item"]; };
    EXPECT_TRUE(std::ranges::any_of(items["items"], holds));
  }
}

TEST_F(ApiTest, PostAndGetAnswerAlike) {
  EXPECT_EQ(post(R"({"query": "chess", "limit": 3, "mode": "lexical"})"),
            get("/search?query=chess&limit=3&mode=lexical"));
}

TEST_F(ApiTest, HistogramsAndFacetsCountEveryItem) {
  const Json histogram = get("/columns/size/histogram?bins=7");
  size_t n = 0;
  for (const Json& count : histogram["counts"]) n += count.get<size_t>();
  EXPECT_EQ(n + histogram["missing"].get<size_t>(), kItems + 1);
  const Json facets = get("/columns/theme/facets?where=size+%3E%3D+0");
  ASSERT_EQ(facets["values"].size(), 4U);
  for (const Json& value : facets["values"]) EXPECT_EQ(value["count"], kItems / 4);
  EXPECT_EQ(get("/columns/theme/facets?limit=1")["other"], 150);
  EXPECT_THAT(get("/columns/theme/histogram", 400)["detail"], HasSubstr("facets"));
  EXPECT_THAT(get("/columns/size/facets", 400)["detail"], HasSubstr("no categories"));
}

TEST_F(ApiTest, ATopicsDistributionsAreThoseOfItsItems) {
  const Json topic = get("/nodes/1");
  for (const Json& column : topic["columns"]) {
    for (const size_t side : {0, 1}) {
      size_t n = column["missing"][side].get<size_t>() + column["other"][side].get<size_t>();
      for (const Json& count : column[side == 0 ? "topic" : "parent"]) n += count.get<size_t>();
      EXPECT_EQ(n, side == 0 ? topic["size"].get<size_t>() : kItems + 1) << column["name"];
    }
  }
  EXPECT_EQ(topic["path"].front()["node"], 0);
  EXPECT_EQ(topic["path"].back()["node"], 1);
}

TEST_F(ApiTest, ItemsAreFoundByNumberAndId) {
  EXPECT_EQ(get("/items?id=item7"), get("/items/7"));
  const Json item = get("/items/7");
  EXPECT_EQ(item["neighbors"].size(), 10U);
  EXPECT_EQ(item["neighbors"][0], get("/items/7/neighbors?limit=1")["neighbors"][0]);
}

TEST_F(ApiTest, WhatIsNotThereIs404AndWhatCannotBe400) {
  for (const char* what : {"/nodes/99999", "/items/99999", "/nodes/4294967296", "/items?id=nobody",
                           "/columns/none/facets", "/nonsense", "/nodes/0/nonsense", "/nodes",
                           "/layout", "/../../etc/passwd", "/tree?node=99999"}) {
    get(what, 404);
  }
  for (const char* what :
       {"/search", "/search?query=", "/search?query=+", "/search?query=a&limit=0",
        "/search?query=a&limit=1001", "/search?query=a&offset=9999&limit=2",
        "/search?query=a&mode=x", "/search?query=a&where=nothing+%3E", "/search?query=a&page=2",
        "/nodes/x", "/nodes/-1", "/items/1.5", "/tree?depth=101", "/layout/items?zoom=21",
        "/search?query=%ff", "/tree?depth", "/columns/size/histogram?bins=0", "/compare?first=0",
        "/columns/theme/histogram"}) {
    get(what, 400);
  }
  get("/search?query=" + std::string(10'001, 'a'), 400);
  ask({.method = "GET", .target = "/api/v1/atlases/other", .body = {}, .peer = {}}, 404);
  ask({.method = "GET", .target = "/api/v2/atlases", .body = {}, .peer = {}}, 404);
}

TEST_F(ApiTest, PostsThatCannotBeAreRefused) {
  for (const char* body : {"", "{", "[]", "{\"query\": [1]}", "{\"query\": \"\xff\"}",
                           R"({"query": "a", "nonsense": 1})", R"({"query": "a", "limit": -1})"}) {
    post(body, 400);
  }
  post("{\"query\": \"" + std::string(1'000'000, 'a') + "\"}", 400);
  ask({.method = "POST", .target = "/api/v1/atlases/demo/search", .body = "{}", .peer = {}}, 415);
  ask({.method = "POST", .target = "/api/v1/atlases/demo/tree", .body = "{}", .peer = {}}, 405);
}

TEST_F(ApiTest, TextsComeAsTheyAreInJson) {
  const Json page = get("/items?id=evil");
  EXPECT_EQ(page["text"], "<script>alert(1)</script> chess & board");
}

TEST_F(ApiTest, AnswersDoNotDependOnTheCacheOrTheThreads) {
  const std::vector<std::string> targets = {
      "/search?query=chess",     "/search?query=photo", "/nodes/1", "/items/3",
      "/columns/size/histogram", "/tree?depth=100"};
  std::vector<Json> expected;
  for (const auto& target : targets) expected.push_back(get(target));
  std::vector<std::unique_ptr<ServedAtlas>> fresh;
  fresh.push_back(std::make_unique<ServedAtlas>("demo", folder_ / "demo.atlas"));
  api_ = std::make_unique<Api>(std::move(fresh), "1.2.3");
  std::vector<std::thread> threads;
  for (size_t t = 0; t < 6; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < 3 * targets.size(); ++i) {
        const size_t at = (i + t) % targets.size();
        EXPECT_EQ(get(targets[at]), expected[at]);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(ApiTest, AnAtlasDeletedUnderTheServerIsAnErrorNotACrash) {
  fs::remove_all(folder_ / "demo.atlas");
  for (const char* what : {"/search?query=chess", "/items/3", "/nodes/0", "/layout/nodes"}) {
    const HttpResponse response =
        api_->answer({.method = "GET",
                      .target = std::string("/api/v1/atlases/demo") + what,
                      .body = {},
                      .peer = {}});
    EXPECT_TRUE(response.status == 200 || response.status >= 400) << what;
  }
}

}  // namespace
}  // namespace carya
