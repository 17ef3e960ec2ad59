#include "carya/atlas/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <iterator>

namespace carya {
namespace {

constexpr double kGap = 1;  // pixels between topics
constexpr double kRootWidth = 70;
constexpr double kFontSize = 11;
constexpr double kCharWidth = 6.2;    // of a sans-serif of that size, on average
constexpr double kLeastHeight = 0.4;  // thinner topics are not drawn

// Eight colours that the colour-blind tell apart (Okabe & Ito 2008), lightened for black text.
constexpr const char* kColors[] = {"#f2c879", "#a8d8f0", "#8fd3b8", "#f5ee9e",
                                   "#8fb8d9", "#efb08c", "#dfb2cf", "#c9c9c9"};

std::string escaped(std::string_view text) {
  std::string result;
  for (char c : text) {
    switch (c) {
      case '<':
        result += "&lt;";
        break;
      case '>':
        result += "&gt;";
        break;
      case '&':
        result += "&amp;";
        break;
      case '"':
        result += "&quot;";
        break;
      default:
        result += static_cast<unsigned char>(c) < 0x20 ? ' ' : c;
    }
  }
  return result;
}

// At most n characters, cut between characters.
std::string cut(std::string_view text, size_t n) {
  size_t count = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) == 0x80) continue;
    if (count++ == n) return std::string(text.substr(0, i)) + "…";
  }
  return std::string(text);
}

}  // namespace

std::string draw_icicle(const Atlas& atlas, const PictureOptions& options) {
  const NodeTree& tree = atlas.tree();
  const size_t n_columns = std::min(options.n_levels, tree.max_depth()) + 1;
  const double column_width = (static_cast<double>(options.width) - kRootWidth) /
                              static_cast<double>(std::max<size_t>(n_columns - 1, 1));
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" "
      "font-family=\"sans-serif\" "
      "font-size=\"{2}\" role=\"img\" aria-label=\"Topics of {3} items\">\n<rect width=\"{0}\" "
      "height=\"{1}\" fill=\"#ffffff\"/>\n",
      options.width, options.height, kFontSize, atlas.n_items());
  const std::function<void(uint32_t, double, double, size_t)> draw = [&](uint32_t node, double top,
                                                                         double height,
                                                                         size_t color) {
    const size_t depth = tree.depth(node);
    if (depth >= n_columns || height < kLeastHeight) return;
    const std::string name = escaped(atlas.name(node).name);
    const bool is_root = node == NodeTree::kRoot;
    const double x = is_root ? 0 : kRootWidth + static_cast<double>(depth - 1) * column_width;
    const double width = is_root ? kRootWidth : column_width;
    fmt::format_to(
        std::back_inserter(svg),
        "<g><title>{} ({} items)</title><rect x=\"{:.1f}\" y=\"{:.2f}\" width=\"{:.1f}\" "
        "height=\"{:.2f}\" fill=\"{}\"/>",
        name, tree.size(node), x, top, width - kGap, std::max(height - kGap, kLeastHeight),
        is_root ? "#e4e4e4" : kColors[color % std::size(kColors)]);
    if (height >= kFontSize + 2) {
      const auto fits = static_cast<size_t>(std::max((width - 12) / kCharWidth - 7, 4.0));
      fmt::format_to(std::back_inserter(svg),
                     "<text x=\"{:.1f}\" y=\"{:.1f}\">{} <tspan fill=\"#555555\">{}</tspan></text>",
                     x + 5, top + height / 2 + kFontSize / 3,
                     escaped(cut(atlas.name(node).name, fits)), tree.size(node));
    }
    svg += "</g>\n";
    const double scale = height / static_cast<double>(std::max<size_t>(tree.size(node), 1));
    double y = top;
    size_t next_color = color;
    for (uint32_t child : tree.children(node)) {
      const double child_height = scale * static_cast<double>(tree.size(child));
      draw(child, y, child_height, is_root ? next_color++ : color);
      y += child_height;
    }
  };
  draw(NodeTree::kRoot, 0, static_cast<double>(options.height), 0);
  return svg + "</svg>\n";
}

}  // namespace carya
