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

struct DiskPictureOptions {
  uint32_t focus = NodeTree::kRoot;  // the topic in the middle
  size_t width = 1000;               // pixels, and the height
  size_t n_labels = 80;  // at most; those that would overlap a larger topic's are left out
};

// All items as dots and all topics as a tree in the Poincare disk (embed/disk_layout.h), coloured
// by the topics below the root, outliers pale; the largest topics are named. About 12 bytes an
// item. Throws kInvalidArgument if there is no such topic.
std::string draw_disk(const Atlas& atlas, const DiskPictureOptions& options = {});

}  // namespace carya
