#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "carya/index/column.h"
#include "carya/index/rows.h"

namespace carya {

constexpr size_t kPageBytes = 4096;

// A posting list in a file, on whole pages (card 162):
//
//   checksum u64 of all that follows, list u32, count u32, zeros up to 64 bytes;
//   rows [count, stride] in a RowFormat; slots u32 [count]; zeros up to the page.
struct PostingLayout {
  size_t stride;  // of a row
  size_t bytes(size_t count) const noexcept { return kHeaderBytes + count * (stride + 4); }
  size_t pages(size_t count) const noexcept {
    return count == 0 ? 0 : (bytes(count) + kPageBytes - 1) / kPageBytes;
  }
  // How many vectors so many pages hold.
  size_t capacity(size_t pages) const noexcept {
    return (pages * kPageBytes - kHeaderBytes) / (stride + 4);
  }
  static constexpr size_t kHeaderBytes = 64;
};

// A list as its pages.  rows [slots.size(), stride] bytes.
std::vector<std::byte> posting_pages(const PostingLayout& layout, uint32_t list,
                                     std::span<const uint32_t> slots,
                                     std::span<const std::byte> rows);

// Where the lists lie: one after the other.  A view of arrays in memory.  8 bytes a list.
class PostingTable {
 public:
  PostingTable() = default;
  // first_page [counts.size() + 1].
  PostingTable(PostingLayout layout, std::span<const uint32_t> first_page,
               std::span<const uint32_t> counts)
      : layout_(layout), first_page_(first_page), counts_(counts) {}
  // Whether the pages are those that the counts need.
  bool is_whole() const noexcept;
  const PostingLayout& layout() const noexcept { return layout_; }
  size_t n_lists() const noexcept { return counts_.size(); }
  std::span<const uint32_t> counts() const noexcept { return counts_; }
  size_t first_page(size_t list) const noexcept { return first_page_[list]; }
  size_t n_bytes() const noexcept {
    return first_page_.empty() ? 0 : size_t{first_page_.back()} * kPageBytes;
  }

 private:
  PostingLayout layout_{};
  std::span<const uint32_t> first_page_, counts_;
};

// Whether lists that were read stay in the system's memory.
enum class PostingCache {
  kSystem,  // as files do: they are read faster next time, while there is memory
  kNone,    // O_DIRECT: each search asks the device.  Throws kIo where the system cannot
};

struct Posting {
  uint32_t list;
  std::span<const uint32_t> slots;  // [count]
  const std::byte* rows;            // [count, stride]
};

// Reads lists from the file.  Safe to use from many threads.
class PostingReader {
 public:
  // The lists begin at `offset`, a multiple of kPageBytes.  Throws kNotFound, kIo.
  PostingReader(const std::filesystem::path& path, size_t offset, PostingCache cache);
  ~PostingReader();
  PostingReader(const PostingReader&) = delete;
  PostingReader& operator=(const PostingReader&) = delete;

  // Hands each list to `visit`, by rising number; neighbours in the file come in one read, and all
  // reads of a batch are under way together.  lists: without repeats.  The number of bytes read.
  // Throws kCorrupt if a list is damaged or holds a slot >= n_slots, kIo.
  size_t read(const PostingTable& table, std::span<const uint32_t> lists, size_t n_slots,
              const std::function<void(const Posting&)>& visit) const;
  // The bytes as they are, block after block.
  void copy(size_t n_bytes, const std::function<void(std::span<const std::byte>)>& write) const;
  // Drops the lists from the system's memory, as if they had never been read: to measure.
  void forget() const;

 private:
  class Buffer;
  struct Run {                 // of lists that lie side by side
    size_t page, n_pages, at;  // at: bytes in the buffer
  };
  std::unique_ptr<Buffer> take_buffer() const;
  void give_back(std::unique_ptr<Buffer> buffer) const;
  void read_at(size_t offset, std::span<std::byte> bytes) const;
  void read_runs(std::span<const Run> runs, std::byte* buffer) const;
  [[noreturn]] void fail(size_t list, const char* reason) const;

  std::filesystem::path path_;
  size_t offset_;
  PostingCache cache_;
  int descriptor_ = -1;
  mutable std::mutex mutex_;  // of the buffers
  mutable std::vector<std::unique_ptr<Buffer>> buffers_;
};

}  // namespace carya
