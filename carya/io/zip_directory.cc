#include "carya/io/zip_directory.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>

#include "carya/core/error.h"

namespace carya {

namespace {

constexpr uint32_t kEntry = 0x02014b50, kLocal = 0x04034b50, kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr size_t kEndBytes = 22, kEntryBytes = 46, kLocalBytes = 30, kLocatorBytes = 20;
constexpr size_t kMaxComment = 65535;

// The file with its name, and reads that fail beyond its end.
struct Reader {
  std::span<const std::byte> bytes;
  const std::string& name;

  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", name, reason));
  }
  std::span<const std::byte> part(uint64_t offset, uint64_t size) const {
    if (offset > bytes.size() || size > bytes.size() - offset) {
      fail("the zip file is truncated or damaged");
    }
    return bytes.subspan(offset, size);
  }
  template <class T>
  T read(uint64_t offset) const {
    T value;
    std::memcpy(&value, part(offset, sizeof(T)).data(), sizeof(T));
    return value;
  }
};

struct Directory {
  uint64_t n_entries, offset;
};

Directory find_directory(const Reader& in) {
  const size_t n = in.bytes.size();
  for (size_t back = kEndBytes; back <= std::min(n, kEndBytes + kMaxComment); ++back) {
    const uint64_t end = n - back;
    if (in.read<uint32_t>(end) != kEnd) continue;
    if (end >= kLocatorBytes && in.read<uint32_t>(end - kLocatorBytes) == kLocator64) {
      const auto end64 = in.read<uint64_t>(end - kLocatorBytes + 8);
      if (in.read<uint32_t>(end64) != kEnd64) in.fail("the zip64 record is damaged");
      return {in.read<uint64_t>(end64 + 32), in.read<uint64_t>(end64 + 48)};
    }
    return {in.read<uint16_t>(end + 10), in.read<uint32_t>(end + 16)};
  }
  in.fail("the end of the zip file is missing: truncated?");
}

// Sizes of 2^32 - 1 stand for one of 8 bytes in the extra field 1, in the order of the header.
struct Sizes {
  uint64_t uncompressed, compressed, offset;
};
Sizes read_sizes(const Reader& in, uint64_t entry, size_t extra_at, size_t extra_size) {
  Sizes sizes{in.read<uint32_t>(entry + 24), in.read<uint32_t>(entry + 20),
              in.read<uint32_t>(entry + 42)};
  for (size_t i = 0; i + 4 <= extra_size;) {
    const auto id = in.read<uint16_t>(extra_at + i);
    const size_t size = in.read<uint16_t>(extra_at + i + 2);
    if (size > extra_size - i - 4) break;
    if (id == 1) {
      size_t at = 0;
      for (uint64_t* value : {&sizes.uncompressed, &sizes.compressed, &sizes.offset}) {
        if (*value != 0xffffffffu || at + 8 > size) continue;
        *value = in.read<uint64_t>(extra_at + i + 4 + at);
        at += 8;
      }
    }
    i += 4 + size;
  }
  return sizes;
}

}  // namespace

std::map<std::string, std::span<const std::byte>, std::less<>> parse_zip(
    std::span<const std::byte> file, const std::string& name) {
  const Reader in{file, name};
  const Directory directory = find_directory(in);
  std::map<std::string, std::span<const std::byte>, std::less<>> entries;
  uint64_t entry = directory.offset;
  for (uint64_t i = 0; i < directory.n_entries; ++i) {
    if (in.read<uint32_t>(entry) != kEntry) in.fail("the zip directory is damaged");
    const size_t name_size = in.read<uint16_t>(entry + 28);
    const size_t extra_size = in.read<uint16_t>(entry + 30);
    const auto text = in.part(entry + kEntryBytes, name_size + extra_size).first(name_size);
    const std::string key(reinterpret_cast<const char*>(text.data()), name_size);
    const Sizes sizes = read_sizes(in, entry, entry + kEntryBytes + name_size, extra_size);
    if (in.read<uint16_t>(entry + 10) != 0) {
      in.fail(fmt::format("entry {} is compressed; save the file without compression", key));
    }
    if (in.read<uint32_t>(sizes.offset) != kLocal) in.fail("a zip entry is damaged");
    // After the name in the local header comes an extra field of its own length.
    const uint64_t data = kLocalBytes + in.read<uint16_t>(sizes.offset + 26) +
                          uint64_t{in.read<uint16_t>(sizes.offset + 28)};
    const auto content = in.part(sizes.offset, data).size();
    entries[key] = in.part(sizes.offset + content, sizes.uncompressed);
    entry += kEntryBytes + name_size + extra_size + in.read<uint16_t>(entry + 32);
  }
  return entries;
}

}  // namespace carya
