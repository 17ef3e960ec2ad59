#include "carya/atlas/item_store.h"

#include <algorithm>
#include <cctype>
#include <mutex>
#include <utility>

#include "carya/atlas/sqlite.h"
#include "carya/atlas/where.h"
#include "carya/core/error.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using sqlite::Database;
using sqlite::Statement;

constexpr size_t kMaxColumns = 1000;     // SQLite stops at 2000, and a wider table is no metadata
constexpr size_t kItemsPerReport = 512;  // progress is told every so many
constexpr size_t kMaxQueryWords = 64;    // more words make a query slow, not better
// Around a match in what SQLite gives back; two characters that no text is likely to have.
constexpr std::string_view kMatchBegin = "\uE0F0", kMatchEnd = "\uE0F1";

std::string_view sql_type(ColumnType type) {
  return type == ColumnType::kInteger ? "INTEGER" : type == ColumnType::kNumber ? "REAL" : "TEXT";
}

// The words of a query as FTS5 strings, any of which may match: "a" OR "b".  Nothing of FTS5's own
// syntax gets through.
std::string match_expression(std::string_view query) {
  std::string expression, word;
  size_t n_words = 0;
  const auto finish = [&] {
    if (word.empty() || n_words == kMaxQueryWords) return;
    expression += (n_words++ == 0 ? "\"" : " OR \"") + word + "\"";
    word.clear();
  };
  for (char c : query) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || std::isalnum(byte)) {
      word += c;
    } else {
      finish();
    }
  }
  finish();
  return expression;
}

// A text as far as its n-th blank.
std::string first_words(std::string_view text, size_t n) {
  size_t end = 0;
  for (bool in_word = false; end < text.size(); ++end) {
    const bool is_blank = std::isspace(static_cast<unsigned char>(text[end])) != 0;
    if (in_word && is_blank && --n == 0) return std::string(text.substr(0, end)) + "…";
    in_word = !is_blank;
  }
  return std::string(text);
}

// Connections for readers: SQLite wants one a thread.  As many stay open as were ever used at once.
class ReaderPool {
 public:
  explicit ReaderPool(fs::path path) : path_(std::move(path)) {}

  class Lease {
   public:
    Lease(ReaderPool& pool, std::unique_ptr<Database> database)
        : pool_(&pool), database_(std::move(database)) {}
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    ~Lease() { pool_->give_back(std::move(database_)); }
    operator const Database&() const { return *database_; }

   private:
    ReaderPool* pool_;
    std::unique_ptr<Database> database_;
  };

  Lease lease() {
    {
      const std::lock_guard lock(mutex_);
      if (!idle_.empty()) {
        std::unique_ptr<Database> database = std::move(idle_.back());
        idle_.pop_back();
        return Lease(*this, std::move(database));
      }
    }
    return Lease(*this, std::make_unique<Database>(path_, Database::Mode::kReadOnly));
  }

 private:
  void give_back(std::unique_ptr<Database> database) {
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(database));
  }

  fs::path path_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Database>> idle_;
};

}  // namespace

struct ItemStore::State {
  State(const fs::path& file, Database::Mode mode)
      : path(file), readers(file), database(file, mode) {}
  fs::path path;
  mutable ReaderPool readers;
  Database database;  // of the one who adds
  size_t size = 0;
  std::vector<MetadataColumn> columns;

  void load() {
    Statement count(database,
                    "SELECT count(*), coalesce(min(item), 0), coalesce(max(item), -1) FROM items");
    count.step();
    size = static_cast<size_t>(count.integer(0));
    if (count.integer(1) != 0 || count.integer(2) + 1 != count.integer(0)) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: items are missing; build the atlas again", path.string()));
    }
    columns.clear();
    Statement read(database, "SELECT name, type FROM columns ORDER BY position");
    while (read.step()) {
      const std::string_view type = read.text(1);
      columns.push_back({std::string(read.text(0)), type == "INTEGER" ? ColumnType::kInteger
                                                    : type == "REAL"  ? ColumnType::kNumber
                                                                      : ColumnType::kText});
    }
  }

  void create_tables() {
    database.run(
        "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA page_size = 8192;"
        "CREATE TABLE items(item INTEGER PRIMARY KEY, id TEXT NOT NULL, text TEXT NOT NULL);"
        "CREATE TABLE columns(position INTEGER PRIMARY KEY, name TEXT UNIQUE, type TEXT);"
        "CREATE VIRTUAL TABLE words USING fts5(text, content='items', content_rowid='item',"
        " tokenize='porter unicode61 remove_diacritics 2');");
  }

  size_t insert(RecordReader& records, Progress* progress);
  void add_column(std::string_view name);
  size_t column_position(std::string_view name) const;  // columns.size() if it is not there
  Statement insert_statement() const;
  [[noreturn]] void fail_duplicate(const Record& record) const;
  void set_types(const std::vector<ColumnEvidence>& evidence);
};

