#include "apps/server/explorer_page.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "apps/server/assets.h"
#include "apps/server/pages.h"
#include "apps/server/tiles.h"
#include "carya/atlas/atlas_json.h"
#include "carya/core/error.h"
#include "carya/io/safetensors.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using Json = nlohmann::json;

constexpr size_t kNeighbors = 8;  // of an item's page

// Nothing may be loaded or sent.
constexpr std::string_view kHead =
    "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; script-src "
    "'unsafe-inline'; style-src 'unsafe-inline'; img-src data: blob:\">\n";

std::string base64(std::string_view bytes) {
  constexpr std::string_view kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    uint32_t group = 0;
    for (size_t j = 0; j < 3; ++j) {
      group = group << 8 | (i + j < bytes.size() ? static_cast<unsigned char>(bytes[i + j]) : 0);
    }
    for (size_t j = 0; j < 4; ++j) {
      text += i + j > bytes.size() ? '=' : kDigits[group >> (18 - 6 * j) & 63];
    }
  }
  return text;
}

// A text that is to stand in an element whose end `</name` would be; all of it is kept in meaning.
std::string without(std::string text, std::string_view what, std::string_view instead) {
  for (size_t at = 0; (at = text.find(what, at)) != text.npos; at += instead.size()) {
    text.replace(at, what.size(), instead);
  }
  return text;
}

std::string escaped_html(std::string_view text) {
  return without(without(std::string(text), "&", "&amp;"), "<", "&lt;");
}

// The items of the page, rising, and their numbers on it.
struct Selection {
  std::vector<uint32_t> items;
  std::vector<uint32_t> number;  // [n_items]; kNoNeighbor: not on the page
};

Selection select(const ServedAtlas& served, size_t max_items) {
  const std::vector<uint32_t>& order = served.sample_order();
  Selection selection;
  selection.items.assign(order.begin(),
                         order.begin() + static_cast<ptrdiff_t>(std::min(max_items, order.size())));
  std::ranges::sort(selection.items);
  selection.number.assign(order.size(), kNoNeighbor);
  for (uint32_t i = 0; i < selection.items.size(); ++i) selection.number[selection.items[i]] = i;
  return selection;
}

// How many of the items hang at or below each node.
std::vector<uint32_t> sizes_of(const NodeTree& tree, std::span<const uint32_t> items) {
  std::vector<uint32_t> sizes(tree.n_nodes());
  for (const uint32_t item : items) ++sizes[tree.node_of(item)];
  for (auto node = static_cast<uint32_t>(tree.n_nodes() - 1); node > 0; --node) {
    sizes[tree.parent(node)] += sizes[node];
  }
  return sizes;
}

void set_sizes(Json& topic, std::span<const uint32_t> sizes) {
  topic["size"] = sizes[topic["node"].get<uint32_t>()];
  for (Json& child : topic["children"]) set_sizes(child, sizes);
}

std::string items_file(const ServedAtlas& served, const Selection& selection) {
  const Atlas& atlas = served.atlas();
  const DiskLayout& layout = served.layout();
  std::vector<uint32_t> number, node;
  std::vector<float> angle, distance, strength;
  std::vector<uint8_t> outlier;
  for (const uint32_t item : selection.items) {
    number.push_back(selection.number[item]);
    node.push_back(atlas.tree().node_of(item));
    angle.push_back(static_cast<float>(layout.item_in_node[item].angle));
    distance.push_back(static_cast<float>(layout.item_in_node[item].distance));
    strength.push_back(atlas.strength(item));
    outlier.push_back(atlas.is_outlier(item) ? 1 : 0);
  }
  const std::string n = std::to_string(number.size());
  return to_safetensors(
      std::vector<NamedArray>{NamedArray::of("item", number), NamedArray::of("node", node),
                              NamedArray::of("angle", angle), NamedArray::of("distance", distance),
                              NamedArray::of("strength", strength),
                              NamedArray::of("outlier", outlier)},
      {{"total", n}, {"until", n}});
}

