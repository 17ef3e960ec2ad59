#include "carya/io/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include "carya/core/error.h"
#include "carya/io/svg.h"

namespace carya {
namespace {

constexpr double kLeft = 72, kRight = 16, kTop = 40, kBottom = 52;  // pixels around the frame
constexpr double kLegendRow = 16;

// One direction of the frame: numbers to pixels, and where ticks stand.
class Axis {
 public:
  Axis(bool is_log, double from, double to) : is_log_(is_log), from_(from), to_(to) {}

  bool takes(double value) const { return std::isfinite(value) && (!is_log_ || value > 0); }
  void cover(double value) {
    if (!takes(value)) return;
    low_ = std::min(low_, value);
    high_ = std::max(high_, value);
  }
  // Ends at round numbers; call it when all is covered.
  void settle() {
    if (low_ > high_) low_ = high_ = 1;
    if (is_log_) {
      ticks_ = log_ticks();
    } else {
      if (low_ == high_) high_ = low_ + (low_ == 0 ? 1 : std::abs(low_) / 10);
      ticks_ = even_ticks();
    }
    low_ = std::min(low_, ticks_.front());
    high_ = std::max(high_, ticks_.back());
  }
  double place(double value) const {
    const double share = (scaled(value) - scaled(low_)) / (scaled(high_) - scaled(low_));
    return from_ + share * (to_ - from_);
  }
  const std::vector<double>& ticks() const { return ticks_; }

 private:
  double scaled(double value) const { return is_log_ ? std::log10(value) : value; }
  std::vector<double> even_ticks() const {
    constexpr double kWanted = 5;
    const double raw = (high_ - low_) / kWanted, power = std::pow(10, std::floor(std::log10(raw)));
    double step = power;
    for (const double factor : {2.0, 5.0, 10.0}) {
      if (step < raw) step = factor * power;
    }
    std::vector<double> ticks;
    for (double i = std::floor(low_ / step + 1e-9); i <= std::ceil(high_ / step - 1e-9); ++i) {
      ticks.push_back(i * step);
    }
    return ticks;
  }
  // 1, 2, 5 of each power while few, else powers.
  std::vector<double> log_ticks() const {
    const double first = std::floor(std::log10(low_)), last = std::ceil(std::log10(high_));
    std::vector<double> ticks;
    const bool is_fine = std::log10(high_ / low_) <= 3;
    for (double e = first; e <= last; ++e) {
      for (const double factor : {1.0, 2.0, 5.0}) {
        if (factor == 1 || is_fine) ticks.push_back(factor * std::pow(10, e));
      }
    }
    // One below and one above what there is.
    while (ticks.size() > 2 && ticks[1] <= low_) ticks.erase(ticks.begin());
    while (ticks.size() > 2 && ticks[ticks.size() - 2] >= high_) ticks.pop_back();
    return ticks;
  }
  bool is_log_;
  double from_, to_;
  double low_ = std::numeric_limits<double>::infinity(), high_ = -low_;
  std::vector<double> ticks_;
};

std::string tick_name(double value) {
  return fmt::format("{:.6g}", std::abs(value) < 1e-12 ? 0 : value);
}

}  // namespace

std::string draw_lines(const std::vector<ChartLine>& lines, const ChartOptions& options) {
  const auto width = static_cast<double>(options.width);
  const size_t legend_rows = lines.size() > 1 ? (lines.size() + 2) / 3 : 0;
  const double height =
      static_cast<double>(options.height) + kLegendRow * static_cast<double>(legend_rows);
  const double bottom = static_cast<double>(options.height) - kBottom;
  Axis x(options.log_x, kLeft, width - kRight), y(options.log_y, bottom, kTop);
  const auto is_drawn = [&](const ChartLine& line, size_t i) {
    return x.takes(line.x[i]) && y.takes(line.y[i]);
  };
  for (const ChartLine& line : lines) {
    require(line.x.size() == line.y.size(), "line '{}' has {} x and {} y", line.name, line.x.size(),
            line.y.size());
    for (size_t i = 0; i < line.x.size(); ++i) {
      if (!is_drawn(line, i)) continue;
      x.cover(line.x[i]);
      y.cover(line.y[i]);
    }
  }
  x.settle();
  y.settle();
  std::string svg;
  const auto put = std::back_inserter(svg);
  fmt::format_to(put,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {0} {1}\" width=\"{0}\" "
                 "height=\"{1}\" font-family=\"sans-serif\" font-size=\"12\" role=\"img\" "
                 "aria-label=\"{2}\">\n<rect width=\"{0}\" height=\"{1}\" fill=\"#ffffff\"/>\n"
                 "<text x=\"{3}\" y=\"22\" font-size=\"14\">{2}</text>\n",
                 width, height, escaped_xml(options.title), kLeft);
  for (const double tick : x.ticks()) {
    fmt::format_to(put,
                   "<path d=\"M{0:.1f} {1:.1f}V{2:.1f}\" stroke=\"#dddddd\"/><text x=\"{0:.1f}\" "
                   "y=\"{3:.1f}\" text-anchor=\"middle\">{4}</text>\n",
                   x.place(tick), kTop, bottom, bottom + 16, tick_name(tick));
  }
  for (const double tick : y.ticks()) {
    fmt::format_to(put,
                   "<path d=\"M{0:.1f} {1:.1f}H{2:.1f}\" stroke=\"#dddddd\"/><text x=\"{3:.1f}\" "
                   "y=\"{4:.1f}\" text-anchor=\"end\">{5}</text>\n",
                   kLeft, y.place(tick), width - kRight, kLeft - 6, y.place(tick) + 4,
                   tick_name(tick));
  }
  fmt::format_to(put,
                 "<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}</text>\n"
                 "<text transform=\"translate(16 {:.1f}) rotate(-90)\" "
                 "text-anchor=\"middle\">{}</text>\n",
                 (kLeft + width - kRight) / 2, bottom + 36, escaped_xml(options.x_label),
                 (kTop + bottom) / 2, escaped_xml(options.y_label));
  for (size_t l = 0; l < lines.size(); ++l) {
    const ChartLine& line = lines[l];
    const std::string_view color = kLineColors[l % kLineColors.size()];
    std::string points, dots;
    for (size_t i = 0; i < line.x.size(); ++i) {
      if (!is_drawn(line, i)) continue;
      const double px = x.place(line.x[i]), py = y.place(line.y[i]);
      fmt::format_to(std::back_inserter(points), "{:.1f},{:.1f} ", px, py);
      fmt::format_to(std::back_inserter(dots),
                     "<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\" fill=\"{}\"><title>{}</title>"
                     "</circle>",
                     px, py, color,
                     escaped_xml(fmt::format(
                         "{}{}{}: {:.6g}, {:.6g}", line.name, i < line.notes.size() ? ", " : "",
                         i < line.notes.size() ? line.notes[i] : "", line.x[i], line.y[i])));
    }
    fmt::format_to(put,
                   "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>{}\n",
                   points, color, dots);
    if (legend_rows > 0) {
      const double column = (width - kLeft - kRight) / 3;
      const double lx = kLeft + column * static_cast<double>(l % 3);
      const double ly =
          static_cast<double>(options.height) + kLegendRow * static_cast<double>(l / 3);
      fmt::format_to(put,
                     "<path d=\"M{:.1f} {:.1f}h18\" stroke=\"{}\" stroke-width=\"3\"/>"
                     "<text x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n",
                     lx, ly - 4, color, lx + 24, ly, escaped_xml(line.name));
    }
  }
  return svg + "</svg>\n";
}

}  // namespace carya
