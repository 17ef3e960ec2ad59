#pragma once

#include <filesystem>
#include <memory>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "carya/core/matrix.h"
#include "carya/io/record_reader.h"

namespace carya {

// What an atlas is made of, or what is added to one: texts, as records, or vectors.  Read once.
class AtlasInput {
 public:
  virtual ~AtlasInput() = default;
  virtual std::string name() const = 0;  // for messages
  virtual bool holds_vectors() const = 0;
  // What tells this input from another without reading it, so that an interrupted build can go on;
  // null where only reading tells: then the checksum of the records decides.
  virtual nlohmann::json identity() const = 0;
  virtual bool can_come_again() const { return true; }  // false: a build of it cannot go on

  // Exactly one of these may be called, by holds_vectors().  `memory` keeps what the view needs.
  virtual std::unique_ptr<RecordReader> open_records() = 0;
  virtual MatrixView<const float> open_vectors(Matrix<float>& memory) = 0;
};

// A file or folder (input_format()), or "-", standard input.  Throws kNotFound, kInvalidArgument;
// reading it, what open_records() and read_vectors() throw.
std::unique_ptr<AtlasInput> file_input(const std::filesystem::path& path,
                                       const ReadOptions& options = {});
// Records that a program makes or streams.
std::unique_ptr<AtlasInput> record_input(std::unique_ptr<RecordReader> records, std::string name);
// vectors [n, dim]; they must outlive the input.
std::unique_ptr<AtlasInput> vector_input(MatrixView<const float> vectors, std::string name);

// Passes records on and sums up what was in them: two inputs with the same checksum make the same
// atlas.
class ChecksummedRecords final : public RecordReader {
 public:
  explicit ChecksummedRecords(RecordReader& records) : records_(records) {}
  const std::vector<std::string>& columns() const noexcept override { return records_.columns(); }
  bool next(Record& record) override;
  size_t bytes_read() const noexcept override { return records_.bytes_read(); }
  size_t bytes_total() const noexcept override { return records_.bytes_total(); }
  std::string checksum() const;  // hexadecimal; of the records so far and the names of the columns

 private:
  RecordReader& records_;
  uint64_t state_ = 0;
  std::string bytes_;  // of one record; kept to use its memory again
};

}  // namespace carya
