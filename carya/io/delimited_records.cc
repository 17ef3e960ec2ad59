// Rows of a .csv or .tsv as records.
#include <algorithm>
#include <utility>

#include "carya/core/error.h"
#include "carya/io/csv.h"
#include "carya/io/record_source.h"
#include "carya/io/utf8.h"

namespace carya {
namespace {

class CsvReader final : public RecordReader {
 public:
  CsvReader(std::unique_ptr<Source> source, const ReadOptions& options, InputFormat format)
      : source_(std::move(source)),
        parser_(source_->text(), source_->name(), delimiter(source_->text(), options, format),
                format == InputFormat::kTsv ? CsvQuotes::kWithinLine : CsvQuotes::kAcrossLines) {
    if (!parser_.next(header_)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: is empty; a header line with the column names is needed",
                              source_->name()));
    }
    for (std::string& name : header_) name = to_valid_utf8(name);
    std::vector<std::string> wanted = options.text_columns;
    if (wanted.empty()) wanted.push_back(default_text_column());
    for (const std::string& name : wanted) text_columns_.push_back(column(name));
    if (!options.id_column.empty()) {
      id_column_ = static_cast<ptrdiff_t>(column(options.id_column));
    } else if (const auto id = std::ranges::find(header_, "id"); id != header_.end()) {
      id_column_ = id - header_.begin();
    }
    for (size_t i = 0; i < header_.size(); ++i) {
      const bool used =
          std::ranges::count(text_columns_, i) > 0 || static_cast<ptrdiff_t>(i) == id_column_;
      if (!used) {
        value_columns_.push_back(i);
        columns_.push_back(
            distinct_name(header_[i].empty() ? fmt::format("column{}", i + 1) : header_[i]));
      }
    }
  }
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    if (!parser_.next(fields_)) return false;
    ++n_;
    if (fields_.size() != header_.size()) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}:{}: has {} fields, the header has {}; is a delimiter inside a field "
                      "unquoted, or --delimiter wrong?",
                      source_->name(), parser_.row_line(), fields_.size(), header_.size()));
    }
    record.text.clear();
    for (size_t i : text_columns_) {
      if (!record.text.empty() && !fields_[i].empty()) record.text += ": ";
      record.text += to_valid_utf8(fields_[i]);
    }
    record.id = id_column_ >= 0 ? to_valid_utf8(fields_[static_cast<size_t>(id_column_)])
                                : std::to_string(n_);
    record.values.clear();
    for (size_t i : value_columns_) {
      record.values.push_back(fields_[i].empty() ? Value{} : Value{to_valid_utf8(fields_[i])});
    }
    record.where = fmt::format("{}:{}", source_->name(), parser_.row_line());
    return true;
  }
  size_t bytes_read() const noexcept override { return parser_.position(); }
  size_t bytes_total() const noexcept override { return source_->text().size(); }

 private:
  static char delimiter(std::string_view text, const ReadOptions& options, InputFormat format) {
    if (options.delimiter != 0) return options.delimiter;
    return format == InputFormat::kTsv ? '\t' : likely_delimiter(text);
  }
  // A name that occurs twice goes on as name_2.
  std::string distinct_name(const std::string& name) const {
    std::string distinct = name;
    for (size_t i = 2; std::ranges::find(columns_, distinct) != columns_.end(); ++i) {
      distinct = fmt::format("{}_{}", name, i);
    }
    return distinct;
  }
  std::string default_text_column() const {
    if (header_.size() == 1) return header_[0];
    if (std::ranges::find(header_, "text") != header_.end()) return "text";
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: which column is the text? Say --text COL[,COL]; there are: {}",
                            source_->name(), list_of(header_)));
  }
  size_t column(const std::string& name) const {
    const auto found = std::ranges::find(header_, name);
    if (found == header_.end()) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: has no column '{}'; there are: {}", source_->name(), name,
                              list_of(header_)));
    }
    return static_cast<size_t>(found - header_.begin());
  }

  std::unique_ptr<Source> source_;
  CsvParser parser_;
  std::vector<std::string> header_, columns_, fields_;
  std::vector<size_t> text_columns_, value_columns_;
  ptrdiff_t id_column_ = -1;
  size_t n_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> read_delimited(std::unique_ptr<Source> source,
                                             const ReadOptions& options, InputFormat format) {
  return std::make_unique<CsvReader>(std::move(source), options, format);
}

}  // namespace carya
