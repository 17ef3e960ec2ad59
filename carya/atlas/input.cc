#include "carya/atlas/input.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>

#include "carya/core/container.h"
#include "carya/core/error.h"
#include "carya/io/hdf5.h"
#include "carya/io/vectors.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

bool is_vector_file(const fs::path& path) {
  if (path == "-") return false;
  return holds_vectors(input_format(path));
}

// What changes when an input does: bytes and time of a file, or of all files of a folder.
Json look_of(const fs::path& name) {
  const fs::path input = file_and_dataset(name).first;
  std::error_code error;
  size_t n_files = 0, bytes = 0;
  int64_t modified = 0;
  const auto see = [&](const fs::path& file) {
    ++n_files;
    bytes += fs::file_size(file, error);
    const int64_t time = fs::last_write_time(file, error).time_since_epoch().count();
    modified = n_files == 1 ? time : std::max(modified, time);
  };
  if (fs::is_regular_file(input, error)) {
    see(input);
  } else if (fs::is_directory(input, error)) {
    constexpr auto kSkip = fs::directory_options::skip_permission_denied;
    for (auto it = fs::recursive_directory_iterator(input, kSkip, error);
         !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      if (it->is_regular_file(error)) see(it->path());
    }
  }
  return {n_files, bytes, modified};
}

class FileInput final : public AtlasInput {
 public:
  FileInput(fs::path path, ReadOptions options)
      : path_(std::move(path)), options_(std::move(options)), is_vectors_(is_vector_file(path_)) {
    const bool has_columns =
        !options_.text_columns.empty() || !options_.id_column.empty() || options_.delimiter != 0;
    require(!is_vectors_ || !has_columns,
            "{}: --text, --id and --delimiter are for tables of texts; this holds vectors",
            path_.string());
  }
  std::string name() const override { return path_ == "-" ? "standard input" : path_.string(); }
  bool holds_vectors() const override { return is_vectors_; }
  Json identity() const override {
    return {{"path", path_ == "-" ? "-" : fs::absolute(path_).string()},
            {"look", look_of(path_)},
            {"text", options_.text_columns},
            {"id", options_.id_column},
            {"delimiter", static_cast<int>(options_.delimiter)}};
  }
  bool can_come_again() const override { return path_ != "-"; }
  std::unique_ptr<RecordReader> open_records() override {
    return carya::open_records(path_, options_);
  }
  MatrixView<const float> open_vectors(Matrix<float>& memory) override {
    memory = read_vectors(path_);
    return memory.view();
  }

 private:
  fs::path path_;
  ReadOptions options_;
  bool is_vectors_;
};

class RecordInput final : public AtlasInput {
 public:
  RecordInput(std::unique_ptr<RecordReader> records, std::string name)
      : records_(std::move(records)), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  bool holds_vectors() const override { return false; }
  Json identity() const override { return nullptr; }
  std::unique_ptr<RecordReader> open_records() override {
    CARYA_ASSERT(records_ != nullptr);
    return std::move(records_);
  }
  MatrixView<const float> open_vectors(Matrix<float>&) override {
    CARYA_ASSERT(!"records hold no vectors");
    return {};
  }

 private:
  std::unique_ptr<RecordReader> records_;
  std::string name_;
};

class VectorInput final : public AtlasInput {
 public:
  VectorInput(MatrixView<const float> vectors, std::string name)
      : vectors_(vectors), name_(std::move(name)) {}
  std::string name() const override { return name_; }
  bool holds_vectors() const override { return true; }
  Json identity() const override {
    uint64_t sum = 0;
    for (size_t i = 0; i < vectors_.rows(); ++i) {
      const uint64_t row[] = {sum, carya::checksum(std::as_bytes(vectors_.row(i)))};
      sum = carya::checksum(std::as_bytes(std::span(row)));
    }
    return {{"rows", vectors_.rows()}, {"cols", vectors_.cols()}, {"checksum", sum}};
  }
  std::unique_ptr<RecordReader> open_records() override {
    CARYA_ASSERT(!"vectors are no records");
    return nullptr;
  }
  MatrixView<const float> open_vectors(Matrix<float>&) override { return vectors_; }

 private:
  MatrixView<const float> vectors_;
  std::string name_;
};

// Each part with its length, so that no two records have the same bytes.
void append(std::string& bytes, std::string_view part) {
  const uint64_t size = part.size();
  bytes.append(reinterpret_cast<const char*>(&size), sizeof size);
  bytes.append(part);
}

void append_value(std::string& bytes, const Value& value) {
  bytes.push_back(static_cast<char>(value.index()));
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    bytes.append(reinterpret_cast<const char*>(integer), sizeof *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    bytes.append(reinterpret_cast<const char*>(number), sizeof *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    append(bytes, std::string_view(*text));
  }
}

}  // namespace

std::unique_ptr<AtlasInput> file_input(const fs::path& path, const ReadOptions& options) {
  return std::make_unique<FileInput>(path, options);
}

std::unique_ptr<AtlasInput> record_input(std::unique_ptr<RecordReader> records, std::string name) {
  return std::make_unique<RecordInput>(std::move(records), std::move(name));
}

std::unique_ptr<AtlasInput> vector_input(MatrixView<const float> vectors, std::string name) {
  return std::make_unique<VectorInput>(vectors, std::move(name));
}

bool ChecksummedRecords::next(Record& record) {
  if (!records_.next(record)) return false;
  bytes_.assign(reinterpret_cast<const char*>(&state_), sizeof state_);
  append(bytes_, record.id);
  append(bytes_, record.text);
  for (const Value& value : record.values) append_value(bytes_, value);
  state_ = carya::checksum(std::as_bytes(std::span(bytes_)));
  return true;
}

std::string ChecksummedRecords::checksum() const {
  std::string bytes(reinterpret_cast<const char*>(&state_), sizeof state_);
  for (const std::string& column : records_.columns()) append(bytes, column);
  return fmt::format("{:016x}", carya::checksum(std::as_bytes(std::span(bytes))));
}

}  // namespace carya
