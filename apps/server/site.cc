#include "apps/server/site.h"

#include <algorithm>

#include "apps/server/assets.h"
#include "apps/server/url.h"
#include "carya/core/error.h"

namespace carya {
namespace {

// Svelte sets styles from scripts; nothing comes from elsewhere, nothing may frame the page.
constexpr const char* kContentPolicy =
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

constexpr const char* kNoExplorer =
    "<!doctype html><title>Carya</title><p>This program was built without the explorer "
    "(CARYA_WEB=OFF, or npm was not there). The API is at <a href=\"/api/v1/openapi.json\">"
    "/api/v1/openapi.json</a>.";

HttpResponse file_response(std::string_view name, std::string_view content) {
  const std::string_view type = name.ends_with(".html")  ? "text/html; charset=utf-8"
                                : name.ends_with(".js")  ? "text/javascript; charset=utf-8"
                                : name.ends_with(".css") ? "text/css; charset=utf-8"
                                                         : "image/svg+xml";
  return {200, std::string(type), std::make_shared<std::string>(content), {}};
}

bool is_loopback(std::string_view host) {
  return host == "localhost" || host == "127.0.0.1" || host == "::1";
}

// Takes as long for each wrong token, so that it cannot be guessed piece by piece.
bool equal_secret(std::string_view a, std::string_view b) {
  unsigned difference = a.size() == b.size() ? 0 : 1;
  for (size_t i = 0; i < a.size(); ++i) {
    difference |=
        static_cast<unsigned char>(a[i]) ^
        static_cast<unsigned>(b.empty() ? 1 : static_cast<unsigned char>(b[i % b.size()]));
  }
  return difference == 0;
}

// Scheme and authority of an Origin are those that the request was sent to.
bool is_same_origin(std::string_view origin, std::string_view host) {
  return origin == fmt::format("http://{}", host) || origin == fmt::format("https://{}", host);
}

}  // namespace

Site::Site(const Api& api, SiteOptions options) : api_(&api), options_(std::move(options)) {}

bool Site::is_allowed_host(std::string_view header) const {
  const auto host = host_name(header);
  if (!host) return false;
  return options_.any_host || is_loopback(*host) ||
         std::ranges::find(options_.allowed_hosts, *host) != options_.allowed_hosts.end();
}

bool Site::has_token(const HttpRequest& request) const {
  constexpr std::string_view kScheme = "Bearer ";
  const std::string_view given = request.header("authorization");
  return options_.token.empty() ||
         (given.starts_with(kScheme) && equal_secret(given.substr(kScheme.size()), options_.token));
}

HttpResponse Site::answer(const HttpRequest& request) const {
  HttpResponse response = content(request);
  response.headers.insert(response.headers.end(), {{"Content-Security-Policy", kContentPolicy},
                                                   {"X-Content-Type-Options", "nosniff"},
                                                   {"Referrer-Policy", "no-referrer"},
                                                   {"Cross-Origin-Resource-Policy", "same-origin"},
                                                   {"Cross-Origin-Opener-Policy", "same-origin"},
                                                   {"Cache-Control", "no-cache"}});
  return response;
}

HttpResponse Site::content(const HttpRequest& request) const {
  const std::string_view host = request.header("host"), origin = request.header("origin"),
                         from = request.header("sec-fetch-site");
  if (!is_allowed_host(host)) {
    return problem(403, fmt::format("this server is not called '{}'; `carya serve --allow-host "
                                    "NAME` lets it be",
                                    host.substr(0, 100)));
  }
  if (request.method != "GET" && request.method != "HEAD" && request.method != "POST") {
    HttpResponse response = problem(405, "only GET, HEAD and, for a search, POST are allowed");
    response.headers.emplace_back("Allow", "GET, HEAD, POST");
    return response;
  }
  if (std::string_view(request.target).starts_with(Api::kPrefix)) {
    if ((!origin.empty() && !is_same_origin(origin, host)) ||
        (!from.empty() && from != "same-origin" && from != "none")) {
      return problem(403, "pages of other sites may not ask here");
    }
    if (!has_token(request)) {
      HttpResponse response =
          problem(401,
                  "the address that `carya serve` printed has the token; open that one, or "
                  "send it as `Authorization: Bearer TOKEN`");
      response.headers.emplace_back("WWW-Authenticate", "Bearer");
      return response;
    }
    return api_->answer(request);
  }
  if (request.method == "POST") return problem(405, "only GET is allowed here");
  const std::string_view target(request.target);
  std::string_view name = target.substr(0, target.find_first_of("?#"));
  if (name == "/") name = "/assets/index.html";
  if (name == "/favicon.ico") name = "/assets/icon.svg";
  constexpr std::string_view kAssets = "/assets/";
  if (name.starts_with(kAssets)) {
    name.remove_prefix(kAssets.size());
    if (const auto file = explorer_file(name)) return file_response(name, *file);
    if (name == "index.html") return file_response(name, kNoExplorer);
  }
  return problem(404, "there is nothing here; the explorer is at /");
}

}  // namespace carya
