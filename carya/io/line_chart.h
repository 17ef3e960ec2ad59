#pragma once

#include <string>
#include <vector>

namespace carya {

struct ChartLine {
  std::string name;
  std::vector<double> x, y;             // as many of both, in the order they are joined
  std::vector<std::string> notes = {};  // of each point, shown when it is hovered; or none
};

struct ChartOptions {
  std::string title = {}, x_label = {}, y_label = {};
  bool log_x = false, log_y = false;  // powers of ten; numbers must be positive
  size_t width = 640, height = 420;   // pixels
};

// Lines in a frame with ticks and a legend, as an SVG that needs no other file.  Points that are
// not finite, or not positive on a logarithmic axis, are left out.
std::string draw_lines(const std::vector<ChartLine>& lines, const ChartOptions& options);

}  // namespace carya
