#pragma once

#include <string>

#include "carya/atlas/atlas.h"

namespace carya {

struct PictureOptions {
  size_t n_levels = 2;  // columns beside the root's; lower topics are too thin to be named
  size_t width = 1000, height = 1200;  // pixels
};

// The topics as an SVG: a column a level, a topic as high as its share of the items, named where
// the name fits.  Needs no other file; hovering shows name and size.
std::string draw_icicle(const Atlas& atlas, const PictureOptions& options = {});

}  // namespace carya
