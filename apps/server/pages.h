#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "apps/server/served_atlas.h"

namespace carya {

// What openapi.json calls by these names.  Nodes and items must exist.

nlohmann::json info_page(const ServedAtlas& served);
constexpr size_t kMaxTreeDepth = 100;  // as atlases have it
nlohmann::json tree_page(const ServedAtlas& served, uint32_t node, size_t depth);
nlohmann::json topic_page(const ServedAtlas& served, uint32_t node);
nlohmann::json item_page(const ServedAtlas& served, uint32_t item);
nlohmann::json neighbors_page(const ServedAtlas& served, uint32_t item, size_t k);
// items: of the topic; those from offset on, limit of them, by falling strength.
nlohmann::json item_list(const ServedAtlas& served, std::vector<uint32_t> items, size_t offset,
                         size_t limit);
nlohmann::json histogram_page(const ColumnSummary& column, std::span<const uint32_t> items,
                              size_t n_bins);
nlohmann::json facets_page(const ColumnSummary& column, std::span<const uint32_t> items,
                           size_t limit);

struct SearchRequest {
  std::string query;
  AtlasSearchOptions options;  // k: offset + limit + 1
  size_t offset = 0, limit = 10;
  bool brief = false;
};
SearchMode search_mode_from_name(std::string_view name);  // throws kInvalidArgument
nlohmann::json hits_page(const ServedAtlas& served, const SearchRequest& request);

}  // namespace carya
