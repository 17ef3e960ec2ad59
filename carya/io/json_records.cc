// JSON lines as records: one object a line.
#include <simdjson.h>

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "carya/core/error.h"
#include "carya/io/record_source.h"
#include "carya/io/utf8.h"

namespace carya {
namespace {

class JsonLinesReader final : public RecordReader {
 public:
  JsonLinesReader(std::unique_ptr<Source> source, const ReadOptions& options)
      : source_(std::move(source)), lines_(source_->text()), options_(options) {
    if (options_.text_columns.empty()) options_.text_columns = {"text"};
    if (options_.id_column.empty()) options_.id_column = "id";
  }
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    std::string_view line;
    if (!lines_.next(line)) return false;
    ++n_;
    record = {std::to_string(n_), "", {}, fmt::format("{}:{}", source_->name(), lines_.number())};
    const std::string valid = to_valid_utf8(line);
    simdjson::dom::element document;
    simdjson::dom::object object;
    simdjson::error_code error = parser_.parse(valid).get(document);
    if (!error) error = document.get(object);
    if (error) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: is not a JSON object: {}", record.where,
                                                   simdjson::error_message(error)));
    }
    std::vector<std::string> texts(options_.text_columns.size());
    size_t n_found = 0;
    for (const auto [key, element] : object) {
      const auto text = std::ranges::find(options_.text_columns, key);
      if (text != options_.text_columns.end()) {
        texts[static_cast<size_t>(text - options_.text_columns.begin())] = as_text(element);
        ++n_found;
      } else if (key == options_.id_column) {
        record.id = as_text(element);
      } else {
        set(record, key, value(element));
      }
    }
    if (n_found == 0) {
      std::vector<std::string> keys;
      for (const auto [key, element] : object) keys.emplace_back(key);
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: has no field '{}'; say --text FIELD[,FIELD]; there are: {}",
                              record.where, options_.text_columns[0], list_of(keys)));
    }
    for (const std::string& text : texts) {
      if (!record.text.empty() && !text.empty()) record.text += ": ";
      record.text += text;
    }
    return true;
  }
  size_t bytes_read() const noexcept override { return lines_.position(); }
  size_t bytes_total() const noexcept override { return source_->text().size(); }

 private:
  static std::string as_text(simdjson::dom::element element) {
    std::string_view text;
    if (!element.get(text)) return std::string(text);
    return element.is_null() ? "" : simdjson::minify(element);
  }
  // Arrays and objects stay as their JSON text.
  static Value value(simdjson::dom::element element) {
    int64_t integer = 0;
    double number = 0;
    bool truth = false;
    if (element.is_null()) return {};
    if (!element.get(integer)) return integer;
    if (!element.get(number)) return number;
    if (!element.get(truth)) return int64_t{truth};
    return as_text(element);
  }
  void set(Record& record, std::string_view key, Value value) {
    const auto [at, is_new] = column_of_.try_emplace(std::string(key), columns_.size());
    if (is_new) columns_.emplace_back(key);
    if (record.values.size() <= at->second) record.values.resize(at->second + 1);
    record.values[at->second] = std::move(value);
  }

  std::unique_ptr<Source> source_;
  LineCursor lines_;
  ReadOptions options_;
  simdjson::dom::parser parser_;
  std::vector<std::string> columns_;
  std::unordered_map<std::string, size_t> column_of_;
  size_t n_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> read_json_lines(std::unique_ptr<Source> source,
                                              const ReadOptions& options) {
  return std::make_unique<JsonLinesReader>(std::move(source), options);
}

}  // namespace carya
