#include "apps/server/tiles.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <vector>

#include "carya/core/error.h"
#include "carya/io/safetensors.h"

namespace carya {

std::string layout_nodes_file(const ServedAtlas& served) {
  const NodeTree& tree = served.atlas().tree();
  const DiskLayout& layout = served.layout();
  std::vector<double> angle, distance;
  std::vector<uint32_t> size;
  for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
    angle.push_back(layout.node_in_parent[node].angle);
    distance.push_back(layout.node_in_parent[node].distance);
    size.push_back(static_cast<uint32_t>(tree.size(node)));
  }
  const std::vector<uint32_t> parent(tree.parents().begin(), tree.parents().end());
  return to_safetensors(
      std::vector<NamedArray>{NamedArray::of("angle", angle), NamedArray::of("distance", distance),
                              NamedArray::of("half_arc", layout.half_arc),
                              NamedArray::of("item_radius", layout.item_radius),
                              NamedArray::of("parent", parent), NamedArray::of("size", size)});
}

std::string layout_items_file(const ServedAtlas& served, uint32_t node, size_t zoom) {
  CARYA_ASSERT(zoom <= kMaxZoom);
  const Atlas& atlas = served.atlas();
  const NodeTree& tree = atlas.tree();
  const DiskLayout& layout = served.layout();
  const size_t total = tree.size(node);
  const size_t begin = std::min(total, kFirstTile * ((size_t{1} << zoom) - 1));
  const size_t end = std::min(total, kFirstTile * ((size_t{2} << zoom) - 1));
  std::vector<uint32_t> items, nodes;
  std::vector<float> angle, distance, strength;
  std::vector<uint8_t> outlier;
  size_t rank = 0;
  for (const uint32_t item : served.sample_order()) {
    if (rank == end) break;
    if (!tree.is_below(tree.node_of(item), node) || rank++ < begin) continue;
    items.push_back(item);
    nodes.push_back(tree.node_of(item));
    angle.push_back(static_cast<float>(layout.item_in_node[item].angle));
    distance.push_back(static_cast<float>(layout.item_in_node[item].distance));
    strength.push_back(atlas.strength(item));
    outlier.push_back(atlas.is_outlier(item) ? 1 : 0);
  }
  return to_safetensors(
      std::vector<NamedArray>{NamedArray::of("item", items), NamedArray::of("node", nodes),
                              NamedArray::of("angle", angle), NamedArray::of("distance", distance),
                              NamedArray::of("strength", strength),
                              NamedArray::of("outlier", outlier)},
      {{"total", std::to_string(total)}, {"until", std::to_string(end)}});
}

std::string column_values_file(const ColumnSummary& column) {
  require(column.kind != ColumnKind::kText,
          "the column '{}' has {} different values, which are no categories; an item's page shows "
          "its value",
          column.name, column.n_distinct);
  if (column.kind == ColumnKind::kCategory) {
    return to_safetensors(
        std::vector<NamedArray>{NamedArray::of("codes", column.codes)},
        {{"values", nlohmann::json(column.categories)
                        .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)}});
  }
  return to_safetensors(std::vector<NamedArray>{NamedArray::of("values", column.numbers)});
}

}  // namespace carya
