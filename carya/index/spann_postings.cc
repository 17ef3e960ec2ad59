#include "carya/index/spann_postings.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "carya/core/container.h"
#include "carya/core/parallel.h"

namespace carya {
namespace {

// Lists that are read before any is compared: some hundred, so that memory is bounded where a
// search reads the whole file.
constexpr size_t kBatchBytes = size_t{4} << 20;

struct PostingHeader {
  uint64_t checksum = 0;
  uint32_t list = 0, count = 0;
};
static_assert(sizeof(PostingHeader) <= PostingLayout::kHeaderBytes);

uint64_t checksum_of(const PostingLayout& layout, const std::byte* pages, size_t count) {
  return checksum({pages + sizeof(uint64_t), layout.bytes(count) - sizeof(uint64_t)});
}

}  // namespace

// Memory on pages, as O_DIRECT wants it.
class PostingReader::Buffer {
 public:
  ~Buffer() { release(); }
  Buffer() = default;
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  std::byte* reserve(size_t bytes) {
    if (bytes > capacity_) {
      release();
      data_ = static_cast<std::byte*>(::operator new(bytes, std::align_val_t{kPageBytes}));
      capacity_ = bytes;
    }
    return data_;
  }

 private:
  void release() { ::operator delete(data_, std::align_val_t{kPageBytes}); }
  std::byte* data_ = nullptr;
  size_t capacity_ = 0;
};

std::vector<std::byte> posting_pages(const PostingLayout& layout, uint32_t list,
                                     std::span<const uint32_t> slots,
                                     std::span<const std::byte> rows) {
  CARYA_ASSERT(rows.size() == slots.size() * layout.stride);
  std::vector<std::byte> pages(layout.pages(slots.size()) * kPageBytes);
  if (slots.empty()) return pages;
  PostingHeader header{.list = list, .count = static_cast<uint32_t>(slots.size())};
  const auto write = [&] { std::memcpy(pages.data(), &header, sizeof(header)); };
  write();
  std::byte* const at = pages.data() + PostingLayout::kHeaderBytes;
  std::memcpy(at, rows.data(), rows.size());
  std::memcpy(at + rows.size(), slots.data(), slots.size_bytes());
  header.checksum = checksum_of(layout, pages.data(), slots.size());
  write();
  return pages;
}

bool PostingTable::is_whole() const noexcept {
  if (first_page_.size() != counts_.size() + 1 || first_page_[0] != 0) return false;
  for (size_t list = 0; list < counts_.size(); ++list) {
    if (first_page_[list + 1] < first_page_[list] ||
        first_page_[list + 1] - first_page_[list] != layout_.pages(counts_[list])) {
      return false;
    }
  }
  return true;
}

PostingReader::PostingReader(const std::filesystem::path& path, size_t offset, PostingCache cache)
    : path_(path), offset_(offset), cache_(cache) {
  const int flags = O_RDONLY | O_CLOEXEC | (cache == PostingCache::kNone ? O_DIRECT : 0);
  descriptor_ = ::open(path.c_str(), flags);
  if (descriptor_ < 0) {
    throw Error(errno == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
                fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno)));
  }
  // The kernel would read neighbours that no search has asked for.
  ::posix_fadvise(descriptor_, 0, 0, POSIX_FADV_RANDOM);
}

PostingReader::~PostingReader() { ::close(descriptor_); }

std::unique_ptr<PostingReader::Buffer> PostingReader::take_buffer() const {
  const std::lock_guard lock(mutex_);
  if (buffers_.empty()) return std::make_unique<Buffer>();
  std::unique_ptr<Buffer> buffer = std::move(buffers_.back());
  buffers_.pop_back();
  return buffer;
}

void PostingReader::give_back(std::unique_ptr<Buffer> buffer) const {
  const std::lock_guard lock(mutex_);
  buffers_.push_back(std::move(buffer));
}

void PostingReader::fail(size_t list, const char* reason) const {
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: list {} {}: build the index again", path_.string(), list, reason));
}

