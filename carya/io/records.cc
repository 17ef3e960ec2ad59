// The readers behind open_records: lines, folders, delimited text, JSON lines.
#include <simdjson.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <unordered_map>
#include <utility>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/csv.h"
#include "carya/io/record_reader.h"
#include "carya/io/utf8.h"

namespace carya {
namespace {

namespace fs = std::filesystem;

std::string list_of(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

// A file's text, mapped; or all of standard input.
class Source {
 public:
  explicit Source(const fs::path& path) : name_(path.string()) {
    if (path == "-") {
      name_ = "standard input";
      piped_ = read_file("/dev/stdin");
      text_ = piped_;
    } else {
      mapped_ = MappedFile::open(path);
      text_ = mapped_.text();
    }
  }
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  std::string_view text() const { return text_; }
  const std::string& name() const { return name_; }

 private:
  std::string name_, piped_;
  MappedFile mapped_;
  std::string_view text_;
};

// Lines without their ends; a byte order mark is skipped.
class LineCursor {
 public:
  explicit LineCursor(std::string_view text) : text_(text) {
    if (text_.starts_with("\xEF\xBB\xBF")) position_ = 3;
  }
  bool next(std::string_view& line) {
    if (position_ >= text_.size()) return false;
    const size_t end = std::min(text_.find('\n', position_), text_.size());
    line = text_.substr(position_, end - position_);
    if (line.ends_with('\r')) line.remove_suffix(1);
    position_ = end + 1;
    ++number_;
    return true;
  }
  size_t number() const { return number_; }  // of the line that next() gave, from 1
  size_t position() const { return std::min(position_, text_.size()); }

 private:
  std::string_view text_;
  size_t position_ = 0, number_ = 0;
};

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

class LineReader final : public RecordReader {
 public:
  explicit LineReader(std::unique_ptr<Source> source)
      : source_(std::move(source)), lines_(source_->text()) {}
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    std::string_view line;
    do {
      if (!lines_.next(line)) return false;
    } while (is_blank(line));
    record = {std::to_string(++n_),
              to_valid_utf8(line),
              {},
              fmt::format("{}:{}", source_->name(), lines_.number())};
    return true;
  }
  size_t bytes_read() const noexcept override { return lines_.position(); }
  size_t bytes_total() const noexcept override { return source_->text().size(); }

 private:
  std::unique_ptr<Source> source_;
  LineCursor lines_;
  std::vector<std::string> columns_;
  size_t n_ = 0;
};

// Each regular file below a folder is an item; hidden ones and those with a NUL byte are passed
// over.  In the order of the paths, so that two runs agree.
class FolderReader final : public RecordReader {
 public:
  explicit FolderReader(const fs::path& folder) : folder_(folder) {
    std::error_code error;
    for (auto it = fs::recursive_directory_iterator(
             folder, fs::directory_options::skip_permission_denied, error);
         it != fs::recursive_directory_iterator(); it.increment(error)) {
      if (error) break;
      if (it->path().filename().string().starts_with('.')) {
        if (it->is_directory(error)) it.disable_recursion_pending();
      } else if (it->is_regular_file(error)) {
        paths_.push_back(it->path());
        total_ += it->file_size(error);
      }
    }
    if (error) {
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: cannot list: {}", folder.string(), error.message()));
    }
    std::ranges::sort(paths_);
  }
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    while (next_ < paths_.size()) {
      const fs::path& path = paths_[next_++];
      const std::string text = read_file(path);
      read_ += text.size();
      if (text.find('\0') != std::string::npos) continue;
      record = {to_valid_utf8(fs::relative(path, folder_).string()),
                to_valid_utf8(text),
                {},
                path.string()};
      return true;
    }
    return false;
  }
  size_t bytes_read() const noexcept override { return read_; }
  size_t bytes_total() const noexcept override { return total_; }

 private:
  fs::path folder_;
  std::vector<fs::path> paths_;
  std::vector<std::string> columns_;
  size_t next_ = 0, read_ = 0, total_ = 0;
};

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
    do {
      if (!lines_.next(line)) return false;
    } while (is_blank(line));
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

char first_of(std::string_view text) {
  const size_t at = text.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : text[at];
}

void require_no_columns(const ReadOptions& options, const fs::path& path, InputFormat format) {
  require(options.text_columns.empty() && options.id_column.empty() && options.delimiter == 0,
          "{}: --text, --id and --delimiter are for .csv, .tsv and .jsonl; this is {}",
          path.string(), input_format_name(format));
}

}  // namespace

std::string_view input_format_name(InputFormat format) {
  switch (format) {
    case InputFormat::kFolder:
      return "folder";
    case InputFormat::kLines:
      return "txt";
    case InputFormat::kCsv:
      return "csv";
    case InputFormat::kTsv:
      return "tsv";
    case InputFormat::kJsonLines:
      return "jsonl";
    case InputFormat::kNpy:
      return "npy";
    case InputFormat::kFvecs:
      return "fvecs";
    case InputFormat::kIdx:
      return "idx";
  }
  CARYA_ASSERT(false);
  return {};
}

InputFormat input_format(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: there is no such file or folder", path.string()));
  }
  if (fs::is_directory(status)) return InputFormat::kFolder;
  std::string extension = path.extension().string();
  std::ranges::transform(extension, extension.begin(),
                         [](unsigned char c) { return std::tolower(c); });
  static constexpr std::pair<std::string_view, InputFormat> kByExtension[] = {
      {".txt", InputFormat::kLines},       {".csv", InputFormat::kCsv},
      {".tsv", InputFormat::kTsv},         {".tab", InputFormat::kTsv},
      {".jsonl", InputFormat::kJsonLines}, {".ndjson", InputFormat::kJsonLines},
      {".npy", InputFormat::kNpy},         {".fvecs", InputFormat::kFvecs},
      {".idx", InputFormat::kIdx}};
  for (const auto& [name, format] : kByExtension) {
    if (extension == name) return format;
  }
  const std::string name = path.filename().string();
  if (name.find("-idx") != std::string::npos || name.find(".idx") != std::string::npos) {
    return InputFormat::kIdx;  // as in train-images-idx3-ubyte
  }
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("{}: the kind of file cannot be told from its name; known are folders, .txt, "
                  ".csv, .tsv, .jsonl, .npy, .fvecs and IDX (*.idx, *-idx3-ubyte)",
                  path.string()));
}

std::unique_ptr<RecordReader> open_records(const fs::path& path, const ReadOptions& options) {
  if (path != "-" && input_format(path) == InputFormat::kFolder) {
    require_no_columns(options, path, InputFormat::kFolder);
    return std::make_unique<FolderReader>(path);
  }
  auto source = std::make_unique<Source>(path);
  const InputFormat format = path != "-"                       ? input_format(path)
                             : first_of(source->text()) == '{' ? InputFormat::kJsonLines
                             : options.delimiter != 0          ? InputFormat::kCsv
                                                               : InputFormat::kLines;
  switch (format) {
    case InputFormat::kLines:
      require_no_columns(options, path, format);
      return std::make_unique<LineReader>(std::move(source));
    case InputFormat::kCsv:
    case InputFormat::kTsv:
      return std::make_unique<CsvReader>(std::move(source), options, format);
    case InputFormat::kJsonLines:
      return std::make_unique<JsonLinesReader>(std::move(source), options);
    default:
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: holds vectors, not texts", path.string()));
  }
}

}  // namespace carya
