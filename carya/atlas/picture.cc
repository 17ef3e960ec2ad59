#include "carya/atlas/picture.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <iterator>
#include <numeric>

#include "carya/atlas/atlas_json.h"
#include "carya/io/svg.h"

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
    const std::string name = escaped_xml(atlas.name(node).name);
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
                     escaped_xml(shortened(atlas.name(node).name, fits)), tree.size(node));
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

namespace {

// Okabe and Ito's colours as they are, for dots on white; black and yellow are hard to see there.
constexpr const char* kDotColors[] = {"#e69f00", "#0072b2", "#009e73", "#d55e00",
                                      "#56b4e9", "#cc79a7", "#8c6d31", "#7f7f7f"};
constexpr double kMargin = 10;    // pixels around the disk
constexpr size_t kEdgeSteps = 8;  // straight pieces of a geodesic

// The hyperbolic plane around the focus, in the azimuthal equidistant projection, on a square of
// pixels: in Poincare's, all but the focus would be a thin rim on paper.
class DiskCanvas {
 public:
  DiskCanvas(size_t width, const DiskView& view) : middle_(static_cast<double>(width) / 2) {
    double farthest = 1;
    for (const auto* points : {&view.nodes, &view.items}) {
      for (const DiskPoint& point : *points) farthest = std::max(farthest, point.distance);
    }
    scale_ = radius() / farthest;
  }
  double middle() const { return middle_; }
  double radius() const { return middle_ - kMargin; }
  double scale() const { return scale_; }
  double x(const DiskPoint& p) const { return middle_ + scale_ * p.distance * std::cos(p.angle); }
  double y(const DiskPoint& p) const { return middle_ + scale_ * p.distance * std::sin(p.angle); }
  std::string geodesic(const DiskPoint& from, const DiskPoint& to) const {
    std::string path = fmt::format("M{:.1f} {:.1f}", x(from), y(from));
    const DiskMotion start = DiskMotion::to(from);
    const DiskPoint whole = (start.inverse() * DiskMotion::to(to)).origin();
    for (size_t step = 1; step <= kEdgeSteps; ++step) {
      const double share = static_cast<double>(step) / static_cast<double>(kEdgeSteps);
      const DiskPoint point =
          (start * DiskMotion::to({whole.angle, share * whole.distance})).origin();
      path += fmt::format("L{:.1f} {:.1f}", x(point), y(point));
    }
    return path;
  }

 private:
  double middle_, scale_;
};

// Places for names that do not overlap those placed before.
class LabelPlacer {
 public:
  bool place(double x, double y, double width, double height) {
    const Box box{x - width / 2, y - height / 2, x + width / 2, y + height / 2};
    for (const Box& other : boxes_) {
      if (box.left < other.right && other.left < box.right && box.top < other.bottom &&
          other.top < box.bottom) {
        return false;
      }
    }
    boxes_.push_back(box);
    return true;
  }
  size_t n_placed() const { return boxes_.size(); }

 private:
  struct Box {
    double left, top, right, bottom;
  };
  std::vector<Box> boxes_;
};

// The number, among the topics below the root, of the one that each node belongs to.
std::vector<size_t> top_topics(const NodeTree& tree) {
  std::vector<size_t> top(tree.n_nodes(), std::size(kDotColors) - 1);
  size_t next = 0;
  for (uint32_t node = 1; node < tree.n_nodes(); ++node) {
    top[node] = tree.parent(node) == NodeTree::kRoot ? next++ % std::size(kDotColors)
                                                     : top[tree.parent(node)];
  }
  return top;
}

}  // namespace

std::string draw_disk(const Atlas& atlas, const DiskPictureOptions& options) {
  const NodeTree& tree = atlas.tree();
  const DiskView view = view_from(atlas.layout(), tree, options.focus);
  const DiskCanvas canvas(options.width, view);
  const std::vector<size_t> top = top_topics(tree);
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {0}\" "
      "font-family=\"sans-serif\" "
      "role=\"img\" aria-label=\"Map of {1} items\">\n<rect width=\"{0}\" height=\"{0}\" "
      "fill=\"#ffffff\"/><circle cx=\"{2}\" cy=\"{2}\" r=\"{3}\" fill=\"#fbfbfb\" "
      "stroke=\"#d0d0d0\"/>\n",
      options.width, atlas.n_items(), canvas.middle(), canvas.radius());

  std::string edges;
  for (uint32_t node = 1; node < tree.n_nodes(); ++node) {
    edges += canvas.geodesic(view.nodes[tree.parent(node)], view.nodes[node]);
  }
  svg += "<path fill=\"none\" stroke=\"#d8d8d8\" stroke-width=\"0.35\" d=\"" + edges + "\"/>\n";

  // Dots are round ends of lines of no length: one path for each colour.
  std::array<std::array<std::string, 2>, std::size(kDotColors)> dots;
  for (uint32_t item = 0; item < atlas.n_items(); ++item) {
    const DiskPoint& place = view.items[item];
    fmt::format_to(std::back_inserter(dots[top[tree.node_of(item)]][atlas.is_outlier(item)]),
                   "M{:.1f} {:.1f}h0", canvas.x(place), canvas.y(place));
  }
  for (size_t color = 0; color < dots.size(); ++color) {
    for (const bool is_outlier : {true, false}) {
      if (dots[color][is_outlier].empty()) continue;
      svg += fmt::format(
          "<path fill=\"none\" stroke=\"{}\" stroke-width=\"1.6\" stroke-linecap=\"round\" "
          "stroke-opacity=\"{}\" d=\"{}\"/>\n",
          kDotColors[color], is_outlier ? 0.3 : 0.75, dots[color][is_outlier]);
    }
  }

  std::vector<uint32_t> by_size(tree.n_nodes());
  std::iota(by_size.begin(), by_size.end(), 0u);
  std::ranges::stable_sort(by_size, std::greater<>(),
                           [&](uint32_t node) { return tree.size(node); });
  LabelPlacer labels;
  for (const uint32_t node : by_size) {
    if (labels.n_placed() == options.n_labels) break;
    if (node == NodeTree::kRoot && tree.n_nodes() > 1) continue;
    const DiskPoint& place = view.nodes[node];
    const double size = tree.depth(node) == 1 ? 13 : 8.5;
    const std::string name = shortened(atlas.name(node).name, 34);
    const double width = static_cast<double>(std::min<size_t>(name.size(), 34)) * size * 0.56;
    if (!labels.place(canvas.x(place), canvas.y(place), width + 6, size + 4)) continue;
    fmt::format_to(std::back_inserter(svg),
                   "<text x=\"{:.1f}\" y=\"{:.1f}\" font-size=\"{:.1f}\" text-anchor=\"middle\" "
                   "fill=\"#202020\" stroke=\"#ffffff\" stroke-width=\"3\" paint-order=\"stroke\">"
                   "{}<title>{} items</title></text>\n",
                   canvas.x(place), canvas.y(place) + size / 3, size, escaped_xml(name),
                   tree.size(node));
  }
  return svg + "</svg>\n";
}

}  // namespace carya
