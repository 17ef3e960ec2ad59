#include "apps/server/pages.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "carya/atlas/atlas_json.h"
#include "carya/core/error.h"

namespace carya {
namespace {

using Json = nlohmann::json;

constexpr size_t kSummaryText = 300;  // characters
constexpr size_t kSnippetWords = 40;
constexpr size_t kPageNeighbors = 10;  // of an item's page
constexpr size_t kPageBins = 20;       // of a distribution on a topic's page
constexpr size_t kPageValues = 10;
constexpr const char* kModes[] = {"hybrid", "vector", "lexical"};  // in the order of SearchMode

Json topic_link(const Atlas& atlas, uint32_t node) {
  return {{"node", node}, {"name", atlas.name(node).name}};
}

Json topic_path(const Atlas& atlas, uint32_t node) {
  Json path = Json::array();
  for (const uint32_t above : atlas.tree().path(node)) path.push_back(topic_link(atlas, above));
  return path;
}

Json item_summary(const Atlas& atlas, uint32_t number) {
  const Item item = atlas.items().item(number);
  return {{"item", number},
          {"id", item.id},
          {"text", shortened(item.text, kSummaryText)},
          {"node", atlas.tree().node_of(number)},
          {"strength", atlas.strength(number)},
          {"outlier", atlas.is_outlier(number)}};
}

Json neighbors_json(const Atlas& atlas, uint32_t item, size_t k) {
  Json list = Json::array();
  for (const Neighbor& neighbor : atlas.neighbors(item, k)) {
    const Item near = atlas.items().item(neighbor.item);
    list.push_back({{"item", neighbor.item},
                    {"id", near.id},
                    {"text", shortened(near.text, kSummaryText)},
                    {"node", atlas.tree().node_of(neighbor.item)},
                    {"distance", neighbor.distance}});
  }
  return list;
}

// A column within a topic and within its parent; none for texts that are no categories.
std::optional<Json> distribution(const ColumnSummary& column, std::span<const uint32_t> topic,
                                 std::span<const uint32_t> parent) {
  if (column.kind == ColumnKind::kText) return std::nullopt;
  Json json = {{"name", column.name},
               {"kind", column_kind_name(column.kind)},
               {"missing", {column.count_missing(topic), column.count_missing(parent)}},
               {"other", {0, 0}}};
  if (column.kind != ColumnKind::kCategory) {
    const std::vector<double> edges = column.bin_edges(kPageBins);
    json["edges"] = edges;
    json["topic"] = column.histogram(edges, topic);
    json["parent"] = column.histogram(edges, parent);
    return json;
  }
  const std::vector<size_t> here = column.counts(topic), there = column.counts(parent);
  std::vector<size_t> order(here.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return here[i]; });
  Json values = Json::array(), topic_counts = Json::array(), parent_counts = Json::array();
  size_t other_here = 0, other_there = 0;
  for (size_t rank = 0; rank < order.size(); ++rank) {
    const size_t i = order[rank];
    if (rank < kPageValues && (here[i] > 0 || there[i] > 0)) {
      values.push_back(shortened(column.categories[i], kSummaryText));
      topic_counts.push_back(here[i]);
      parent_counts.push_back(there[i]);
    } else {
      other_here += here[i];
      other_there += there[i];
    }
  }
  json["values"] = values;
  json["topic"] = topic_counts;
  json["parent"] = parent_counts;
  json["other"] = {other_here, other_there};
  return json;
}

Json snippet_json(std::span<const TextPiece> pieces) {
  Json list = Json::array();
  size_t left = kSummaryText;
  for (const TextPiece& piece : pieces) {
    if (left == 0) break;
    const std::string text = shortened(piece.text, left);
    const auto n_characters = static_cast<size_t>(
        std::ranges::count_if(piece.text, [](char c) { return (c & 0xC0) != 0x80; }));
    left -= std::min(left, n_characters);
    list.push_back({{"text", text}, {"match", piece.match}});
  }
  return list;
}

}  // namespace

Json info_page(const ServedAtlas& served) {
  const Atlas& atlas = served.atlas();
  const AtlasInfo info = atlas.info();
  Json columns = Json::array();
  for (const MetadataColumn& column : atlas.items().columns()) {
    const ColumnSummary& summary = served.column(column.name);
    const bool has_range = !summary.numbers.empty() && summary.n_distinct > 0;
    columns.push_back({{"name", column.name},
                       {"kind", column_kind_name(summary.kind)},
                       {"n_missing", summary.n_missing},
                       {"n_distinct", summary.n_distinct},
                       {"min", has_range ? Json(summary.min) : Json()},
                       {"max", has_range ? Json(summary.max) : Json()}});
  }
  return {
      {"name", served.name()},         {"n_items", info.n_items},   {"dim", info.dim},
      {"n_topics", info.n_nodes},      {"n_leaves", info.n_leaves}, {"max_depth", info.max_depth},
      {"n_outliers", info.n_outliers}, {"encoder", info.encoder},   {"method", info.method},
      {"has_texts", info.has_texts},   {"columns", columns}};
}

Json tree_page(const ServedAtlas& served, uint32_t node, size_t depth) {
  const Atlas& atlas = served.atlas();
  Json children = Json::array();
  if (depth > 0) {
    for (const uint32_t child : atlas.tree().children(node)) {
      children.push_back(tree_page(served, child, depth - 1));
    }
  }
  return {{"node", node},
          {"name", atlas.name(node).name},
          {"size", atlas.tree().size(node)},
          {"keywords", atlas.name(node).keywords},
          {"children", children}};
}

