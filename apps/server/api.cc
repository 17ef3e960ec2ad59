#include "apps/server/api.h"

#include <algorithm>
#include <new>
#include <nlohmann/json.hpp>

#include "apps/server/assets.h"
#include "apps/server/pages.h"
#include "apps/server/parameters.h"
#include "apps/server/tiles.h"
#include "carya/atlas/atlas_json.h"
#include "carya/core/error.h"

namespace carya {
namespace {

using Json = nlohmann::json;

constexpr size_t kCacheBytes = size_t{64} << 20;
constexpr size_t kMaxHits = 10'000;   // offset + limit
constexpr size_t kMaxLimit = 1000;    // of any list
constexpr size_t kMaxQuery = 10'000;  // bytes; what is longer is no question but a document
constexpr size_t kAny = 0xffffffffu;  // numbers of nodes and items are checked where they are used

// A request to one atlas: what its address asks for, and how it is answered.
struct Call {
  const ServedAtlas& served;
  const std::vector<std::string>& path;  // after the atlas' name
  Parameters parameters;

  uint32_t node() const { return served.checked_node(whole_number(path[1], "topic")); }
  uint32_t item() const { return served.checked_item(whole_number(path[1], "item")); }
  std::optional<uint32_t> node_parameter() {
    const auto node = parameters.optional_number("node", kAny);
    if (!node) return std::nullopt;
    return served.checked_node(*node);
  }
  std::vector<uint32_t> selected() {
    const std::string where = parameters.text("where");
    const auto node = node_parameter();
    parameters.finish();
    return served.select(where, node);
  }
};

HttpResponse json_response(const Json& json) {
  return {200,
          "application/json",
          std::make_shared<std::string>(json.dump(-1, ' ', false, Json::error_handler_t::replace)),
          {}};
}

HttpResponse binary_response(std::string bytes) {
  return {200, "application/octet-stream", std::make_shared<std::string>(std::move(bytes)), {}};
}

HttpResponse info(Call& call) {
  call.parameters.finish();
  return json_response(info_page(call.served));
}

HttpResponse tree(Call& call) {
  const uint32_t node = call.node_parameter().value_or(NodeTree::kRoot);
  const size_t depth = call.parameters.number("depth", 1, 0, kMaxTreeDepth);
  call.parameters.finish();
  return json_response(tree_page(call.served, node, depth));
}

HttpResponse topic(Call& call) {
  call.parameters.finish();
  return json_response(topic_page(call.served, call.node()));
}

HttpResponse topic_items(Call& call) {
  const uint32_t node = call.node();
  const size_t offset = call.parameters.number("offset", 0, 0, kAny);
  const size_t limit = call.parameters.number("limit", 20, 1, kMaxLimit);
  const std::string where = call.parameters.text("where");
  call.parameters.finish();
  return json_response(item_list(call.served, call.served.select(where, node), offset, limit));
}

HttpResponse item_by_id(Call& call) {
  const std::string id = call.parameters.needed_text("id");
  call.parameters.finish();
  return json_response(item_page(call.served, call.served.atlas().find(id)));
}

HttpResponse item(Call& call) {
  call.parameters.finish();
  return json_response(item_page(call.served, call.item()));
}

HttpResponse neighbors(Call& call) {
  const size_t limit = call.parameters.number("limit", 10, 1, kMaxLimit);
  call.parameters.finish();
  return json_response(neighbors_page(call.served, call.item(), limit));
}

HttpResponse search(Call& call) {
  SearchRequest request;
  request.query = call.parameters.needed_text("query");
  require(request.query.size() <= kMaxQuery, "the query has {} bytes: at most {} are searched for",
          request.query.size(), kMaxQuery);
  request.options.mode = search_mode_from_name(call.parameters.text("mode", "hybrid"));
  request.options.where = call.parameters.text("where");
  request.options.node = call.node_parameter();
  request.offset = call.parameters.number("offset", 0, 0, kMaxHits - 1);
  request.limit = call.parameters.number("limit", 10, 1, kMaxLimit);
  request.brief = call.parameters.flag("brief");
  call.parameters.finish();
  require(request.offset + request.limit <= kMaxHits,
          "offset + limit is {}: at most {} hits are given", request.offset + request.limit,
          kMaxHits);
  request.options.k = std::min(kMaxHits, request.offset + request.limit + 1);
  return json_response(hits_page(call.served, request));
}

HttpResponse compare(Call& call) {
  const uint32_t first = call.served.checked_node(call.parameters.needed_number("first", kAny));
  const uint32_t second = call.served.checked_node(call.parameters.needed_number("second", kAny));
  call.parameters.finish();
  return json_response(comparison_json(call.served.atlas(), first, second));
}

HttpResponse histogram(Call& call) {
  const ColumnSummary& column = call.served.column(call.path[1]);
  const size_t bins = call.parameters.number("bins", 30, 1, kMaxLimit);
  return json_response(histogram_page(column, call.selected(), bins));
}

HttpResponse facets(Call& call) {
  const ColumnSummary& column = call.served.column(call.path[1]);
  const size_t limit = call.parameters.number("limit", 20, 1, kMaxLimit);
  return json_response(facets_page(column, call.selected(), limit));
}

HttpResponse column_values(Call& call) {
  call.parameters.finish();
  return binary_response(column_values_file(call.served.column(call.path[1])));
}

HttpResponse layout_nodes(Call& call) {
  call.parameters.finish();
  return binary_response(layout_nodes_file(call.served));
}

HttpResponse layout_items(Call& call) {
  const uint32_t node = call.node_parameter().value_or(NodeTree::kRoot);
  const size_t zoom = call.parameters.number("zoom", 0, 0, kMaxZoom);
  call.parameters.finish();
  return binary_response(layout_items_file(call.served, node, zoom));
}

struct Route {
  std::vector<std::string_view> path;  // after the atlas' name; "*" is any
  HttpResponse (*answer)(Call&);
};

const Route* find_route(const std::vector<std::string>& path) {
  static const std::vector<Route> kRoutes = {{{}, info},
                                             {{"tree"}, tree},
                                             {{"nodes", "*"}, topic},
                                             {{"nodes", "*", "items"}, topic_items},
                                             {{"items"}, item_by_id},
                                             {{"items", "*"}, item},
                                             {{"items", "*", "neighbors"}, neighbors},
                                             {{"search"}, search},
                                             {{"compare"}, compare},
                                             {{"columns", "*", "histogram"}, histogram},
                                             {{"columns", "*", "facets"}, facets},
                                             {{"columns", "*", "values"}, column_values},
                                             {{"layout", "nodes"}, layout_nodes},
                                             {{"layout", "items"}, layout_items}};
  const auto found = std::ranges::find_if(kRoutes, [&](const Route& route) {
    return std::ranges::equal(route.path, path,
                              [](std::string_view pattern, std::string_view part) {
                                return pattern == "*" || pattern == part;
                              });
  });
  return found == kRoutes.end() ? nullptr : &*found;
}

std::string_view title_of(unsigned status) {
  switch (status) {
    case 400:
      return "Bad request";
    case 401:
      return "A token is needed";
    case 403:
      return "Forbidden";
    case 404:
      return "Not found";
    case 405:
      return "Method not allowed";
    case 415:
      return "Unsupported media type";
    case 503:
      return "Not available";
    default:
      return "Internal error";
  }
}

unsigned status_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return 400;
    case ErrorKind::kNotFound:
      return 404;
    case ErrorKind::kIo:
    case ErrorKind::kCancelled:
      return 503;
    case ErrorKind::kCorrupt:
      return 500;
  }
  return 500;
}

}  // namespace

