#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace carya {

// What a request asks for: "/a%2Fb/c?q=x+y" -> path {"a/b", "c"}, parameters {q: "x y"}.
struct Target {
  std::vector<std::string> path;
  std::map<std::string, std::string, std::less<>> parameters;
};

// Reads the target of a request line.  Throws kInvalidArgument where it does not begin with a
// slash, has a wrong %-escape, a zero byte, bytes that are not UTF-8, or a parameter twice.
Target parse_target(std::string_view target);

// The name of a Host header without its port, in lower case: "[::1]:80" -> "::1".  None if it is
// not "name", "name:port" or "[address]:port".
std::optional<std::string> host_name(std::string_view host);

}  // namespace carya