void ItemStore::State::add_column(std::string_view name) {
  require(columns.size() < kMaxColumns,
          "the input has more than {} columns; choose with --text, or drop some", kMaxColumns);
  database.run("ALTER TABLE items ADD COLUMN " + sql_column(columns.size()));
  Statement insert(database, "INSERT INTO columns VALUES(?1, ?2, 'TEXT')");
  insert.bind(0, static_cast<int64_t>(columns.size()));
  insert.bind(1, name);
  insert.run();
  columns.push_back({std::string(name), ColumnType::kText});
}

size_t ItemStore::State::column_position(std::string_view name) const {
  return static_cast<size_t>(std::ranges::find(columns, name, &MetadataColumn::name) -
                             columns.begin());
}

Statement ItemStore::State::insert_statement() const {
  std::string fields = "item, id, text", slots = "?1, ?2, ?3";
  for (size_t i = 0; i < columns.size(); ++i) {
    fields += ", " + sql_column(i);
    slots += fmt::format(", ?{}", i + 4);
  }
  return Statement(database,
                   fmt::format("INSERT OR IGNORE INTO items({}) VALUES({})", fields, slots));
}

void ItemStore::State::fail_duplicate(const Record& record) const {
  Statement first(database, "SELECT place FROM items LEFT JOIN places USING(item) WHERE id = ?1");
  first.bind(0, std::string_view(record.id));
  first.step();
  throw Error(
      ErrorKind::kInvalidArgument,
      fmt::format("{}: the id '{}' is there already ({}); ids must differ: choose another "
                  "column with --id, or drop the duplicates",
                  record.where, record.id, first.text(0).empty() ? "in the atlas" : first.text(0)));
}

void ItemStore::State::set_types(const std::vector<ColumnEvidence>& evidence) {
  for (size_t i = 0; i < columns.size(); ++i) {
    columns[i].type = evidence[i].type();
    const std::string name = sql_column(i);
    // The column has no declared type, so SQLite keeps each value as it came until this.
    database.run(
        fmt::format("UPDATE items SET {0} = CAST({0} AS {1}) WHERE typeof({0}) <> '{2}' AND "
                    "{0} IS NOT NULL",
                    name, sql_type(columns[i].type),
                    columns[i].type == ColumnType::kInteger  ? "integer"
                    : columns[i].type == ColumnType::kNumber ? "real"
                                                             : "text"));
    Statement update(database, "UPDATE columns SET type = ?1 WHERE position = ?2");
    update.bind(0, sql_type(columns[i].type));
    update.bind(1, static_cast<int64_t>(i));
    update.run();
  }
}

