#include "carya/core/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "carya/core/error.h"

namespace carya {
namespace {

constexpr size_t kBufferBytes = size_t{1} << 20;  // one system call a MiB

[[noreturn]] void throw_system_error(const std::filesystem::path& path, const char* action) {
  const int code = errno;
  throw Error(code == ENOENT ? ErrorKind::kNotFound : ErrorKind::kIo,
              fmt::format("{}: cannot {}: {}", path.string(), action, std::strerror(code)));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : fd_(::open(path.c_str(), flags | O_CLOEXEC)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

void sync(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0 || ::fsync(file.get()) != 0) throw_system_error(path, "sync");
}

}  // namespace

MappedFile MappedFile::open(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0) throw_system_error(path, "open");
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) throw_system_error(path, "read its size");
  if (!S_ISREG(status.st_mode)) {
    throw Error(ErrorKind::kIo, fmt::format("{}: is not a regular file", path.string()));
  }
  MappedFile mapped;
  mapped.path_ = path;
  const auto size = static_cast<size_t>(status.st_size);
  if (size == 0) return mapped;
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (address == MAP_FAILED) throw_system_error(path, "map");
  mapped.mapping_ = std::shared_ptr<const void>(
      address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  mapped.bytes_ = {static_cast<const std::byte*>(address), size};
  return mapped;
}

std::string read_file(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  if (file.get() < 0) throw_system_error(path, "open");
  std::string text;
  for (;;) {
    const size_t old_size = text.size();
    text.resize(old_size + kBufferBytes);
    const ssize_t n = ::read(file.get(), text.data() + old_size, kBufferBytes);
    text.resize(old_size + static_cast<size_t>(n > 0 ? n : 0));
    if (n == 0) return text;
    if (n < 0 && errno != EINTR) throw_system_error(path, "read");
  }
}

AtomicFile::AtomicFile(std::filesystem::path path)
    : path_(std::move(path)), temporary_(path_.string() + ".tmp-XXXXXX") {
  std::string name = temporary_.string();
  descriptor_ = ::mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0) throw_system_error(path_, "write");
  temporary_ = name;
  ::fchmod(descriptor_, 0644);
}

AtomicFile::~AtomicFile() {
  if (descriptor_ < 0) return;
  ::close(descriptor_);
  ::unlink(temporary_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  buffer_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  size_ += bytes.size();
  if (buffer_.size() >= kBufferBytes) flush();
}

void AtomicFile::flush() {
  for (size_t done = 0; done < buffer_.size();) {
    const ssize_t n = ::write(descriptor_, buffer_.data() + done, buffer_.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw_system_error(path_, "write");
    done += static_cast<size_t>(n);
  }
  buffer_.clear();
}

void AtomicFile::commit() {
  flush();
  if (::fsync(descriptor_) != 0) throw_system_error(path_, "sync");
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) throw_system_error(path_, "write");
  ::close(std::exchange(descriptor_, -1));
}

void replace_folder(const std::filesystem::path& from, const std::filesystem::path& to) {
  // All bytes are on the disk before the name is, or a loss of power could leave the name alone.
  for (const auto& entry : std::filesystem::directory_iterator(from)) sync(entry.path());
  sync(from);
  if (!std::filesystem::exists(to)) {
    if (::rename(from.c_str(), to.c_str()) != 0) throw_system_error(to, "move the new folder to");
    return;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) != 0) {
    throw_system_error(to, "replace");
  }
  std::error_code ignored;  // the new folder is in place; what is left of the old one does no harm
  std::filesystem::remove_all(from, ignored);
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace carya
