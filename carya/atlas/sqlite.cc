#include "carya/atlas/sqlite.h"

#include "carya/core/error.h"

namespace carya::sqlite {

Database::Database(const std::filesystem::path& path, Mode mode) : path_(path.string()) {
  sqlite3* handle = nullptr;
  const int flags = mode == Mode::kReadOnly ? SQLITE_OPEN_READONLY | SQLITE_OPEN_NOMUTEX
                                            : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
  if (mode == Mode::kReadOnly && !std::filesystem::exists(path)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: there is no such file", path_));
  }
  const int code = sqlite3_open_v2(path_.c_str(), &handle, flags, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) fail("open");
}

void Database::run(const std::string& sql) {
  if (sqlite3_exec(get(), sql.c_str(), nullptr, nullptr, nullptr) != SQLITE_OK) fail("write");
}

void Database::fail(std::string_view action) const {
  const int code = sqlite3_errcode(get());
  // SQLITE_ERROR: a table is missing, as our own statements are right.
  const bool corrupt = code == SQLITE_CORRUPT || code == SQLITE_NOTADB || code == SQLITE_ERROR;
  throw Error(corrupt ? ErrorKind::kCorrupt : ErrorKind::kIo,
              fmt::format("{}: cannot {}: {}", path_, action, sqlite3_errmsg(get())));
}

Statement::Statement(const Database& database, std::string_view sql) : database_(&database) {
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v2(database.get(), sql.data(), static_cast<int>(sql.size()),
                                      &handle, nullptr);
  handle_.reset(handle);
  if (code != SQLITE_OK) database.fail("read");
}

void Statement::check(int code) {
  if (code != SQLITE_OK) database_->fail("use");
}

void Statement::bind(int index, int64_t value) {
  check(sqlite3_bind_int64(handle_.get(), index + 1, value));
}
void Statement::bind(int index, double value) {
  check(sqlite3_bind_double(handle_.get(), index + 1, value));
}
void Statement::bind(int index, std::string_view value) {
  check(sqlite3_bind_text64(handle_.get(), index + 1, value.data(), value.size(), SQLITE_TRANSIENT,
                            SQLITE_UTF8));
}
void Statement::bind(int index, const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) {
    bind(index, *integer);
  } else if (const auto* number = std::get_if<double>(&value)) {
    bind(index, *number);
  } else if (const auto* text = std::get_if<std::string>(&value)) {
    bind(index, std::string_view(*text));
  } else {
    check(sqlite3_bind_null(handle_.get(), index + 1));
  }
}

bool Statement::step() {
  const int code = sqlite3_step(handle_.get());
  if (code == SQLITE_ROW) return true;
  if (code != SQLITE_DONE) database_->fail("use");
  return false;
}

void Statement::reset() { sqlite3_reset(handle_.get()); }

std::string_view Statement::text(int column) const {
  const auto* bytes = reinterpret_cast<const char*>(sqlite3_column_text(handle_.get(), column));
  if (bytes == nullptr) return {};
  return {bytes, static_cast<size_t>(sqlite3_column_bytes(handle_.get(), column))};
}

Value Statement::value(int column) const {
  switch (sqlite3_column_type(handle_.get(), column)) {
    case SQLITE_NULL:
      return {};
    case SQLITE_INTEGER:
      return integer(column);
    case SQLITE_FLOAT:
      return number(column);
    default:
      return std::string(text(column));
  }
}

}  // namespace carya::sqlite
