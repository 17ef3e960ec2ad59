#include "carya/atlas/export.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>

#include "carya/atlas/atlas_json.h"
#include "carya/atlas/picture.h"
#include "carya/core/error.h"

namespace carya {
namespace {

using Json = nlohmann::json;
using Write = std::function<void(std::string_view)>;

std::string csv_text(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string csv_value(const Value& value) {
  const Json json = value_json(value);
  if (json.is_null()) return "";
  return json.is_string() ? csv_text(json.get<std::string>()) : json.dump();
}

void export_json(const Atlas& atlas, const Write& write) {
  const NodeTree& tree = atlas.tree();
  write("{\"nodes\": [\n");
  for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
    const NodeName& name = atlas.name(node);
    Json exemplars = Json::array();
    for (uint32_t item : name.exemplars) exemplars.push_back(atlas.items().id(item));
    const Json json = {{"node", node},
                       {"parent", node == NodeTree::kRoot ? Json() : Json(tree.parent(node))},
                       {"name", name.name},
                       {"size", tree.size(node)},
                       {"keywords", name.keywords},
                       {"exemplars", exemplars}};
    write(json.dump() + (node + 1 < tree.n_nodes() ? ",\n" : "\n"));
  }
  write("], \"items\": [\n");
  for (uint32_t item = 0; item < atlas.n_items(); ++item) {
    const Json json = {{"id", atlas.items().id(item)},
                       {"node", tree.node_of(item)},
                       {"strength", atlas.strength(item)},
                       {"outlier", atlas.is_outlier(item)}};
    write(json.dump() + (item + 1 < atlas.n_items() ? ",\n" : "\n"));
  }
  write("]}\n");
}

void export_csv(const Atlas& atlas, const Write& write) {
  std::string header = "id,node,path,strength,outlier";
  for (const MetadataColumn& column : atlas.items().columns())
    header += "," + csv_text(column.name);
  write(header + "\n");
  for (uint32_t number = 0; number < atlas.n_items(); ++number) {
    const Item item = atlas.items().item(number);
    const uint32_t node = atlas.tree().node_of(number);
    std::string path;
    for (uint32_t above : atlas.tree().path(node)) {
      if (above != NodeTree::kRoot) path += (path.empty() ? "" : " / ") + atlas.name(above).name;
    }
    std::string row = fmt::format("{},{},{},{},{}", csv_text(item.id), node, csv_text(path),
                                  atlas.strength(number), atlas.is_outlier(number) ? 1 : 0);
    for (const Value& value : item.values) row += "," + csv_value(value);
    write(row + "\n");
  }
}

// Quoted as Newick wants it: in single quotes, which are doubled.
std::string newick_label(std::string_view text) {
  std::string label = "'";
  for (char c : text) {
    if (c == '\'') label += '\'';
    label += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
  }
  return label + "'";
}

void export_newick(const Atlas& atlas, const Write& write) {
  const NodeTree& tree = atlas.tree();
  // The depth is at most 100 (atlas_files), so recursion is safe.
  const std::function<void(uint32_t)> write_node = [&](uint32_t node) {
    bool is_first = true;
    const auto separate = [&] {
      write(is_first ? "(" : ",");
      is_first = false;
    };
    for (uint32_t item : tree.own_items(node)) {
      separate();
      write(newick_label(atlas.items().id(item)));
    }
    for (uint32_t child : tree.children(node)) {
      separate();
      write_node(child);
    }
    write((is_first ? "" : ")") + newick_label(atlas.name(node).name));
  };
  write_node(NodeTree::kRoot);
  write(";\n");
}

void export_linkage(const Atlas& atlas, const Write& write) {
  write("left,right,height,size\n");
  for (const Merge& merge : atlas.hierarchy().merges()) {
    write(fmt::format("{},{},{},{}\n", merge.left, merge.right, merge.height, merge.size));
  }
}

}  // namespace

ExportFormat export_format_from_name(std::string_view name) {
  if (name == "json") return ExportFormat::kJson;
  if (name == "csv") return ExportFormat::kCsv;
  if (name == "newick") return ExportFormat::kNewick;
  if (name == "svg") return ExportFormat::kSvg;
  if (name == "disk") return ExportFormat::kDisk;
  if (name == "linkage") return ExportFormat::kLinkage;
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("--format {}: use json, csv, newick, linkage, svg or disk", name));
}

void export_atlas(const Atlas& atlas, ExportFormat format, const Write& write) {
  switch (format) {
    case ExportFormat::kJson:
      return export_json(atlas, write);
    case ExportFormat::kCsv:
      return export_csv(atlas, write);
    case ExportFormat::kNewick:
      return export_newick(atlas, write);
    case ExportFormat::kSvg:
      return write(draw_icicle(atlas));
    case ExportFormat::kDisk:
      return write(draw_disk(atlas));
    case ExportFormat::kLinkage:
      return export_linkage(atlas, write);
  }
}

}  // namespace carya
