#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace carya {

// What a quote at the start of a field means.
enum class CsvQuotes {
  kAcrossLines,  // RFC 4180: up to the closing quote, over line ends; an unclosed one is an error
  kWithinLine,   // tab-separated files: quoted if it closes on its line, else an ordinary character
};

// Rows of a delimited text, one after another.  Fields keep their white space; "" in quotes is one
// quote; lines end in LF, CRLF or CR; a byte order mark is skipped, blank lines too.
class CsvParser {
 public:
  // `text` must live as long as the parser; `name` is for messages.
  CsvParser(std::string_view text, std::string name, char delimiter, CsvQuotes quotes);
  // False at the end.  Throws kCorrupt with file and line on an unclosed quote or on text after a
  // closing one.
  bool next(std::vector<std::string>& fields);
  size_t row_line() const noexcept { return row_line_; }  // where the row of next() began, from 1
  size_t position() const noexcept { return position_; }

 private:
  void quoted_field(std::string& field);
  bool closes_on_its_line() const;
  bool at_line_end() const;
  void skip_line_end();
  std::string_view text_;
  std::string name_;
  char delimiter_;
  CsvQuotes quotes_;
  size_t position_ = 0, line_ = 1, row_line_ = 1;
};

// The delimiter among , ; tab | that stands most often in the first line outside quotes; a comma if
// none does.
char likely_delimiter(std::string_view text);

}  // namespace carya