size_t ItemStore::State::insert(RecordReader& records, Progress* progress) {
  begin_stage(progress, "reading", records.bytes_total(), "bytes");
  const size_t old_size = size;
  database.run("BEGIN");
  database.run("CREATE TEMP TABLE places(item INTEGER PRIMARY KEY, place TEXT)");
  database.run("CREATE UNIQUE INDEX IF NOT EXISTS items_by_id ON items(id)");
  Statement words(database, "INSERT INTO words(rowid, text) VALUES(?1, ?2)");
  Statement place(database, "INSERT INTO places VALUES(?1, ?2)");
  std::optional<Statement> insert;
  std::vector<ColumnEvidence> evidence(columns.size());
  if (old_size > 0) {  // the types that there are bind the new values too
    for (size_t i = 0; i < columns.size(); ++i) evidence[i] = ColumnEvidence(columns[i].type);
  }
  std::vector<size_t> column_of;  // the reader's column -> ours
  Record record;
  size_t reported = 0;
  while (records.next(record)) {
    const auto& names = records.columns();
    while (column_of.size() < names.size()) {
      const std::string& name = names[column_of.size()];
      column_of.push_back(column_position(name));
      if (column_of.back() == columns.size()) {
        add_column(name);
        evidence.emplace_back();
      }
      insert.reset();
    }
    if (!insert) insert = insert_statement();
    std::vector<Value> values(columns.size());
    for (size_t i = 0; i < record.values.size(); ++i) {
      values[column_of[i]] = std::move(record.values[i]);
    }
    const auto item = static_cast<int64_t>(size);
    insert->bind(0, item);
    insert->bind(1, std::string_view(record.id));
    insert->bind(2, std::string_view(record.text));
    for (size_t i = 0; i < values.size(); ++i) {
      evidence[i].see(values[i]);
      insert->bind(static_cast<int>(i) + 3, values[i]);
    }
    insert->run();
    if (sqlite3_changes(database.get()) == 0) fail_duplicate(record);
    place.bind(0, item);
    place.bind(1, std::string_view(record.where));
    place.run();
    words.bind(0, item);
    words.bind(1, std::string_view(record.text));
    words.run();
    ++size;
    if (size % kItemsPerReport == 0) {
      advance(progress, records.bytes_read() - std::exchange(reported, records.bytes_read()));
    }
  }
  advance(progress, records.bytes_read() - reported);
  set_types(evidence);
  database.run("DROP TABLE temp.places");
  database.run("COMMIT");
  database.run("INSERT INTO words(words) VALUES('optimize')");
  return size - old_size;
}

ItemStore::ItemStore(std::unique_ptr<State> state) : state_(std::move(state)) {}
ItemStore::~ItemStore() = default;
ItemStore::ItemStore(ItemStore&&) noexcept = default;
ItemStore& ItemStore::operator=(ItemStore&&) noexcept = default;

ItemStore ItemStore::create(const fs::path& path, RecordReader& records, Progress* progress) {
  auto state = std::make_unique<State>(path, Database::Mode::kCreate);
  state->create_tables();
  state->insert(records, progress);
  return ItemStore(std::move(state));
}

ItemStore ItemStore::create_empty_texts(const fs::path& path, size_t n_items) {
  auto state = std::make_unique<State>(path, Database::Mode::kCreate);
  state->create_tables();
  state->database.run("CREATE UNIQUE INDEX items_by_id ON items(id)");
  ItemStore store(std::move(state));
  store.append_empty_texts(n_items);
  return store;
}

ItemStore ItemStore::open(const fs::path& path) {
  auto state = std::make_unique<State>(path, Database::Mode::kReadOnly);
  state->load();
  return ItemStore(std::move(state));
}

ItemStore ItemStore::open_for_adding(const fs::path& path) {
  auto state = std::make_unique<State>(path, Database::Mode::kCreate);
  state->database.run("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF");
  state->load();
  return ItemStore(std::move(state));
}

void ItemStore::append_empty_texts(size_t n_items) {
  state_->database.run("BEGIN");
  Statement insert(state_->database, "INSERT INTO items(item, id, text) VALUES(?1, ?2, '')");
  for (size_t i = 0; i < n_items; ++i, ++state_->size) {
    insert.bind(0, static_cast<int64_t>(state_->size));
    insert.bind(1, std::string_view(std::to_string(state_->size)));
    insert.run();
  }
  state_->database.run("COMMIT");
}

size_t ItemStore::append(RecordReader& records, Progress* progress) {
  return state_->insert(records, progress);
}

size_t ItemStore::size() const noexcept { return state_->size; }
std::span<const MetadataColumn> ItemStore::columns() const noexcept { return state_->columns; }

Item ItemStore::item(uint32_t item) const {
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(reader, "SELECT * FROM items WHERE item = ?1");
  read.bind(0, int64_t{item});
  if (!read.step()) {
    throw Error(ErrorKind::kNotFound, fmt::format("there is no item number {}", item));
  }
  Item result{std::string(read.text(1)), std::string(read.text(2)), {}};
  for (size_t i = 0; i < state_->columns.size(); ++i) {
    result.values.push_back(read.value(static_cast<int>(i) + 3));
  }
  return result;
}

std::string ItemStore::id(uint32_t item) const {
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(reader, "SELECT id FROM items WHERE item = ?1");
  read.bind(0, int64_t{item});
  return read.step() ? std::string(read.text(0)) : std::string();
}

