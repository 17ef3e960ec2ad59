#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <string_view>

#include "carya/atlas/atlas.h"

namespace carya {

// What programs get to see of an atlas: the same JSON from the verbs' --json and from `carya mcp`.
// Nodes and items must exist.

nlohmann::json value_json(const Value& value);  // a number, a text, or null

// {node, name, size, keywords, exemplars: [id], children: [the same]}, children to `depth` levels.
nlohmann::json topic_json(const Atlas& atlas, uint32_t node, size_t depth);

// {id, text, metadata: {column: value}, path: [{node, name}], strength, outlier,
//  neighbors: [{id, distance}]}
nlohmann::json item_json(const Atlas& atlas, uint32_t item, size_t n_neighbors);

// [{id, text, score, similarity, node, outlier}]
nlohmann::json hits_json(const Atlas& atlas, std::span<const AtlasHit> hits);

// How two topics differ: {topics: [2 of {node, name, size, outliers}], common: {node, name} of the
// nearest topic above both, keywords: {shared, first, second}, columns: [...]}, a column being of
// numbers ({name, medians: [2]}, null where there is none) or of texts ({name, shares: [{value,
// first, second}]}: the five values whose shares of the items differ most). Reads every column:
// O(n_items columns).
nlohmann::json comparison_json(const Atlas& atlas, uint32_t first, uint32_t second);

// At most n characters of a UTF-8 text; what is cut off is replaced by an ellipsis.
std::string shortened(std::string_view text, size_t n);

}  // namespace carya
