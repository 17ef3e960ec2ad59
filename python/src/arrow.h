#pragma once

#include <memory>
#include <string>
#include <vector>

#include "carya/io/record_reader.h"
#include "python/src/arrow_abi.h"
#include "python/src/arrow_column.h"

namespace carya::python {

// The rows of an Arrow stream as records: any data frame that implements __arrow_c_stream__.  A
// stream of strings is a table with the one column "text".  The columns of ReadOptions are chosen
// as for a .csv, but that the only column of strings is the text, too; pandas' index columns are
// left out.  Without an id column ids are numbers after `n_before`.  Rows come batch by batch, so
// the table need not fit into memory.
class ArrowRecords final : public RecordReader {
 public:
  // Moves the stream.  `name` is for messages.  Throws kInvalidArgument naming a column that is not
  // there or of a type that has no place in a record, kIo with what the producer says.
  ArrowRecords(ArrowArrayStream& stream, const ReadOptions& options, std::string name,
               size_t n_before);

  const std::vector<std::string>& columns() const noexcept override { return value_names_; }
  bool next(Record& record) override;
  size_t bytes_read() const noexcept override { return bytes_read_; }  // of the texts
  size_t bytes_total() const noexcept override { return 0; }           // not known

 private:
  void choose_columns(const ReadOptions& options);
  size_t find(const std::string& name) const;
  bool next_batch();
  Value value(size_t column) const;
  std::string text_of(size_t column) const;
  [[noreturn]] void fail(int code);

  std::string name_;
  ArrowOwner<ArrowArrayStream> stream_;
  ArrowOwner<ArrowSchema> schema_;
  ArrowOwner<ArrowArray> batch_;
  bool is_table_ = false;
  std::vector<ArrowColumn> columns_;
  std::vector<size_t> text_columns_, value_columns_;
  std::vector<std::string> value_names_;
  std::ptrdiff_t id_column_ = -1;
  int64_t row_ = 0;  // in the batch
  size_t n_before_, n_ = 0, bytes_read_ = 0;
};

}  // namespace carya::python
