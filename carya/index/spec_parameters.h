#pragma once

// For index_spec.cc: values out of texts.

#include <fmt/format.h>

#include <charconv>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carya/core/error.h"
#include "carya/index/index_spec.h"

namespace carya {

// A spec's parameters, taken one by one.
class SpecParameters {
 public:
  explicit SpecParameters(const IndexSpec& spec) : spec_(spec) {}

  size_t number(std::string_view name, size_t standard) {
    const std::string* text = value(name);
    if (text == nullptr) return standard;
    size_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    require(error == std::errc() && end == text->data() + text->size(),
            "{}: {}={} is no whole number", spec_.type, name, *text);
    return number;
  }
  double share(std::string_view name, double standard) {
    const std::string* text = value(name);
    if (text == nullptr) return standard;
    double number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    require(error == std::errc() && end == text->data() + text->size(), "{}: {}={} is no number",
            spec_.type, name, *text);
    return number;
  }
  bool flag(std::string_view name, bool standard) {
    return choice<bool>(name, standard, {{"yes", true}, {"no", false}});
  }
  template <class T>
  T choice(std::string_view name, T standard,
           const std::vector<std::pair<std::string_view, T>>& choices) {
    const std::string* text = value(name);
    if (text == nullptr) return standard;
    std::string known;
    for (const auto& [word, meaning] : choices) {
      if (*text == word) return meaning;
      known += known.empty() ? "" : ", ";
      known += word;
    }
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: {}={} is none of {}", spec_.type, name, *text, known));
  }
  // Throws if there are others than those asked for.
  void finish() const {
    for (const auto& [name, text] : spec_.parameters) {
      require(taken_.contains(name), "{} has no parameter '{}'; it has: {}", spec_.type, name,
              fmt::format("{}", fmt::join(taken_, ", ")));
    }
  }

 private:
  const std::string* value(std::string_view name) {
    taken_.emplace(name);
    const auto found = spec_.parameters.find(name);
    return found == spec_.parameters.end() ? nullptr : &found->second;
  }
  const IndexSpec& spec_;
  std::set<std::string, std::less<>> taken_;
};

}  // namespace carya
