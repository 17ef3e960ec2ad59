#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace carya {

// The bytes of a file, mapped for reading.  Copies share the mapping; the bytes live as long as one
// of them.
class MappedFile {
 public:
  MappedFile() = default;
  // Throws kNotFound or kIo with the system's reason.  An empty file is an empty span.
  static MappedFile open(const std::filesystem::path& path);
  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
  }
  const std::filesystem::path& path() const noexcept { return path_; }

 private:
  std::shared_ptr<const void> mapping_;
  std::span<const std::byte> bytes_;
  std::filesystem::path path_;
};

// The whole file as a string; for small files and for pipes.  Throws as MappedFile::open.
std::string read_file(const std::filesystem::path& path);

// A file that is there whole or not at all: writes go to a temporary name beside `path`; commit()
// flushes, syncs and renames.  Without commit() the destructor removes it.  Throws kIo with the
// system's reason (disk full, permissions).
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  size_t size() const noexcept { return size_; }
  void commit();

 private:
  std::filesystem::path path_, temporary_;
  int descriptor_ = -1;
  size_t size_ = 0;
  std::string buffer_;
  void flush();
};

// Puts the folder `from` in the place of `to`, which may exist, in one step: readers see the old
// folder or the new one, never a mixture.  The old one is then removed.  Throws kIo.
void replace_folder(const std::filesystem::path& from, const std::filesystem::path& to);

// AtomicFile of one string.
void write_file(const std::filesystem::path& path, std::string_view text);

}  // namespace carya
