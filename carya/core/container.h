#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"

namespace carya {

// Carya's binary file: named arrays, each 64-byte aligned and with its checksum, to be used where
// they lie in the mapped file.  Little-endian.
//
//   magic "CARYABIN", kind char[24], version u32, n_sections u32, checksum of the table u64, then
//   per section name char[24], offset u64, bytes u64, checksum u64 (XXH3); then the arrays.
//
//   ContainerWriter out("hnsw", 1);
//   out.add<float>("vectors", vectors);
//   out.save("index.bin");
//   Container in = Container::open("index.bin", "hnsw", 1);
//   std::span<const float> vectors = in.array<float>("vectors");
class ContainerWriter {
 public:
  // kind and section names: up to 24 characters.
  ContainerWriter(std::string kind, uint32_t version) : kind_(std::move(kind)), version_(version) {}
  // `values` must live until save().
  template <class T>
  void add(std::string name, std::span<const T> values) {
    static_assert(std::is_trivially_copyable_v<T>);
    sections_.push_back({std::move(name), std::as_bytes(values)});
  }
  // One plain struct; copied.  Zero its padding, or files differ from run to run.
  template <class T>
  void add_value(std::string name, const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    const auto bytes = std::as_bytes(std::span(&value, 1));
    add_copy(std::move(name), {bytes.begin(), bytes.end()});
  }
  void add_copy(std::string name, std::vector<std::byte> bytes);
  // All sections of `part`, whose kind and version are not kept, as prefix + name: a file within
  // this one, see Container::part.
  void add_part(const std::string& prefix, ContainerWriter part);
  // Atomic.  Throws kIo.  `tail` may write more behind the arrays, from a multiple of
  // kTailAlignment on: bulk that Container::open() neither reads nor checks, so its reader must.
  void save(const std::filesystem::path& path,
            const std::function<void(AtomicFile&)>& tail = nullptr) const;
  static constexpr size_t kTailAlignment = 4096;

 private:
  struct Section {
    std::string name;
    std::span<const std::byte> bytes;
  };
  std::string kind_;
  uint32_t version_;
  std::vector<Section> sections_;
  std::vector<std::vector<std::byte>> copies_;
};

class Container {
 public:
  // Maps the file and checks magic, kind, version, bounds and all checksums, so that a truncated,
  // damaged or foreign file is Error{kCorrupt} here and the arrays can be trusted to be what was
  // written.  O(bytes), at memory speed.
  static Container open(const std::filesystem::path& path, std::string_view kind, uint32_t version);
  bool has(std::string_view name) const { return sections_.contains(name); }
  // The sections whose names begin with `prefix`, under the rest of their names; none if there are
  // none.  It shares the mapping.
  Container part(std::string_view prefix) const;
  // Throws kCorrupt if there is no such array or its size is no multiple of T's.
  template <class T>
  std::span<const T> array(std::string_view name) const {
    static_assert(std::is_trivially_copyable_v<T> && alignof(T) <= 64);
    const std::span<const std::byte> bytes = section(name, sizeof(T));
    return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
  }
  template <class T>
  T value(std::string_view name) const {
    const std::span<const T> values = array<T>(name);
    if (values.size() != 1)
      fail(fmt::format("section {} has {} values, not 1", name, values.size()));
    return values[0];
  }
  const std::filesystem::path& path() const noexcept { return file_.path(); }
  // Where the tail begins: the bytes before it are what open() has read.
  size_t tail_offset() const noexcept { return tail_offset_; }
  size_t file_bytes() const noexcept { return file_.bytes().size(); }
  // Throws kCorrupt with the file's name: for readers that find the content inconsistent.
  [[noreturn]] void fail(const std::string& reason) const;

 private:
  std::span<const std::byte> section(std::string_view name, size_t element_bytes) const;
  MappedFile file_;
  size_t tail_offset_ = 0;
  std::map<std::string, std::span<const std::byte>, std::less<>> sections_;
};

// XXH3 of the bytes: for checksums, not for secrets.
uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace carya
