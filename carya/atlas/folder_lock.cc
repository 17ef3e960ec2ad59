#include "carya/atlas/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "carya/core/error.h"

namespace carya {

FolderLock::FolderLock(const std::filesystem::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot open the folder: {}", folder.string(),
                                            std::strerror(errno)));
  }
  // A file system without locks (some network ones) is used without.
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    throw Error(ErrorKind::kIo, fmt::format("{}: another carya is at work there; wait for it, or "
                                            "choose another output",
                                            folder.string()));
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace carya
