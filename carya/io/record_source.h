#pragma once

// What the readers behind open_records() share; not for other modules.

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "carya/core/file.h"
#include "carya/io/record_reader.h"

namespace carya {

// "a, b", or "none".
std::string list_of(const std::vector<std::string>& names);

// A file's text, mapped; or all of standard input.
class Source {
 public:
  explicit Source(const std::filesystem::path& path);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  std::string_view text() const { return text_; }
  const std::string& name() const { return name_; }  // for messages

 private:
  std::string name_, piped_;
  MappedFile mapped_;
  std::string_view text_;
};

// Lines without their ends; a byte order mark and blank lines are passed over.
class LineCursor {
 public:
  explicit LineCursor(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) position_ = 3;
  }
  bool next(std::string_view& line);
  size_t number() const { return number_; }  // of the line that next() gave, from 1
  size_t position() const { return std::min(position_, text_.size()); }

 private:
  std::string_view text_;
  size_t position_ = 0, number_ = 0;
};

// format: kCsv or kTsv.
std::unique_ptr<RecordReader> read_delimited(std::unique_ptr<Source> source,
                                             const ReadOptions& options, InputFormat format);
std::unique_ptr<RecordReader> read_json_lines(std::unique_ptr<Source> source,
                                              const ReadOptions& options);

}  // namespace carya
