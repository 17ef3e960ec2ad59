#include "carya/core/file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <string>

#include "carya/core/error.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class FileTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  size_t n_files() const {
    return static_cast<size_t>(std::distance(fs::directory_iterator(folder_), {}));
  }
  const fs::path folder_ =
      fs::path(testing::TempDir()) / ("carya_file_test" + std::to_string(::getpid()));
};

TEST_F(FileTest, WhatIsWrittenIsRead) {
  const std::string text(3'000'000, 'x');
  write_file(folder_ / "a", text);
  EXPECT_EQ(MappedFile::open(folder_ / "a").text(), text);
  EXPECT_EQ(read_file(folder_ / "a"), text);
  write_file(folder_ / "a", "");
  EXPECT_TRUE(MappedFile::open(folder_ / "a").bytes().empty());
}

TEST_F(FileTest, WithoutCommitNothingIsLeftAndTheOldFileStays) {
  write_file(folder_ / "a", "old");
  {
    AtomicFile file(folder_ / "a");
    file.write("new");
  }
  EXPECT_EQ(read_file(folder_ / "a"), "old");
  EXPECT_EQ(n_files(), 1u);
}

TEST_F(FileTest, ErrorsNameTheFileAndTheReason) {
  EXPECT_THAT([&] { MappedFile::open(folder_ / "absent"); },
              ThrowsMessage<Error>(AllOf(HasSubstr("absent"), HasSubstr("No such file"))));
  EXPECT_THAT([&] { MappedFile::open(folder_); }, ThrowsMessage<Error>(HasSubstr("not a regular")));
  EXPECT_THAT([&] { write_file(folder_ / "no" / "a", "x"); },
              ThrowsMessage<Error>(HasSubstr("No such file")));
}

TEST_F(FileTest, AFolderIsReplacedAsAWhole) {
  fs::create_directories(folder_ / "new");
  write_file(folder_ / "new" / "a", "1");
  replace_folder(folder_ / "new", folder_ / "place");
  EXPECT_EQ(read_file(folder_ / "place" / "a"), "1");
  fs::create_directories(folder_ / "new");
  write_file(folder_ / "new" / "b", "2");
  replace_folder(folder_ / "new", folder_ / "place");
  EXPECT_EQ(read_file(folder_ / "place" / "b"), "2");
  EXPECT_FALSE(fs::exists(folder_ / "place" / "a"));
  EXPECT_EQ(n_files(), 1u);
}

TEST_F(FileTest, AFullDiskLeavesNothingHalfWritten) {
  std::signal(SIGXFSZ, SIG_IGN);  // so that the limit shows as EFBIG, as ENOSPC would
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit small{1 << 16, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_THAT([&] { write_file(folder_ / "a", std::string(1 << 20, 'x')); },
              ThrowsMessage<Error>(HasSubstr("cannot write")));
  ::setrlimit(RLIMIT_FSIZE, &old);
  EXPECT_EQ(n_files(), 0u);
}

}  // namespace
}  // namespace carya
