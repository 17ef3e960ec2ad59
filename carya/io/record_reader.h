#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace carya {

// A metadata value: absent, integer, number or text.
using Value = std::variant<std::monostate, int64_t, double, std::string>;

// One item of the input.
struct Record {
  std::string id;             // as the input says, or its number from 1
  std::string text;           // UTF-8; invalid bytes are already replaced by U+FFFD
  std::vector<Value> values;  // one per column of columns(); may be shorter (the rest is absent)
  std::string where;          // "file:line", for messages
};

// Items one after another, so that an input larger than the memory can be read.
class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // The metadata columns met so far; may grow while reading (JSON lines).
  virtual const std::vector<std::string>& columns() const noexcept = 0;
  // False at the end.  Throws kCorrupt or kInvalidArgument naming file and line.
  virtual bool next(Record& record) = 0;
  virtual size_t bytes_read() const noexcept = 0;
  virtual size_t bytes_total() const noexcept = 0;  // for progress
};

struct ReadOptions {
  std::vector<std::string> text_columns =
      {};                      // joined by ": "; empty: "text", or the only text column
  std::string id_column = {};  // empty: "id" where there is one, else the item's number
  char delimiter = 0;          // 0: tab for .tsv, else the likeliest of , ; tab |
};

enum class InputFormat {
  kFolder,
  kLines,
  kCsv,
  kTsv,
  kJsonLines,
  kNpy,
  kFvecs,
  kBvecs,
  kIvecs,
  kIdx,
  kHdf5
};
std::string_view input_format_name(InputFormat format);
bool holds_vectors(InputFormat format);  // for read_vectors(); the others are for open_records()

// By the name: folder, .txt, .csv, .tsv/.tab, .jsonl/.ndjson, .npy, .fvecs/.bvecs/.ivecs,
// .hdf5/.h5, IDX (*.idx, *-idx3-ubyte). Throws kNotFound, or kInvalidArgument listing what can be
// read.
InputFormat input_format(const std::filesystem::path& path);

// For the text formats; "-" is standard input: JSON lines if it begins with '{', delimited if a
// delimiter is given, else a line an item.  An input without items is not an error here.
// Throws kInvalidArgument for an unknown column (listing those there are), kNotFound, kIo.
std::unique_ptr<RecordReader> open_records(const std::filesystem::path& path,
                                           const ReadOptions& options = {});

}  // namespace carya
