#include "carya/atlas/column_type.h"

#include <charconv>
#include <cmath>

namespace carya {
namespace {

// "007", "-0" and "00.5": as a number they would lose their zeros or their sign.
bool has_zeros_to_lose(std::string_view text) {
  const bool is_negative = text.starts_with('-');
  if (is_negative) text.remove_prefix(1);
  if (text == "0") return is_negative;
  return text.size() > 1 && text[0] == '0' && text[1] >= '0' && text[1] <= '9';
}

template <class Number>
std::optional<Number> parse_whole(std::string_view text) {
  Number number{};
  const char* last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (text.empty() || error != std::errc() || end != last) return std::nullopt;
  return number;
}

}  // namespace

std::string_view column_type_name(ColumnType type) {
  return type == ColumnType::kInteger ? "integer" : type == ColumnType::kNumber ? "number" : "text";
}

std::optional<int64_t> parse_integer(std::string_view text) { return parse_whole<int64_t>(text); }

std::optional<double> parse_number(std::string_view text) {
  const std::optional<double> number = parse_whole<double>(text);
  return number && std::isfinite(*number) ? number : std::nullopt;
}

ColumnEvidence::ColumnEvidence(ColumnType known)
    : any_(true),
      all_integers_(known == ColumnType::kInteger),
      all_numbers_(known != ColumnType::kText) {}

void ColumnEvidence::see(const Value& value) {
  if (std::holds_alternative<std::monostate>(value)) return;
  any_ = true;
  if (std::holds_alternative<int64_t>(value)) return;
  if (std::holds_alternative<double>(value)) {
    all_integers_ = false;
    return;
  }
  if (!all_numbers_) return;
  const std::string& text = std::get<std::string>(value);
  const bool is_integer = parse_integer(text).has_value() && !has_zeros_to_lose(text);
  all_integers_ = all_integers_ && is_integer;
  const bool is_fraction = text.find_first_of(".eE") != std::string::npos &&
                           parse_number(text).has_value() && !has_zeros_to_lose(text);
  all_numbers_ = is_integer || is_fraction;
}

ColumnType ColumnEvidence::type() const {
  if (!any_ || !all_numbers_) return ColumnType::kText;
  return all_integers_ ? ColumnType::kInteger : ColumnType::kNumber;
}

}  // namespace carya
