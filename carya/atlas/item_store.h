#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carya/atlas/column_type.h"
#include "carya/core/progress.h"
#include "carya/io/record_reader.h"

namespace carya {

struct Item {
  std::string id, text;
  std::vector<Value> values;  // one per column
};

// A part of a text: one of a query's words (match), or what is between them.
struct TextPiece {
  std::string text;
  bool match = false;
  bool operator==(const TextPiece&) const = default;
};

struct LexicalHit {
  uint32_t item;
  double score;  // BM25, larger = better
};

// The items of an atlas: texts, ids and typed metadata in one SQLite file with a full-text index
// (FTS5, Porter stems).  Items are numbered 0 .. size()-1 in the order of the input.  Many threads
// may read at once (each on a connection of its own); one at a time may add, while none reads.
class ItemStore {
 public:
  // Reads all records into a new file, in memory bounded by SQLite's cache.  A column of texts that
  // are all integers or all numbers becomes one.  Throws kInvalidArgument on an id that occurs
  // twice (naming both places), and what the reader throws.
  static ItemStore create(const std::filesystem::path& path, RecordReader& records,
                          Progress* progress = nullptr);
  // The same without texts, for vectors: ids 0 .. n-1.
  static ItemStore create_empty_texts(const std::filesystem::path& path, size_t n_items);
  // Throws kNotFound, kCorrupt.
  static ItemStore open(const std::filesystem::path& path);
  // The same, for append().  A crash leaves the file unusable: work on a copy.
  static ItemStore open_for_adding(const std::filesystem::path& path);
  // Adds items; columns that it lacks are added, an integer column to which other numbers come
  // becomes one of numbers, and so on.  Returns the number of new items.
  size_t append(RecordReader& records, Progress* progress = nullptr);
  void append_empty_texts(size_t n_items);  // ids go on

  ~ItemStore();
  ItemStore(ItemStore&&) noexcept;
  ItemStore& operator=(ItemStore&&) noexcept;

  size_t size() const noexcept;
  std::span<const MetadataColumn> columns() const noexcept;
  Item item(uint32_t item) const;  // item < size()
  std::string id(uint32_t item) const;
  std::optional<uint32_t> find(std::string_view id) const;
  // The texts of items first .. first + count - 1.
  std::vector<std::string> texts(size_t first, size_t count) const;
  // The values of a column, one per item.
  std::vector<Value> values(std::string_view column) const;
  // The items that meet a condition (see where.h), rising.
  std::vector<uint32_t> where(std::string_view condition) const;
  // The k best texts by BM25 that have at least one of the query's words, best first, equal scores
  // by rising item; of those that `accepts` lets pass, if it is given.  Any text is a valid query;
  // one without words has no hits.
  std::vector<LexicalHit> search(std::string_view query, size_t k,
                                 const std::function<bool(uint32_t item)>& accepts = {}) const;
  // About max_words (<= 64) words of an item's text around those of the query, in any inflection;
  // its beginning where it has none of them.  An ellipsis stands for what is left out.
  std::vector<TextPiece> snippet(std::string_view query, uint32_t item,
                                 size_t max_words = 40) const;

 private:
  struct State;
  explicit ItemStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace carya
