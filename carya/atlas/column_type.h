#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "carya/io/record_reader.h"

namespace carya {

enum class ColumnType { kInteger, kNumber, kText };
std::string_view column_type_name(ColumnType type);  // "integer", "number", "text"

struct MetadataColumn {
  std::string name;
  ColumnType type;
};

// The integer or the finite number that a text is as a whole; none otherwise.
std::optional<int64_t> parse_integer(std::string_view text);
std::optional<double> parse_number(std::string_view text);

// What the values of a column allow it to be: texts that are all integers or all numbers make a
// column of those, unless a text would not come back as it was: "007" stays text, and so do whole
// numbers beyond 64 bits, which are names rather than amounts.
class ColumnEvidence {
 public:
  ColumnEvidence() = default;
  explicit ColumnEvidence(ColumnType known);  // as if values of the type had been seen
  void see(const Value& value);
  ColumnType type() const;  // kText if there was no value

 private:
  bool any_ = false, all_integers_ = true, all_numbers_ = true;
};

}  // namespace carya
