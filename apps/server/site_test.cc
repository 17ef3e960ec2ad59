#include "apps/server/site.h"

#include "apps/server/test_atlas.h"

namespace carya {
namespace {

using testing::HasSubstr;

class SiteTest : public WithAtlas {
 protected:
  using Headers = std::vector<std::pair<std::string, std::string>>;
  unsigned status(const SiteOptions& options, const std::string& target, const Headers& headers,
                  const std::string& method = "GET") {
    const Site site(*api_, options);
    const HttpResponse response = site.answer(
        {.method = method, .target = target, .body = {}, .peer = {}, .headers = headers});
    bool has_policy = false;
    for (const auto& [name, value] : response.headers) {
      has_policy = has_policy || name == "Content-Security-Policy";
    }
    EXPECT_TRUE(has_policy);
    return response.status;
  }
  static constexpr const char* kApi = "/api/v1/atlases";
};

TEST_F(SiteTest, OnlyOurNamesAreAnswered) {
  EXPECT_EQ(status({}, kApi, {{"Host", "127.0.0.1:8765"}}), 200U);
  EXPECT_EQ(status({}, kApi, {{"Host", "localhost"}}), 200U);
  EXPECT_EQ(status({}, kApi, {{"host", "[::1]:9"}}), 200U);
  EXPECT_EQ(status({}, kApi, {{"Host", "evil.example"}}), 403U);
  EXPECT_EQ(status({}, "/", {{"Host", "evil.example:8765"}}), 403U);
  EXPECT_EQ(status({}, kApi, {}), 403U);
  EXPECT_EQ(status({}, kApi, {{"Host", "localhost.evil.example"}}), 403U);
  EXPECT_EQ(status({.allowed_hosts = {"maps.example"}}, kApi, {{"Host", "maps.example"}}), 200U);
  EXPECT_EQ(status({.any_host = true}, kApi, {{"Host", "anything"}}), 200U);
}

TEST_F(SiteTest, PagesOfOtherSitesAreRefused) {
  const auto from = [&](const char* name, const char* value) {
    return status({}, kApi, {{"Host", "localhost:8765"}, {name, value}});
  };
  EXPECT_EQ(from("Origin", "http://localhost:8765"), 200U);
  EXPECT_EQ(from("Origin", "http://localhost:9999"), 403U);
  EXPECT_EQ(from("Origin", "https://evil.example"), 403U);
  EXPECT_EQ(from("Origin", "null"), 403U);
  EXPECT_EQ(from("Sec-Fetch-Site", "same-origin"), 200U);
  EXPECT_EQ(from("Sec-Fetch-Site", "none"), 200U);
  EXPECT_EQ(from("Sec-Fetch-Site", "cross-site"), 403U);
}

TEST_F(SiteTest, TheApiNeedsTheTokenWhole) {
  const SiteOptions options{.token = "secret"};
  const auto with = [&](const char* value) {
    return status(options, kApi, {{"Host", "localhost"}, {"Authorization", value}});
  };
  EXPECT_EQ(with("Bearer secret"), 200U);
  for (const char* wrong : {"", "secret", "Bearer ", "Bearer secre", "Bearer secretsecret",
                            "Bearer SECRET", "Basic secret"}) {
    EXPECT_EQ(with(wrong), 401U) << wrong;
  }
  EXPECT_EQ(status(options, "/", {{"Host", "localhost"}}), 200U);  // holds no data
}

TEST_F(SiteTest, NothingButItsOwnFilesIsGiven) {
  for (const char* target : {"/etc/passwd", "/../etc/passwd", "/assets/../openapi.json",
                             "/assets/%2e%2e/x", "/assets/", "/assets/openapi.json", "//", ""}) {
    EXPECT_EQ(status({}, target, {{"Host", "localhost"}}), 404U) << target;
  }
  EXPECT_EQ(status({}, "/?atlas=demo&node=1", {{"Host", "localhost"}}), 200U);
}

TEST_F(SiteTest, OtherMethodsAreRefused) {
  for (const char* method : {"PUT", "DELETE", "OPTIONS", "TRACE", "nonsense"}) {
    EXPECT_EQ(status({}, kApi, {{"Host", "localhost"}}, method), 405U) << method;
  }
  EXPECT_EQ(status({}, "/", {{"Host", "localhost"}}, "POST"), 405U);
  EXPECT_EQ(status({}, kApi, {{"Host", "localhost"}}, "POST"), 405U);
}

}  // namespace
}  // namespace carya
