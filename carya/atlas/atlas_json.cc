#include "carya/atlas/atlas_json.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>

namespace carya {
namespace {

using Json = nlohmann::json;

constexpr size_t kMaxShares = 5;

Json name_json(const Atlas& atlas, uint32_t node) {
  return {{"node", node}, {"name", atlas.name(node).name}};
}

// null for no values. Changes the order.
Json median(std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const auto middle = values.begin() + static_cast<ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

double number(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* real = std::get_if<double>(&value)) return *real;
  return std::nan("");
}

// One column of comparison_json, of the values of all items.
Json column_json(const std::string& name, std::span<const Value> values,
                 const std::array<std::span<const uint32_t>, 2>& items) {
  std::array<std::vector<double>, 2> numbers;
  std::map<std::string, std::array<double, 2>> shares;
  for (size_t side = 0; side < 2; ++side) {
    for (const uint32_t item : items[side]) {
      if (const auto* text = std::get_if<std::string>(&values[item])) {
        ++shares[*text][side];
      } else if (const double x = number(values[item]); !std::isnan(x)) {
        numbers[side].push_back(x);
      }
    }
  }
  if (shares.empty()) {
    return {{"name", name}, {"medians", {median(numbers[0]), median(numbers[1])}}};
  }
  for (auto& [value, share] : shares) {
    for (size_t side = 0; side < 2; ++side) {
      share[side] /= static_cast<double>(items[side].size());
    }
  }
  std::vector<std::pair<std::string, std::array<double, 2>>> sorted(shares.begin(), shares.end());
  std::ranges::stable_sort(sorted, std::greater<>(), [](const auto& entry) {
    return std::abs(entry.second[0] - entry.second[1]);
  });
  if (sorted.size() > kMaxShares) sorted.resize(kMaxShares);
  Json list = Json::array();
  for (const auto& [value, share] : sorted) {
    list.push_back({{"value", shortened(value, 100)}, {"first", share[0]}, {"second", share[1]}});
  }
  return {{"name", name}, {"shares", list}};
}

}  // namespace

Json value_json(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* real = std::get_if<double>(&value)) return *real;
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return nullptr;
}

Json topic_json(const Atlas& atlas, uint32_t node, size_t depth) {
  const NodeName& name = atlas.name(node);
  Json exemplars = Json::array(), children = Json::array();
  for (const uint32_t item : name.exemplars) exemplars.push_back(atlas.items().id(item));
  if (depth > 0) {
    for (const uint32_t child : atlas.tree().children(node)) {
      children.push_back(topic_json(atlas, child, depth - 1));
    }
  }
  return {{"node", node},
          {"name", name.name},
          {"size", atlas.tree().size(node)},
          {"keywords", name.keywords},
          {"exemplars", exemplars},
          {"children", children}};
}

Json item_json(const Atlas& atlas, uint32_t number, size_t n_neighbors) {
  const Item item = atlas.items().item(number);
  const auto columns = atlas.items().columns();
  Json metadata = Json::object(), near = Json::array(), path = Json::array();
  for (size_t i = 0; i < columns.size(); ++i) {
    metadata[columns[i].name] = value_json(item.values[i]);
  }
  for (const uint32_t node : atlas.tree().path(atlas.tree().node_of(number))) {
    path.push_back(name_json(atlas, node));
  }
  for (const Neighbor& neighbor : atlas.neighbors(number, n_neighbors)) {
    near.push_back({{"id", atlas.items().id(neighbor.item)}, {"distance", neighbor.distance}});
  }
  return {{"id", item.id},
          {"text", item.text},
          {"metadata", metadata},
          {"path", path},
          {"strength", atlas.strength(number)},
          {"outlier", atlas.is_outlier(number)},
          {"neighbors", near}};
}

Json hits_json(const Atlas& atlas, std::span<const AtlasHit> hits) {
  Json list = Json::array();
  for (const AtlasHit& hit : hits) {
    const Item item = atlas.items().item(hit.item);
    list.push_back({{"id", item.id},
                    {"text", item.text},
                    {"score", hit.score},
                    {"similarity", hit.similarity ? Json(*hit.similarity) : Json()},
                    {"node", atlas.tree().node_of(hit.item)},
                    {"outlier", atlas.is_outlier(hit.item)}});
  }
  return list;
}

Json comparison_json(const Atlas& atlas, uint32_t first, uint32_t second) {
  const NodeTree& tree = atlas.tree();
  const std::array<uint32_t, 2> nodes = {first, second};
  Json topics = Json::array();
  for (const uint32_t node : nodes) {
    Json topic = name_json(atlas, node);
    topic["size"] = tree.size(node);
    topic["outliers"] = std::ranges::count_if(
        tree.items(node), [&](uint32_t item) { return atlas.is_outlier(item); });
    topics.push_back(topic);
  }
  uint32_t common = first;
  while (!tree.is_below(second, common)) common = tree.parent(common);
  Json shared = Json::array();
  std::array<Json, 2> own = {Json::array(), Json::array()};
  for (size_t side = 0; side < 2; ++side) {
    const auto& others = atlas.name(nodes[1 - side]).keywords;
    for (const std::string& keyword : atlas.name(nodes[side]).keywords) {
      const bool is_shared = std::ranges::find(others, keyword) != others.end();
      if (!is_shared) own[side].push_back(keyword);
      if (is_shared && side == 0) shared.push_back(keyword);
    }
  }
  Json columns = Json::array();
  for (const MetadataColumn& column : atlas.items().columns()) {
    columns.push_back(column_json(column.name, atlas.items().values(column.name),
                                  {tree.items(first), tree.items(second)}));
  }
  return {{"topics", topics},
          {"common", name_json(atlas, common)},
          {"keywords", {{"shared", shared}, {"first", own[0]}, {"second", own[1]}}},
          {"columns", columns}};
}

std::string shortened(std::string_view text, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;  // goes on with a character
    if (count++ == n) return std::string(text.substr(0, i)) + "…";
  }
  return std::string(text);
}

}  // namespace carya