void PostingReader::read_at(size_t offset, std::span<std::byte> bytes) const {
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::pread(descriptor_, bytes.data() + done, bytes.size() - done,
                              static_cast<off_t>(offset_ + offset + done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: cannot read: {}", path_.string(), std::strerror(errno)));
    }
    if (n == 0) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: it is truncated: build the index again", path_.string()));
    }
    done += static_cast<size_t>(n);
  }
}

void PostingReader::read_runs(std::span<const Run> runs, std::byte* buffer) const {
  const auto read = [&](const Run& run) {
    read_at(run.page * kPageBytes, {buffer + run.at, run.n_pages * kPageBytes});
  };
  if (cache_ == PostingCache::kNone) {
    parallel_for(0, runs.size(), 1, [&](size_t i, size_t) { read(runs[i]); });
    return;
  }
  // The kernel fetches all of them at once while we wait for the first.
  for (const Run& run : runs) {
    ::posix_fadvise(descriptor_, static_cast<off_t>(offset_ + run.page * kPageBytes),
                    static_cast<off_t>(run.n_pages * kPageBytes), POSIX_FADV_WILLNEED);
  }
  for (const Run& run : runs) read(run);
}

size_t PostingReader::read(const PostingTable& table, std::span<const uint32_t> lists,
                           size_t n_slots, const std::function<void(const Posting&)>& visit) const {
  std::vector<uint32_t> order;
  for (const uint32_t list : lists) {
    if (table.counts()[list] > 0) order.push_back(list);
  }
  std::ranges::sort(order);
  const PostingLayout& layout = table.layout();
  std::unique_ptr<Buffer> buffer = take_buffer();
  size_t n_bytes = 0;
  for (size_t first = 0; first < order.size();) {
    std::vector<Run> runs;
    std::vector<size_t> at;  // of each list, in the buffer
    size_t bytes = 0, last = first;
    for (; last < order.size() && (last == first || bytes < kBatchBytes); ++last) {
      const size_t page = table.first_page(order[last]);
      const size_t n_pages = layout.pages(table.counts()[order[last]]);
      at.push_back(bytes);
      if (!runs.empty() && runs.back().page + runs.back().n_pages == page) {
        runs.back().n_pages += n_pages;
      } else {
        runs.push_back({page, n_pages, bytes});
      }
      bytes += n_pages * kPageBytes;
    }
    std::byte* const pages = buffer->reserve(bytes);
    read_runs(runs, pages);
    n_bytes += bytes;
    for (size_t i = first; i < last; ++i) {
      const uint32_t list = order[i];
      const size_t count = table.counts()[list];
      const std::byte* const begin = pages + at[i - first];
      PostingHeader header;
      std::memcpy(&header, begin, sizeof(header));
      if (header.checksum != checksum_of(layout, begin, count)) {
        fail(list, "is damaged (checksum differs)");
      }
      if (header.list != list || header.count != count) fail(list, "is not where it should be");
      const std::byte* const rows = begin + PostingLayout::kHeaderBytes;
      const std::span slots(reinterpret_cast<const uint32_t*>(rows + count * layout.stride), count);
      if (std::ranges::any_of(slots, [&](uint32_t slot) { return slot >= n_slots; })) {
        fail(list, "names an item that is not there");
      }
      visit({list, slots, rows});
    }
    first = last;
  }
  give_back(std::move(buffer));
  return n_bytes;
}

void PostingReader::copy(size_t n_bytes,
                         const std::function<void(std::span<const std::byte>)>& write) const {
  std::unique_ptr<Buffer> buffer = take_buffer();
  for (size_t done = 0; done < n_bytes; done += kBatchBytes) {
    const size_t n = std::min(kBatchBytes, n_bytes - done);
    const std::span<std::byte> bytes(buffer->reserve(n), n);
    read_at(done, bytes);
    write(bytes);
  }
  give_back(std::move(buffer));
}

void PostingReader::forget() const {
  ::posix_fadvise(descriptor_, static_cast<off_t>(offset_), 0, POSIX_FADV_DONTNEED);
}

}  // namespace carya