std::string neighbors_file(const Atlas& atlas, const Selection& selection) {
  const Matrix<uint32_t> lists = atlas.neighbor_lists();
  const size_t k = std::min(kNeighbors, lists.cols());
  std::vector<uint32_t> neighbors;
  for (const uint32_t item : selection.items) {
    size_t n = 0;
    for (const uint32_t other : lists.row(item)) {
      if (n == k) break;
      if (other == kNoNeighbor || selection.number[other] == kNoNeighbor) continue;
      neighbors.push_back(selection.number[other]);
      ++n;
    }
    neighbors.resize(neighbors.size() + k - n, kNoNeighbor);
  }
  NamedArray array = NamedArray::of("neighbors", neighbors);
  array.shape = {selection.items.size(), k};
  return to_safetensors(std::span(&array, 1));
}

// The column of the page's items alone.
ColumnSummary on_page(ColumnSummary column, const Selection& selection) {
  const auto choose = [&](auto& values) {
    if (values.empty()) return;
    for (size_t i = 0; i < selection.items.size(); ++i) values[i] = values[selection.items[i]];
    values.resize(selection.items.size());
  };
  choose(column.numbers);
  choose(column.codes);
  return column;
}

Json page_data(const ServedAtlas& served, const ExplorerPageOptions& options) {
  const Atlas& atlas = served.atlas();
  const Selection selection = select(served, options.max_items);
  const size_t n = selection.items.size();
  Json texts = Json::array(), ids = Json::array(), exemplars = Json::array();
  bool is_cut = false;
  for (const uint32_t number : selection.items) {
    const Item item = atlas.items().item(number);
    std::string text = shortened(item.text, options.max_text);
    is_cut = is_cut || text.size() < item.text.size();
    ids.push_back(item.id);
    texts.push_back(std::move(text));
  }
  for (uint32_t node = 0; node < atlas.tree().n_nodes(); ++node) {
    Json list = Json::array();
    for (const uint32_t item : atlas.name(node).exemplars) {
      if (selection.number[item] != kNoNeighbor) list.push_back(selection.number[item]);
    }
    exemplars.push_back(list);
  }
  Json columns = Json::object();
  for (const MetadataColumn& column : atlas.items().columns()) {
    const ColumnSummary& summary = served.column(column.name);
    if (summary.kind == ColumnKind::kText) continue;
    columns[column.name] = base64(column_values_file(on_page(summary, selection)));
  }
  const std::vector<uint32_t> sizes = sizes_of(atlas.tree(), selection.items);
  Json info = info_page(served), tree = tree_page(served, NodeTree::kRoot, kMaxTreeDepth);
  info["n_items"] = n;
  set_sizes(tree, sizes);
  std::string limits = "This page searches by words alone and knows eight neighbours of an item.";
  if (n < atlas.n_items()) {
    limits += fmt::format(" It holds a fair sample of {} of the {} items.", n, atlas.n_items());
  }
  if (is_cut) limits += fmt::format(" Texts end after {} characters.", options.max_text);
  return {{"limits", limits},
          {"info", info},
          {"tree", tree},
          {"exemplars", exemplars},
          {"nodes", base64(layout_nodes_file(served))},
          {"items", base64(items_file(served, selection))},
          {"columns", columns},
          {"ids", ids},
          {"texts", texts},
          {"neighbors", base64(neighbors_file(atlas, selection))}};
}

}  // namespace

void ExplorerPageOptions::validate() const {
  require(max_items >= 1, "--max-items is 0: a page has at least one item");
  require(max_text >= 1, "--max-text is 0: at least one character of a text is kept");
}

void write_explorer_page(const ServedAtlas& served, const ExplorerPageOptions& options,
                         const std::function<void(std::string_view)>& write) {
  options.validate();
  const auto script = explorer_file("app.js"), style = explorer_file("app.css");
  if (!script || !style) {
    throw Error(ErrorKind::kNotFound,
                "this program was built without the explorer, which the page would be (npm was not "
                "there, or CARYA_WEB=OFF)");
  }
  // In JSON a < is in a text only, so it may be written in the other way.
  const std::string data =
      without(page_data(served, options).dump(-1, ' ', false, Json::error_handler_t::replace), "<",
              "\\u003c");
  write(kHead);
  write("<title>" + escaped_html(served.name()) + " – Carya</title>\n<style>\n");
  write(without(std::string(*style), "</style", "<\\/style"));
  write("</style>\n</head>\n<body>\n<div id=\"app\"></div>\n");
  write("<script type=\"application/json\" id=\"carya-export\">");
  write(data);
  write("</script>\n<script type=\"module\">\n");
  write(without(std::string(*script), "</script", "<\\/script"));
  write("</script>\n</body>\n</html>\n");
}

}  // namespace carya
