#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "apps/server/served_atlas.h"

namespace carya {

// Arrays for the explorer as safetensors; openapi.json says which.

std::string layout_nodes_file(const ServedAtlas& served);
// Tile `zoom` of the items below a node: those at kFirstTile (2^zoom - 1) .. in the sample order.
std::string layout_items_file(const ServedAtlas& served, uint32_t node, size_t zoom);
constexpr size_t kFirstTile = 16'384;
constexpr size_t kMaxZoom = 20;
// Throws kInvalidArgument for a column of texts that are no categories.
std::string column_values_file(const ColumnSummary& column);

}  // namespace carya
