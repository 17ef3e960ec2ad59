#pragma once

#include <cstddef>
#include <functional>
#include <string_view>

#include "apps/server/served_atlas.h"

namespace carya {

struct ExplorerPageOptions {
  size_t max_items = 100'000;  // a fair sample where there are more
  size_t max_text = 300;       // characters of each text
  void validate() const;
};

// The explorer with an atlas in it, as one HTML file that needs no server: what the API gives, in a
// script element of JSON (its members: web/src/api).  About 0.5 kB an item.  Throws
// kInvalidArgument on options, kNotFound if the program has no explorer.
void write_explorer_page(const ServedAtlas& served, const ExplorerPageOptions& options,
                         const std::function<void(std::string_view)>& write);

}  // namespace carya
