#pragma once

#include <optional>
#include <string_view>

namespace carya {

// Files that are part of the program, so that it can be deployed alone.

// openapi.json.
std::string_view openapi_document();
// A file of the explorer: "index.html", "app.js", "app.css", "icon.svg". None if there is no such,
// or the program was built without the explorer (CARYA_WEB=OFF).
std::optional<std::string_view> explorer_file(std::string_view name);
bool has_explorer();

}  // namespace carya
