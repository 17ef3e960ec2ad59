#pragma once

#include <filesystem>

namespace carya {

// Only one carya at a time changes a folder: two would mix their files.  Ends with the process too.
class FolderLock {
 public:
  // Throws kIo if another holds it, or the folder cannot be opened.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

}  // namespace carya
