#pragma once

#include <functional>
#include <string_view>

#include "carya/atlas/atlas.h"

namespace carya {

enum class ExportFormat {
  kJson,     // one object: nodes with names and keywords, items with their node and strength
  kCsv,      // a row an item: id, node, path of names, strength, outlier, then the metadata
  kNewick,   // the readable tree, items as leaves
  kSvg,      // a picture of the readable tree (picture.h)
  kDisk,     // a map of topics and items in the hyperbolic disk, as SVG
  kLinkage,  // all merges as CSV: left, right, height, size, as scipy's linkage matrix
};
// Throws kInvalidArgument naming what is allowed.
ExportFormat export_format_from_name(std::string_view name);

// Gives the text piece by piece to `write`, so that no atlas is too large.
void export_atlas(const Atlas& atlas, ExportFormat format,
                  const std::function<void(std::string_view)>& write);

}  // namespace carya
