// open_records(): what is read how; and the readers of lines and of folders.
#include <algorithm>
#include <cctype>
#include <utility>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/hdf5.h"
#include "carya/io/record_reader.h"
#include "carya/io/record_source.h"
#include "carya/io/utf8.h"

namespace carya {
namespace {

namespace fs = std::filesystem;

class LineReader final : public RecordReader {
 public:
  explicit LineReader(std::unique_ptr<Source> source)
      : source_(std::move(source)), lines_(source_->text()) {}
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    std::string_view line;
    if (!lines_.next(line)) return false;
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

char first_of(std::string_view text) {
  const size_t at = text.find_first_not_of(" \t\r\n");
  return at == std::string_view::npos ? '\0' : text[at];
}

void require_no_columns(const ReadOptions& options, const fs::path& path, InputFormat format) {
  require(options.text_columns.empty() && options.id_column.empty() && options.delimiter == 0,
          "{}: --text, --id and --delimiter are for .csv, .tsv and .jsonl; this is {}{}",
          path == "-" ? "standard input" : path.string(), input_format_name(format),
          path == "-" ? " (say --delimiter for a table)" : "");
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
    case InputFormat::kBvecs:
      return "bvecs";
    case InputFormat::kIvecs:
      return "ivecs";
    case InputFormat::kHdf5:
      return "hdf5";
    case InputFormat::kIdx:
      return "idx";
  }
  CARYA_ASSERT(false);
  return {};
}

bool holds_vectors(InputFormat format) {
  switch (format) {
    case InputFormat::kFolder:
    case InputFormat::kLines:
    case InputFormat::kCsv:
    case InputFormat::kTsv:
    case InputFormat::kJsonLines:
      return false;
    case InputFormat::kNpy:
    case InputFormat::kFvecs:
    case InputFormat::kBvecs:
    case InputFormat::kIvecs:
    case InputFormat::kIdx:
    case InputFormat::kHdf5:
      return true;
  }
  CARYA_ASSERT(false);
  return false;
}

InputFormat input_format(const fs::path& input) {
  const fs::path path = file_and_dataset(input).first;
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
      {".bvecs", InputFormat::kBvecs},     {".ivecs", InputFormat::kIvecs},
      {".hdf5", InputFormat::kHdf5},       {".h5", InputFormat::kHdf5},
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
                  ".csv, .tsv, .jsonl, .npy, .fvecs, .bvecs, .ivecs, .hdf5 and IDX (*.idx, "
                  "*-idx3-ubyte)",
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
      return read_delimited(std::move(source), options, format);
    case InputFormat::kJsonLines:
      return read_json_lines(std::move(source), options);
    default:
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: holds vectors, not texts", path.string()));
  }
}

}  // namespace carya
