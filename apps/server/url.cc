#include "apps/server/url.h"

#include <algorithm>
#include <cctype>

#include "carya/core/error.h"
#include "carya/io/utf8.h"

namespace carya {
namespace {

int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

std::string decoded(std::string_view text, bool plus_is_blank) {
  std::string result;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      const int high = i + 2 < text.size() ? hex_digit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? hex_digit(text[i + 2]) : -1;
      require(high >= 0 && low >= 0, "the address has a % without two hexadecimal digits after it");
      result += static_cast<char>(16 * high + low);
      i += 2;
    } else {
      result += text[i] == '+' && plus_is_blank ? ' ' : text[i];
    }
  }
  require(result.find('\0') == result.npos, "the address has a zero byte");
  require(is_valid_utf8(result), "the address is not in UTF-8");
  return result;
}

// What is before the first `separator` of `rest`, which is taken off it.
std::string_view take_until(std::string_view& rest, char separator) {
  const size_t end = std::min(rest.find(separator), rest.size());
  const std::string_view part = rest.substr(0, end);
  rest.remove_prefix(std::min(end + 1, rest.size()));
  return part;
}

}  // namespace

Target parse_target(std::string_view text) {
  require(text.starts_with('/'), "the address must begin with a slash");
  Target target;
  text = take_until(text, '#');
  std::string_view path = take_until(text, '?');
  path.remove_prefix(1);
  while (!path.empty()) target.path.push_back(decoded(take_until(path, '/'), false));
  while (!text.empty()) {
    std::string_view value = take_until(text, '&');
    if (value.empty()) continue;
    std::string name = decoded(take_until(value, '='), true);
    const bool is_new = target.parameters.emplace(name, decoded(value, true)).second;
    require(is_new, "the parameter '{}' is given twice", name);
  }
  return target;
}

std::optional<std::string> host_name(std::string_view host) {
  std::string_view name, port;
  if (host.starts_with('[')) {
    const size_t end = host.find(']');
    if (end == host.npos) return std::nullopt;
    name = host.substr(1, end - 1);
    port = host.substr(end + 1);
    if (!port.empty() && port.front() != ':') return std::nullopt;
    if (!port.empty()) port.remove_prefix(1);
  } else {
    port = host;
    name = take_until(port, ':');
  }
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  if (name.empty() || port.size() > 5 || !std::ranges::all_of(port, is_digit)) return std::nullopt;
  std::string lower(name);
  std::ranges::transform(lower, lower.begin(), [](char c) {
    return static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  });
  return lower;
}

}  // namespace carya