std::optional<uint32_t> ItemStore::find(std::string_view id) const {
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(reader, "SELECT item FROM items WHERE id = ?1");
  read.bind(0, id);
  if (!read.step()) return std::nullopt;
  return static_cast<uint32_t>(read.integer(0));
}

std::vector<std::string> ItemStore::texts(size_t first, size_t count) const {
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(reader, "SELECT text FROM items WHERE item >= ?1 AND item < ?2 ORDER BY item");
  read.bind(0, static_cast<int64_t>(first));
  read.bind(1, static_cast<int64_t>(first + count));
  std::vector<std::string> result;
  while (read.step()) result.emplace_back(read.text(0));
  return result;
}

std::vector<Value> ItemStore::values(std::string_view column) const {
  const size_t position = state_->column_position(column);
  if (position == state_->columns.size()) {
    std::string known;
    for (const MetadataColumn& c : state_->columns) known += (known.empty() ? "" : ", ") + c.name;
    throw Error(ErrorKind::kInvalidArgument, fmt::format("there is no column '{}'; there are: {}",
                                                         column, known.empty() ? "none" : known));
  }
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(reader, "SELECT " + sql_column(position) + " FROM items ORDER BY item");
  std::vector<Value> result;
  while (read.step()) result.push_back(read.value(0));
  return result;
}

std::vector<uint32_t> ItemStore::where(std::string_view condition) const {
  const WhereClause clause = parse_where(condition, state_->columns);
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(reader, "SELECT item FROM items WHERE " + clause.sql + " ORDER BY item");
  for (size_t i = 0; i < clause.values.size(); ++i)
    read.bind(static_cast<int>(i), clause.values[i]);
  std::vector<uint32_t> items;
  while (read.step()) items.push_back(static_cast<uint32_t>(read.integer(0)));
  return items;
}

std::vector<LexicalHit> ItemStore::search(std::string_view query, size_t k,
                                          const std::function<bool(uint32_t item)>& accepts) const {
  const std::string expression = match_expression(query);
  if (expression.empty() || k == 0) return {};
  const ReaderPool::Lease reader = state_->readers.lease();
  Statement read(
      reader,
      "SELECT rowid, bm25(words) FROM words WHERE words MATCH ?1 ORDER BY bm25(words), rowid");
  read.bind(0, std::string_view(expression));
  std::vector<LexicalHit> hits;
  while (hits.size() < k && read.step()) {
    const auto item = static_cast<uint32_t>(read.integer(0));
    if (!accepts || accepts(item)) hits.push_back({item, -read.number(1)});
  }
  return hits;
}

std::vector<TextPiece> ItemStore::snippet(std::string_view query, uint32_t item,
                                          size_t max_words) const {
  require(max_words >= 1 && max_words <= 64, "a snippet has 1 to 64 words, not {}", max_words);
  const std::string expression = match_expression(query);
  const ReaderPool::Lease reader = state_->readers.lease();
  std::string marked;
  if (!expression.empty()) {
    Statement read(reader,
                   "SELECT snippet(words, 0, ?1, ?2, '…', ?3) FROM words WHERE words MATCH ?4 AND "
                   "rowid = ?5");
    read.bind(0, kMatchBegin);
    read.bind(1, kMatchEnd);
    read.bind(2, static_cast<int64_t>(max_words));
    read.bind(3, std::string_view(expression));
    read.bind(4, int64_t{item});
    if (read.step()) marked = read.text(0);
  }
  std::vector<TextPiece> pieces;
  if (marked.empty()) {
    Statement read(reader, "SELECT text FROM items WHERE item = ?1");
    read.bind(0, int64_t{item});
    if (read.step()) pieces.push_back({first_words(read.text(0), max_words), false});
    return pieces;
  }
  std::string_view rest = marked;
  for (bool match = false; !rest.empty(); match = !match) {
    const std::string_view mark = match ? kMatchEnd : kMatchBegin;
    const size_t end = std::min(rest.find(mark), rest.size());
    if (end > 0) pieces.push_back({std::string(rest.substr(0, end)), match});
    rest.remove_prefix(std::min(end + mark.size(), rest.size()));
  }
  return pieces;
}

}  // namespace carya
