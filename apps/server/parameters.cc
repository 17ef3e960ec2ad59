#include "apps/server/parameters.h"

#include <charconv>
#include <nlohmann/json.hpp>

#include "carya/core/error.h"

namespace carya {
namespace {

using Json = nlohmann::json;

constexpr size_t kShown = 60;  // characters of a wrong value that a message repeats

std::optional<size_t> parse_whole(std::string_view text) {
  size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

size_t checked(std::string_view name, std::string_view text, size_t min, size_t max) {
  const auto value = parse_whole(text);
  require(value && *value >= min && *value <= max, "{} is '{}': a whole number from {} to {}", name,
          text.substr(0, kShown), min, max);
  return *value;
}

}  // namespace

Parameters Parameters::from_json(std::string_view body) {
  const Json json = Json::parse(body, nullptr, /*allow_exceptions=*/false);
  require(json.is_object(), "the body is no JSON object");
  Map values;
  for (const auto& [name, value] : json.items()) {
    if (value.is_null()) continue;
    require(value.is_string() || value.is_number() || value.is_boolean(),
            "the member '{}' of the body is neither a text, a number, true nor false",
            name.substr(0, kShown));
    values[name] = value.is_string() ? value.get<std::string>() : value.dump();
  }
  return Parameters(std::move(values));
}

std::optional<std::string_view> Parameters::take(std::string_view name) {
  taken_.emplace(name);
  const auto found = values_.find(name);
  if (found == values_.end()) return std::nullopt;
  return found->second;
}

std::string Parameters::text(std::string_view name, std::string_view otherwise) {
  return std::string(take(name).value_or(otherwise));
}

std::string Parameters::needed_text(std::string_view name) {
  const auto value = take(name);
  require(value.has_value(), "the parameter '{}' is missing", name);
  return std::string(*value);
}

size_t Parameters::number(std::string_view name, size_t otherwise, size_t min, size_t max) {
  const auto value = take(name);
  return value ? checked(name, *value, min, max) : otherwise;
}

size_t Parameters::needed_number(std::string_view name, size_t max) {
  return checked(name, needed_text(name), 0, max);
}

std::optional<size_t> Parameters::optional_number(std::string_view name, size_t max) {
  const auto value = take(name);
  if (!value) return std::nullopt;
  return checked(name, *value, 0, max);
}

bool Parameters::flag(std::string_view name) {
  const auto value = take(name).value_or("false");
  require(value == "true" || value == "false", "{} is '{}': true or false", name,
          value.substr(0, kShown));
  return value == "true";
}

void Parameters::finish() const {
  for (const auto& [name, value] : values_) {
    if (taken_.contains(name)) continue;
    std::string known;
    for (const std::string& other : taken_) known += (known.empty() ? "" : ", ") + other;
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("there is no parameter '{}' here; there are: {}",
                            name.substr(0, kShown), known.empty() ? "none" : known));
  }
}

size_t whole_number(std::string_view text, std::string_view what) {
  const auto value = parse_whole(text);
  require(value.has_value(), "'{}' is no {}: these are whole numbers from 0",
          text.substr(0, kShown), what);
  return *value;
}

}  // namespace carya