HttpResponse problem(unsigned status, std::string_view detail) {
  const Json json = {{"type", "about:blank"},
                     {"title", title_of(status)},
                     {"status", status},
                     {"detail", detail},
                     {"instance", ""}};
  return {status,
          "application/problem+json",
          std::make_shared<std::string>(json.dump(-1, ' ', false, Json::error_handler_t::replace)),
          {}};
}

Api::Api(std::vector<std::unique_ptr<ServedAtlas>> atlases, std::string version)
    : atlases_(std::move(atlases)), version_(std::move(version)), cache_(kCacheBytes) {}

HttpResponse Api::answer(const HttpRequest& request) const {
  const bool is_post = request.method == "POST";
  const std::string key = is_post ? request.target + "\nPOST\n" + request.body : request.target;
  if (auto known = cache_.find(key)) return *known;
  try {
    HttpResponse response = answer_new(request, parse_target(request.target));
    if (response.status == 200) cache_.keep(key, response);
    return response;
  } catch (const Error& error) {
    return problem(status_of(error.kind()), error.what());
  } catch (const std::bad_alloc&) {
    return problem(503, "the server has no memory left for this; ask for less");
  }
}

HttpResponse Api::answer_new(const HttpRequest& request, const Target& target) const {
  const std::vector<std::string>& path = target.path;
  if (path.size() >= 4 && path[1] == "v1" && path[2] == "atlases") {
    return answer_of_atlas(request, target);
  }
  const bool is_list = path.size() == 3 && path[1] == "v1" && path[2] == "atlases";
  const bool is_description = path.size() == 3 && path[1] == "v1" && path[2] == "openapi.json";
  if (!is_list && !is_description) {
    return problem(404, "there is nothing here; /api/v1/openapi.json tells what there is");
  }
  if (request.method == "POST") return problem(405, "only GET is allowed here");
  Parameters(target.parameters).finish();
  if (is_description) {
    return {200, "application/json", std::make_shared<std::string>(openapi_document()), {}};
  }
  Json list = Json::array();
  for (const auto& served : atlases_) {
    list.push_back({{"name", served->name()},
                    {"n_items", served->atlas().n_items()},
                    {"n_topics", served->atlas().tree().n_nodes()}});
  }
  return json_response({{"version", version_}, {"atlases", list}});
}

HttpResponse Api::answer_of_atlas(const HttpRequest& request, const Target& target) const {
  const ServedAtlas& served = find(target.path[3]);
  const std::vector<std::string> rest(target.path.begin() + 4, target.path.end());
  const Route* route = find_route(rest);
  if (route == nullptr) {
    return problem(404, "there is nothing here; /api/v1/openapi.json tells what there is");
  }
  if (request.method != "POST") {
    Call call{served, rest, Parameters(target.parameters)};
    return route->answer(call);
  }
  if (route->answer != search) return problem(405, "only GET is allowed here");
  if (!request.header("content-type").starts_with("application/json")) {
    return problem(415, "the content type must be application/json");
  }
  Parameters(target.parameters).finish();
  Call call{served, rest, Parameters::from_json(request.body)};
  return route->answer(call);
}

const ServedAtlas& Api::find(std::string_view name) const {
  std::string known;
  for (const auto& served : atlases_) {
    if (served->name() == name) return *served;
    known += (known.empty() ? "" : ", ") + served->name();
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("there is no atlas '{}'; there are: {}", name.substr(0, 60), known));
}

}  // namespace carya
