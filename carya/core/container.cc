#include "carya/core/container.h"

#include <xxhash.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace carya {
namespace {

constexpr size_t kAlignment = 64;
constexpr std::string_view kMagic = "CARYABIN";
constexpr size_t kNameBytes = 24;

struct Header {
  std::array<char, 8> magic{};
  std::array<char, kNameBytes> kind{};
  uint32_t version = 0;
  uint32_t n_sections = 0;
  uint64_t table_checksum = 0;
};
struct Entry {
  std::array<char, kNameBytes> name{};
  uint64_t offset = 0, bytes = 0, checksum = 0;
};
static_assert(sizeof(Header) == 48 && sizeof(Entry) == 48);

template <size_t n>
void set_name(std::array<char, n>& to, std::string_view from) {
  CARYA_ASSERT(from.size() <= n);
  std::ranges::copy(from, to.begin());
}
template <size_t n>
std::string_view name_of(const std::array<char, n>& name) {
  return {name.data(), ::strnlen(name.data(), n)};
}
size_t aligned(size_t offset, size_t to = kAlignment) { return (offset + to - 1) / to * to; }

}  // namespace

uint64_t checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

void ContainerWriter::add_copy(std::string name, std::vector<std::byte> bytes) {
  copies_.push_back(std::move(bytes));
  sections_.push_back({std::move(name), copies_.back()});
}

void ContainerWriter::add_part(const std::string& prefix, ContainerWriter part) {
  for (Section& section : part.sections_) {
    sections_.push_back({prefix + section.name, section.bytes});
  }
  // The bytes of the copies stay where they are.
  for (std::vector<std::byte>& copy : part.copies_) copies_.push_back(std::move(copy));
}

void ContainerWriter::save(const std::filesystem::path& path,
                           const std::function<void(AtomicFile&)>& tail) const {
  std::vector<Entry> table(sections_.size());
  size_t offset = sizeof(Header) + table.size() * sizeof(Entry);
  for (size_t i = 0; i < table.size(); ++i) {
    offset = aligned(offset);
    set_name(table[i].name, sections_[i].name);
    table[i].offset = offset;
    table[i].bytes = sections_[i].bytes.size();
    table[i].checksum = checksum(sections_[i].bytes);
    offset += table[i].bytes;
  }
  Header header;
  set_name(header.magic, kMagic);
  set_name(header.kind, kind_);
  header.version = version_;
  header.n_sections = static_cast<uint32_t>(table.size());
  header.table_checksum = checksum(std::as_bytes(std::span(table)));

  AtomicFile file(path);
  file.write(std::as_bytes(std::span(&header, 1)));
  file.write(std::as_bytes(std::span(table)));
  for (size_t i = 0; i < table.size(); ++i) {
    file.write(std::string(table[i].offset - file.size(), '\0'));
    file.write(sections_[i].bytes);
  }
  if (tail) {
    file.write(std::string(aligned(file.size(), kTailAlignment) - file.size(), '\0'));
    tail(file);
  }
  file.commit();
}

Container Container::open(const std::filesystem::path& path, std::string_view kind,
                          uint32_t version) {
  Container container;
  container.file_ = MappedFile::open(path);
  const std::span<const std::byte> bytes = container.file_.bytes();
  Header header;
  if (bytes.size() < sizeof(header)) container.fail("it is truncated");
  std::memcpy(&header, bytes.data(), sizeof(header));
  if (name_of(header.magic) != kMagic) container.fail("it is not a file of Carya's");
  if (name_of(header.kind) != kind) {
    container.fail(fmt::format("it holds '{}', not '{}'", name_of(header.kind), kind));
  }
  if (header.version != version) {
    container.fail(fmt::format("it has version {}, this program reads version {}: build it again",
                               header.version, version));
  }
  if (header.n_sections > (bytes.size() - sizeof(Header)) / sizeof(Entry)) {
    container.fail("it is truncated");
  }
  const auto table_bytes = bytes.subspan(sizeof(Header), header.n_sections * sizeof(Entry));
  if (checksum(table_bytes) != header.table_checksum) container.fail("its table is damaged");
  size_t end = sizeof(Header) + table_bytes.size();
  for (size_t i = 0; i < header.n_sections; ++i) {
    Entry entry;
    std::memcpy(&entry, table_bytes.data() + i * sizeof(Entry), sizeof(Entry));
    if (entry.offset % kAlignment != 0 || entry.offset > bytes.size() ||
        entry.bytes > bytes.size() - entry.offset) {
      container.fail("it is truncated");
    }
    const auto section = bytes.subspan(entry.offset, entry.bytes);
    const std::string name(name_of(entry.name));
    if (checksum(section) != entry.checksum) {
      container.fail(fmt::format("section {} is damaged (checksum differs)", name));
    }
    container.sections_.emplace(name, section);
    end = std::max(end, entry.offset + entry.bytes);
  }
  container.tail_offset_ = aligned(end, ContainerWriter::kTailAlignment);
  return container;
}

Container Container::part(std::string_view prefix) const {
  Container part;
  part.file_ = file_;
  for (auto at = sections_.lower_bound(prefix);
       at != sections_.end() && at->first.starts_with(prefix); ++at) {
    part.sections_.emplace(at->first.substr(prefix.size()), at->second);
  }
  return part;
}

std::span<const std::byte> Container::section(std::string_view name, size_t element_bytes) const {
  const auto found = sections_.find(name);
  if (found == sections_.end()) fail(fmt::format("section {} is missing", name));
  if (found->second.size() % element_bytes != 0) {
    fail(fmt::format("section {} has {} bytes, no multiple of {}", name, found->second.size(),
                     element_bytes));
  }
  return found->second;
}

void Container::fail(const std::string& reason) const {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", path().string(), reason));
}

}  // namespace carya
