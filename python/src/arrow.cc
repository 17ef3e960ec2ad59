#include "python/src/arrow.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "carya/core/error.h"

namespace carya::python {
namespace {

// A number as people write it.
std::string text_of_value(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<int64_t>(&value)) return std::to_string(*integer);
  if (const auto* number = std::get_if<double>(&value)) return fmt::format("{}", *number);
  return {};
}

bool is_pandas_index(const std::string& name) { return name.starts_with("__index_level_"); }

}  // namespace

ArrowRecords::ArrowRecords(ArrowArrayStream& stream, const ReadOptions& options, std::string name,
                           size_t n_before)
    : name_(std::move(name)), stream_(stream), n_before_(n_before) {
  require(stream_.is_valid(), "{}: its Arrow stream was used up already", name_);
  if (const int code = stream_->get_schema(stream_.get(), schema_.get()); code != 0) fail(code);
  is_table_ = std::string(schema_->format) == "+s";
  if (!is_table_) {
    columns_.emplace_back(*schema_.get(), "text");
    require(columns_[0].is_text(), "{}: holds no texts", name_);
  }
  for (int64_t i = 0; is_table_ && i < schema_->n_children; ++i) {
    const ArrowSchema& child = *schema_->children[i];
    const std::string column = child.name == nullptr ? "" : child.name;
    columns_.emplace_back(child, column.empty() ? fmt::format("column{}", i + 1) : column);
  }
  choose_columns(options);
}

size_t ArrowRecords::find(const std::string& name) const {
  const auto found = std::ranges::find(columns_, name, &ArrowColumn::name);
  if (found != columns_.end()) return static_cast<size_t>(found - columns_.begin());
  std::string known;
  for (const ArrowColumn& column : columns_) known += (known.empty() ? "" : ", ") + column.name();
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: has no column '{}'; there are: {}", name_, name, known));
}

void ArrowRecords::choose_columns(const ReadOptions& options) {
  require(options.delimiter == 0, "{}: a delimiter is for files", name_);
  const auto has = [&](const char* name) {
    return std::ranges::find(columns_, name, &ArrowColumn::name) != columns_.end();
  };
  if (!options.id_column.empty()) {
    id_column_ = static_cast<std::ptrdiff_t>(find(options.id_column));
  } else if (has("id")) {
    id_column_ = static_cast<std::ptrdiff_t>(find("id"));
  }
  for (const std::string& name : options.text_columns) text_columns_.push_back(find(name));
  if (text_columns_.empty() && has("text")) text_columns_.push_back(find("text"));
  if (text_columns_.empty()) {
    std::string known;
    for (size_t i = 0; i < columns_.size(); ++i) {
      known += (known.empty() ? "" : ", ") + columns_[i].name();
      const bool is_id = static_cast<std::ptrdiff_t>(i) == id_column_;
      if (columns_[i].is_text() && !is_id && !is_pandas_index(columns_[i].name())) {
        text_columns_.push_back(i);
      }
    }
    require(text_columns_.size() == 1,
            "{}: which column is the text? Say text=COLUMN or text=[COLUMN, ...]; there are: {}",
            name_, known.empty() ? "none" : known);
  }
  for (size_t i = 0; i < columns_.size(); ++i) {
    const bool used = std::ranges::count(text_columns_, i) > 0 ||
                      static_cast<std::ptrdiff_t>(i) == id_column_ ||
                      is_pandas_index(columns_[i].name());
    if (used) continue;
    std::string distinct = columns_[i].name();  // a name that occurs twice goes on as name_2
    for (size_t j = 2; std::ranges::count(value_names_, distinct) > 0; ++j) {
      distinct = fmt::format("{}_{}", columns_[i].name(), j);
    }
    value_columns_.push_back(i);
    value_names_.push_back(std::move(distinct));
  }
}

bool ArrowRecords::next_batch() {
  while (row_ >= batch_->length || !batch_.is_valid()) {
    batch_.reset();
    row_ = 0;
    if (const int code = stream_->get_next(stream_.get(), batch_.get()); code != 0) fail(code);
    if (!batch_.is_valid()) return false;
    if (is_table_ && batch_->n_children != static_cast<int64_t>(columns_.size())) {
      throw Error(ErrorKind::kCorrupt, fmt::format("{}: a batch has {} columns, the schema {}",
                                                   name_, batch_->n_children, columns_.size()));
    }
  }
  return true;
}

Value ArrowRecords::value(size_t column) const {
  if (!is_table_) return columns_[column].value(*batch_, row_);
  return columns_[column].value(*(*batch_).children[column], (*batch_).offset + row_);
}

std::string ArrowRecords::text_of(size_t column) const { return text_of_value(value(column)); }

bool ArrowRecords::next(Record& record) {
  if (!next_batch()) return false;
  ++n_;
  record.where = fmt::format("{}, row {}", name_, n_);
  record.text.clear();
  for (const size_t column : text_columns_) {
    const std::string part = text_of(column);
    if (!record.text.empty() && !part.empty()) record.text += ": ";
    record.text += part;
  }
  record.id =
      id_column_ < 0 ? std::to_string(n_before_ + n_) : text_of(static_cast<size_t>(id_column_));
  record.values.clear();
  for (const size_t column : value_columns_) {
    Value cell = value(column);
    const auto* text = std::get_if<std::string>(&cell);
    if (text != nullptr && text->empty()) cell = Value{};  // as in a .csv
    record.values.push_back(std::move(cell));
  }
  bytes_read_ += record.text.size();
  ++row_;
  return true;
}

void ArrowRecords::fail(int code) {
  const char* reason = stream_->get_last_error(stream_.get());
  throw Error(ErrorKind::kIo, fmt::format("{}: reading failed after row {}: {}", name_, n_,
                                          reason != nullptr ? reason : std::strerror(code)));
}

}  // namespace carya::python
