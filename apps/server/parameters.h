#pragma once

#include <cstdint>
#include <map>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>

namespace carya {

// The parameters of a request by their names, checked as they are taken.  All errors are
// kInvalidArgument and name the parameter, what it was and what is allowed.
class Parameters {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;
  explicit Parameters(Map values) : values_(std::move(values)) {}
  // Of the members of a JSON object: texts, numbers, true and false.
  static Parameters from_json(std::string_view body);

  std::string text(std::string_view name, std::string_view otherwise = "");
  std::string needed_text(std::string_view name);
  size_t number(std::string_view name, size_t otherwise, size_t min, size_t max);
  size_t needed_number(std::string_view name, size_t max);
  std::optional<size_t> optional_number(std::string_view name, size_t max);
  bool flag(std::string_view name);  // "true" or "false"; false where it is not given
  // After all were taken.  Throws if there are others, listing those that were asked for.
  void finish() const;

 private:
  std::optional<std::string_view> take(std::string_view name);
  Map values_;
  std::set<std::string, std::less<>> taken_;
};

// A whole number that is part of a path, such as a node.  Throws kInvalidArgument.
size_t whole_number(std::string_view text, std::string_view what);

}  // namespace carya
