#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "apps/server/http_server.h"
#include "apps/server/response_cache.h"
#include "apps/server/served_atlas.h"
#include "apps/server/url.h"

namespace carya {

// The HTTP API of openapi.json over atlases.  Many threads may ask at once.
class Api {
 public:
  static constexpr std::string_view kPrefix = "/api/";
  // version: of the program.  Names of the atlases must differ.
  Api(std::vector<std::unique_ptr<ServedAtlas>> atlases, std::string version);
  // To a target that begins with kPrefix.  Never throws: errors are answers (RFC 9457).
  HttpResponse answer(const HttpRequest& request) const;

 private:
  HttpResponse answer_new(const HttpRequest& request, const Target& target) const;
  HttpResponse answer_of_atlas(const HttpRequest& request, const Target& target) const;
  const ServedAtlas& find(std::string_view name) const;

  std::vector<std::unique_ptr<ServedAtlas>> atlases_;
  std::string version_;
  mutable ResponseCache cache_;
};

// An answer that says what was wrong: application/problem+json.
HttpResponse problem(unsigned status, std::string_view detail);

}  // namespace carya
