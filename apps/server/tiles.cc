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
  const NodeTree& tree = served.atlas().tree();
  const size_t total = tree.size(node);
  const size_t begin = std::min(total, kFirstTile * ((size_t{1} << zoom) - 1));
  const size_t end = std::min(total, kFirstTile * ((size_t{2} << zoom) - 1));
  std::vector<uint32_t> items;
  size_t rank = 0;
  for (const uint32_t item : served.sample_order()) {
    if (rank == end) break;
    if (tree.is_below(tree.node_of(item), node) && rank++ >= begin) items.push_back(item);
  }
  return layout_items_file(served, items, items, total, end);
}

std::string layout_items_file(const ServedAtlas& served, std::span<const uint32_t> items,
                              std::span<const uint32_t> numbers, size_t total, size_t until) {
  CARYA_ASSERT(items.size() == numbers.size());
  const Atlas& atlas = served.atlas();
  const DiskLayout& layout = served.layout();
  const std::vector<uint32_t> item(numbers.begin(), numbers.end());
  std::vector<uint32_t> nodes;
  std::vector<float> angle, distance, strength;
  std::vector<uint8_t> outlier;
  for (const uint32_t i : items) {
    nodes.push_back(atlas.tree().node_of(i));
    angle.push_back(static_cast<float>(layout.item_in_node[i].angle));
    distance.push_back(static_cast<float>(layout.item_in_node[i].distance));
    strength.push_back(atlas.strength(i));
    outlier.push_back(atlas.is_outlier(i) ? 1 : 0);
  }
  return to_safetensors(
      std::vector<NamedArray>{NamedArray::of("item", item), NamedArray::of("node", nodes),
                              NamedArray::of("angle", angle), NamedArray::of("distance", distance),
                              NamedArray::of("strength", strength),
                              NamedArray::of("outlier", outlier)},
      {{"total", std::to_string(total)}, {"until", std::to_string(until)}});
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