Json topic_page(const ServedAtlas& served, uint32_t node) {
  const Atlas& atlas = served.atlas();
  const NodeTree& tree = atlas.tree();
  const auto items = tree.items(node);
  Json children = Json::array(), exemplars = Json::array(), columns = Json::array();
  for (const uint32_t child : tree.children(node)) {
    Json link = topic_link(atlas, child);
    link["size"] = tree.size(child);
    link["keywords"] = atlas.name(child).keywords;
    children.push_back(link);
  }
  for (const uint32_t item : atlas.name(node).exemplars) {
    exemplars.push_back(item_summary(atlas, item));
  }
  const auto parent = tree.items(node == NodeTree::kRoot ? node : tree.parent(node));
  for (const MetadataColumn& column : atlas.items().columns()) {
    if (auto json = distribution(served.column(column.name), items, parent)) {
      columns.push_back(std::move(*json));
    }
  }
  return {{"node", node},
          {"name", atlas.name(node).name},
          {"size", items.size()},
          {"outliers",
           std::ranges::count_if(items, [&](uint32_t item) { return atlas.is_outlier(item); })},
          {"keywords", atlas.name(node).keywords},
          {"path", topic_path(atlas, node)},
          {"children", children},
          {"exemplars", exemplars},
          {"columns", columns}};
}

Json item_page(const ServedAtlas& served, uint32_t number) {
  const Atlas& atlas = served.atlas();
  const Item item = atlas.items().item(number);
  const auto columns = atlas.items().columns();
  Json metadata = Json::object();
  for (size_t i = 0; i < columns.size(); ++i) {
    metadata[columns[i].name] = value_json(item.values[i]);
  }
  return {{"item", number},
          {"id", item.id},
          {"text", item.text},
          {"metadata", metadata},
          {"path", topic_path(atlas, atlas.tree().node_of(number))},
          {"strength", atlas.strength(number)},
          {"outlier", atlas.is_outlier(number)},
          {"neighbors", neighbors_json(atlas, number, kPageNeighbors)}};
}

Json neighbors_page(const ServedAtlas& served, uint32_t item, size_t k) {
  return {{"item", item}, {"neighbors", neighbors_json(served.atlas(), item, k)}};
}

Json item_list(const ServedAtlas& served, std::vector<uint32_t> items, size_t offset,
               size_t limit) {
  const Atlas& atlas = served.atlas();
  const size_t begin = std::min(offset, items.size());
  const size_t end = begin + std::min(limit, items.size() - begin);
  std::ranges::partial_sort(items, items.begin() + static_cast<ptrdiff_t>(end),
                            [&](uint32_t a, uint32_t b) {
                              const float x = atlas.strength(a), y = atlas.strength(b);
                              return x != y ? x > y : a < b;
                            });
  Json list = Json::array();
  for (size_t i = begin; i < end; ++i) list.push_back(item_summary(atlas, items[i]));
  return {{"total", items.size()}, {"offset", offset}, {"items", list}};
}

Json histogram_page(const ColumnSummary& column, std::span<const uint32_t> items, size_t n_bins) {
  require(column.kind == ColumnKind::kNumber || column.kind == ColumnKind::kDate,
          "the column '{}' holds no numbers and no dates; its facets can be had", column.name);
  const std::vector<double> edges = column.bin_edges(n_bins);
  return {{"column", column.name},
          {"kind", column_kind_name(column.kind)},
          {"edges", edges},
          {"counts", column.histogram(edges, items)},
          {"missing", column.count_missing(items)}};
}

Json facets_page(const ColumnSummary& column, std::span<const uint32_t> items, size_t limit) {
  require(column.kind == ColumnKind::kCategory,
          "the column '{}' has {} different values, which are no categories; `where` can ask for "
          "one of them",
          column.name, column.n_distinct);
  const std::vector<size_t> counts = column.counts(items);
  std::vector<size_t> order(counts.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return counts[i]; });
  Json values = Json::array();
  size_t n_distinct = 0, other = 0;
  for (const size_t i : order) {
    if (counts[i] == 0) break;
    if (n_distinct++ < limit) {
      values.push_back({{"value", column.categories[i]}, {"count", counts[i]}});
    } else {
      other += counts[i];
    }
  }
  return {{"column", column.name},
          {"values", values},
          {"n_distinct", n_distinct},
          {"other", other},
          {"missing", column.count_missing(items)}};
}

SearchMode search_mode_from_name(std::string_view name) {
  for (size_t i = 0; i < std::size(kModes); ++i) {
    if (name == kModes[i]) return static_cast<SearchMode>(i);
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("mode is '{}': hybrid, vector or lexical", name.substr(0, 60)));
}

Json hits_page(const ServedAtlas& served, const SearchRequest& request) {
  const Atlas& atlas = served.atlas();
  std::vector<AtlasHit> hits = atlas.search(request.query, request.options);
  const size_t begin = std::min(request.offset, hits.size());
  const size_t end = begin + std::min(request.limit, hits.size() - begin);
  Json list = Json::array();
  for (size_t i = begin; i < end; ++i) {
    const AtlasHit& hit = hits[i];
    if (request.brief) {
      list.push_back({{"item", hit.item}, {"score", hit.score}});
      continue;
    }
    const uint32_t node = atlas.tree().node_of(hit.item);
    list.push_back(
        {{"item", hit.item},
         {"id", atlas.items().id(hit.item)},
         {"score", hit.score},
         {"similarity", hit.similarity ? Json(*hit.similarity) : Json()},
         {"node", node},
         {"topic", atlas.name(node).name},
         {"outlier", atlas.is_outlier(hit.item)},
         {"snippet", snippet_json(atlas.items().snippet(request.query, hit.item, kSnippetWords))}});
  }
  return {{"query", request.query},
          {"mode", kModes[static_cast<size_t>(request.options.mode)]},
          {"offset", request.offset},
          {"more", end < hits.size()},
          {"hits", list}};
}

}  // namespace carya
