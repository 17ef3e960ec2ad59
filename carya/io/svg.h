#pragma once

#include <array>
#include <string>
#include <string_view>

namespace carya {

// What pictures share.

// Text for an SVG or HTML: markup and control characters cannot act.
std::string escaped_xml(std::string_view text);

// Eight colours that the colour-blind tell apart (Okabe & Ito 2008), for lines on white.
constexpr std::array<std::string_view, 8> kLineColors = {
    "#d55e00", "#0072b2", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000", "#9a8f00"};

}  // namespace carya
