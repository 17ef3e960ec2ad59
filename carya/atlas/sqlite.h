#pragma once

#include <sqlite3.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "carya/io/record_reader.h"

namespace carya::sqlite {

// A connection.  Every failure of SQLite is an Error (kCorrupt, kIo or kInvalidArgument) with the
// file's name and SQLite's own words.
class Database {
 public:
  enum class Mode { kCreate, kReadOnly };
  Database(const std::filesystem::path& path, Mode mode);
  void run(const std::string& sql);
  [[noreturn]] void fail(std::string_view action) const;
  sqlite3* get() const noexcept { return handle_.get(); }

 private:
  struct Close {
    void operator()(sqlite3* p) const noexcept { sqlite3_close_v2(p); }
  };
  std::string path_;
  std::unique_ptr<sqlite3, Close> handle_;
};

// A prepared statement; parameters and columns count from 0.
class Statement {
 public:
  Statement(const Database& database, std::string_view sql);
  void bind(int index, int64_t value);
  void bind(int index, double value);
  void bind(int index, std::string_view value);
  void bind(int index, const Value& value);
  bool step();  // false: no more rows
  void reset();
  void run() {  // for statements without rows
    step();
    reset();
  }
  int64_t integer(int column) const { return sqlite3_column_int64(handle_.get(), column); }
  double number(int column) const { return sqlite3_column_double(handle_.get(), column); }
  std::string_view text(int column) const;
  Value value(int column) const;

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* p) const noexcept { sqlite3_finalize(p); }
  };
  void check(int code);
  const Database* database_;
  std::unique_ptr<sqlite3_stmt, Finalize> handle_;
};

}  // namespace carya::sqlite
