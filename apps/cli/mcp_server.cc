#include "apps/cli/mcp_server.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>

#include "carya/atlas/atlas_json.h"
#include "carya/core/error.h"

namespace carya::cli {
namespace {

using Json = nlohmann::json;

// Those that JSON-RPC 2.0 defines.
enum ErrorCode : int {
  kParseError = -32700,
  kInvalidRequest = -32600,
  kMethodNotFound = -32601,
  kInvalidParams = -32602,
};
struct RpcError {
  int code;
  std::string message;
};

constexpr std::array kVersions = {"2025-06-18", "2025-03-26", "2024-11-05"};  // newest first
constexpr size_t kHitTextLength = 500;     // characters of a hit's text
constexpr size_t kItemTextLength = 20000;  // of an item's
constexpr uint32_t kMaxDepth = 3;
constexpr uint32_t kMaxHits = 50;

// What an argument may be: the part of JSON Schema that the tools below use.
Json integer(std::string_view about, uint32_t lowest, uint32_t highest, Json standard = nullptr) {
  Json schema = {
      {"type", "integer"}, {"description", about}, {"minimum", lowest}, {"maximum", highest}};
  if (!standard.is_null()) schema["default"] = standard;
  return schema;
}
Json text(std::string_view about) { return {{"type", "string"}, {"description", about}}; }
Json object(const Json& properties, const Json& required) {
  return {{"type", "object"},
          {"properties", properties},
          {"required", required},
          {"additionalProperties", false}};
}

// Throws kInvalidArgument saying which argument must be what.
void check(const Json& arguments, const Json& schema) {
  require(arguments.is_object(), "the arguments must be an object");
  const Json& properties = schema.at("properties");
  for (const auto& [name, value] : arguments.items()) {
    require(properties.contains(name), "there is no argument '{}'", name);
    const Json& property = properties.at(name);
    if (property.at("type") == "string") {
      require(value.is_string(), "argument '{}' must be a text", name);
      if (!property.contains("enum")) continue;
      const Json& allowed = property.at("enum");
      require(std::ranges::find(allowed, value) != allowed.end(), "argument '{}' must be one of {}",
              name, allowed.dump());
      continue;
    }
    const int64_t lowest = property.at("minimum").get<int64_t>(),
                  highest = property.at("maximum").get<int64_t>();
    // A number beyond int64 is a floating one or unsigned to the parser, and compares as such.
    require(value.is_number_integer() && value >= lowest && value <= highest,
            "argument '{}' must be an integer from {} to {}", name, lowest, highest);
  }
  for (const Json& name : schema.at("required")) {
    require(arguments.contains(name), "argument '{}' is missing", name.get<std::string>());
  }
}

void shorten(Json& value, size_t n) { value = shortened(value.get<std::string>(), n); }

struct Tool {
  std::string_view name, title, description;
  Json (*schema)(const Atlas& atlas);
  Json (*run)(const Atlas& atlas, const Json& arguments);
};

Json node_argument(const Atlas& atlas, std::string_view about) {
  return integer(about, 0, static_cast<uint32_t>(atlas.tree().n_nodes() - 1));
}

uint32_t node_of(const Json& arguments, const char* name) {
  return arguments.value(name, NodeTree::kRoot);
}

const Tool kTools[] = {
    {"list_topics", "List topics",
     "The topics of the atlas from the top, or from one topic, down to a depth: number, name, "
     "items, keywords and the ids of typical items. Begin here.",
     [](const Atlas& atlas) {
       return object({{"node", node_argument(atlas, "topic to begin at; 0, the default, is all")},
                      {"depth", integer("levels below it", 1, kMaxDepth, 1)}},
                     Json::array());
     },
     [](const Atlas& atlas, const Json& arguments) {
       return topic_json(atlas, node_of(arguments, "node"), arguments.value("depth", 1u));
     }},
    {"get_topic", "Look at a topic",
     "One topic: its path from the top, keywords, typical items with their texts, and the topics "
     "right below it.",
     [](const Atlas& atlas) {
       return object({{"node", node_argument(atlas, "the topic's number")}}, {"node"});
     },
     [](const Atlas& atlas, const Json& arguments) {
       const uint32_t node = node_of(arguments, "node");
       Json topic = topic_json(atlas, node, 1);
       topic["path"] = Json::array();
       for (const uint32_t above : atlas.tree().path(node)) {
         topic["path"].push_back({{"node", above}, {"name", atlas.name(above).name}});
       }
       topic["exemplars"] = Json::array();
       for (const uint32_t item : atlas.name(node).exemplars) {
         const Item typical = atlas.items().item(item);
         topic["exemplars"].push_back(
             {{"id", typical.id}, {"text", shortened(typical.text, kHitTextLength)}});
       }
       return topic;
     }},
    {"search", "Search items",
     "Items by meaning and by words, best first, with the topic of each. Texts are cut at 500 "
     "characters; get_item has them whole.",
     [](const Atlas& atlas) {
       Json mode = text("hybrid (default), vector (by meaning) or lexical (by words)");
       mode["enum"] = {"hybrid", "vector", "lexical"};
       std::string columns;
       for (const MetadataColumn& column : atlas.items().columns()) {
         columns += (columns.empty() ? " Columns: " : ", ") + column.name;
       }
       return object(
           {{"query", text("what to look for, in any words")},
            {"k", integer("hits", 1, kMaxHits, 10)},
            {"mode", mode},
            {"where",
             text("condition on metadata, such as size >= 1000 and section = games." + columns)},
            {"node", node_argument(atlas, "only items below this topic")}},
           {"query"});
     },
     [](const Atlas& atlas, const Json& arguments) {
       AtlasSearchOptions options{.k = arguments.value("k", 10u),
                                  .where = arguments.value("where", "")};
       const std::string mode = arguments.value("mode", "hybrid");
       if (mode == "vector") options.mode = SearchMode::kVector;
       if (mode == "lexical") options.mode = SearchMode::kLexical;
       if (arguments.contains("node")) options.node = node_of(arguments, "node");
       Json hits = hits_json(
           atlas, atlas.search(arguments.at("query").get_ref<const std::string&>(), options));
       for (Json& hit : hits) {
         shorten(hit["text"], kHitTextLength);
         hit["topic"] = atlas.name(hit["node"].get<uint32_t>()).name;
       }
       return Json{{"hits", std::move(hits)}};
     }},
    {"get_item", "Look at an item",
     "One item by its id: text, metadata, the topics that it is in, and its nearest items.",
     [](const Atlas&) {
       return object({{"id", text("the item's id")}}, {"id"});
     },
     [](const Atlas& atlas, const Json& arguments) {
       Json item =
           item_json(atlas, atlas.find(arguments.at("id").get_ref<const std::string&>()), 10);
       shorten(item["text"], kItemTextLength);
       return item;
     }},
    {"neighbors", "Nearest items", "The items nearest to one in meaning, with their texts.",
     [](const Atlas&) {
       return object({{"id", text("the item's id")}, {"k", integer("neighbours", 1, kMaxHits, 10)}},
                     {"id"});
     },
     [](const Atlas& atlas, const Json& arguments) {
       const uint32_t item = atlas.find(arguments.at("id").get_ref<const std::string&>());
       Json list = Json::array();
       for (const Neighbor& neighbor : atlas.neighbors(item, arguments.value("k", 10u))) {
         const Item near = atlas.items().item(neighbor.item);
         list.push_back({{"id", near.id},
                         {"text", shortened(near.text, kHitTextLength)},
                         {"distance", neighbor.distance},
                         {"node", atlas.tree().node_of(neighbor.item)}});
       }
       return Json{{"neighbors", std::move(list)}};
     }},
    {"compare_topics", "Compare two topics",
     "How two topics differ: sizes, the keywords that they share and that each has alone, the "
     "topic above both, and how the metadata of their items differ.",
     [](const Atlas& atlas) {
       return object({{"first", node_argument(atlas, "a topic's number")},
                      {"second", node_argument(atlas, "another's")}},
                     {"first", "second"});
     },
     [](const Atlas& atlas, const Json& arguments) {
       return comparison_json(atlas, node_of(arguments, "first"), node_of(arguments, "second"));
     }},
};

Json tool_list(const Atlas& atlas) {
  Json list = Json::array();
  for (const Tool& tool : kTools) {
    list.push_back({{"name", tool.name},
                    {"title", tool.title},
                    {"description", tool.description},
                    {"inputSchema", tool.schema(atlas)},
                    {"annotations", {{"readOnlyHint", true}, {"openWorldHint", false}}}});
  }
  return list;
}

// Texts are UTF-8 since they were read, but what a damaged file holds must not stop the answer.
std::string dumped(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json content(const std::string& text, bool is_error) {
  return {{"content", {{{"type", "text"}, {"text", text}}}}, {"isError", is_error}};
}

}  // namespace

Json McpServer::call(const Json& params) const {
  const auto name = params.find("name");
  if (name == params.end() || !name->is_string()) {
    throw RpcError{kInvalidParams, "tools/call needs the name of a tool"};
  }
  const auto* tool = std::ranges::find(kTools, name->get_ref<const std::string&>(), &Tool::name);
  if (tool == std::end(kTools)) {
    throw RpcError{kInvalidParams, fmt::format("there is no tool '{}'; tools/list has them",
                                               shortened(name->get<std::string>(), 100))};
  }
  try {
    const Json arguments = params.value("arguments", Json::object());
    check(arguments, tool->schema(atlas_));
    const Json found = tool->run(atlas_, arguments);
    Json result = content(dumped(found), false);
    result["structuredContent"] = found;
    return result;
  } catch (const Error& error) {  // the model may mend it: not an error of the protocol
    return content(error.what(), true);
  }
}

Json McpServer::result_of(const std::string& method, const Json& params) const {
  if (method == "ping") return Json::object();
  if (method == "tools/list") return {{"tools", tool_list(atlas_)}};
  if (method == "tools/call") return call(params);
  if (method != "initialize") {
    throw RpcError{kMethodNotFound, fmt::format("there is no method '{}'", shortened(method, 100))};
  }
  const auto asked = params.find("protocolVersion");
  const bool is_known =
      asked != params.end() && std::ranges::find(kVersions, *asked) != kVersions.end();
  return {{"protocolVersion", is_known ? *asked : Json(kVersions[0])},
          {"capabilities", {{"tools", Json::object()}}},
          {"serverInfo", {{"name", "carya"}, {"title", "Carya atlas"}, {"version", version_}}},
          {"instructions",
           fmt::format("An atlas of {} items in {} topics. list_topics shows what it is about, "
                       "search finds items.",
                       atlas_.n_items(), atlas_.tree().n_nodes() - 1)}};
}

std::optional<std::string> McpServer::answer(std::string_view message) const {
  Json id;
  const auto failure = [&](int code, const std::string& text) {
    return dumped({{"jsonrpc", "2.0"}, {"id", id}, {"error", {{"code", code}, {"message", text}}}});
  };
  if (message.size() > kMaxMessage) {
    return failure(kInvalidRequest,
                   fmt::format("a message may have {} bytes at most", kMaxMessage));
  }
  const Json request = Json::parse(message, nullptr, /*allow_exceptions=*/false);
  if (request.is_discarded()) return failure(kParseError, "the message is not JSON");
  const auto member = [&](const char* name) { return request.value(name, Json()); };
  if (!request.is_object() || member("jsonrpc") != "2.0" || !member("method").is_string()) {
    return failure(kInvalidRequest, "a message must be a JSON-RPC 2.0 request, one a line");
  }
  if (!request.contains("id")) return std::nullopt;  // a notification
  if (!request["id"].is_string() && !request["id"].is_number_integer()) {
    return failure(kInvalidRequest, "an id must be a text or an integer");
  }
  id = request["id"];
  const Json params = request.value("params", Json::object());
  if (!params.is_object()) return failure(kInvalidParams, "params must be an object");
  try {
    return dumped({{"jsonrpc", "2.0"},
                   {"id", id},
                   {"result", result_of(request["method"].get<std::string>(), params)}});
  } catch (const RpcError& error) {
    return failure(error.code, error.message);
  }
}

}  // namespace carya::cli
