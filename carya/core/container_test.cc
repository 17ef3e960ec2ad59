#include "carya/core/container.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

namespace carya {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

class ContainerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const std::vector<float> floats = {1, 2, 3};
    const std::vector<uint8_t> bytes = {7};
    ContainerWriter out("test", 3);
    out.add<float>("floats", floats);
    out.add<uint8_t>("bytes", bytes);
    out.add_value<uint64_t>("count", 42);
    out.save(path_);
  }
  void TearDown() override { fs::remove(path_); }
  const fs::path path_ =
      fs::path(testing::TempDir()) / ("carya_container_test.bin" + std::to_string(::getpid()));
};

TEST_F(ContainerTest, GivesBackWhatWasAdded) {
  const Container in = Container::open(path_, "test", 3);
  EXPECT_THAT(in.array<float>("floats"), ElementsAre(1, 2, 3));
  EXPECT_THAT(in.array<uint8_t>("bytes"), ElementsAre(7));
  EXPECT_EQ(in.value<uint64_t>("count"), 42u);
  EXPECT_FALSE(in.has("absent"));
  EXPECT_EQ(reinterpret_cast<uintptr_t>(in.array<float>("floats").data()) % 64, 0u);
}

TEST_F(ContainerTest, PartsAreFilesWithinAFile) {
  const std::vector<float> outer = {1}, first = {2, 3};
  ContainerWriter out("test", 3);
  out.add<float>("values", outer);
  for (uint64_t i = 0; i < 12; ++i) {  // copies move while the file is made
    ContainerWriter part("part", 9);
    part.add<float>("values", first);
    part.add_value("number", i);
    out.add_part("p" + std::to_string(i) + ".", std::move(part));
  }
  out.save(path_);
  const Container in = Container::open(path_, "test", 3);
  EXPECT_THAT(in.array<float>("values"), ElementsAre(1));
  EXPECT_FALSE(in.has("number"));
  for (uint64_t i = 0; i < 12; ++i) {
    const Container part = in.part("p" + std::to_string(i) + ".");
    EXPECT_THAT(part.array<float>("values"), ElementsAre(2, 3));
    EXPECT_EQ(part.value<uint64_t>("number"), i);
    EXPECT_FALSE(part.has("count"));
    EXPECT_EQ(part.path(), path_);
  }
  EXPECT_FALSE(in.part("p12.").has("values"));
}

TEST_F(ContainerTest, RefusesOtherKindsVersionsAndSections) {
  EXPECT_THAT([&] { Container::open(path_, "other", 3); },
              ThrowsMessage<Error>(HasSubstr("holds 'test', not 'other'")));
  EXPECT_THAT([&] { Container::open(path_, "test", 4); },
              ThrowsMessage<Error>(HasSubstr("version 3, this program reads version 4")));
  const Container in = Container::open(path_, "test", 3);
  EXPECT_THAT([&] { in.array<float>("absent"); },
              ThrowsMessage<Error>(HasSubstr("absent is missing")));
  EXPECT_THAT([&] { in.array<float>("bytes"); },
              ThrowsMessage<Error>(HasSubstr("no multiple of 4")));
}

TEST_F(ContainerTest, NoticesEveryTruncationAndEveryFlippedBit) {
  const std::string whole = read_file(path_);
  for (size_t length = 0; length < whole.size(); ++length) {
    write_file(path_, whole.substr(0, length));
    EXPECT_THROW(Container::open(path_, "test", 3), Error) << length;
  }
  size_t unnoticed = 0;
  for (size_t i = 0; i < whole.size(); ++i) {
    std::string damaged = whole;
    damaged[i] = static_cast<char>(damaged[i] ^ 1);
    write_file(path_, damaged);
    try {
      Container::open(path_, "test", 3);
      ++unnoticed;
    } catch (const Error&) {
    }
  }
  // Only the padding between the arrays and the unused ends of the two names in the header are not
  // covered by a checksum.
  const size_t padding = 64 * 4 - (48 + 3 * 48) + (64 - 12) + (64 - 1);
  EXPECT_LE(unnoticed, padding + 24 + 8);
}

TEST_F(ContainerTest, LeavesATailOnAWholePageToItsReader) {
  ContainerWriter out("test", 3);
  const std::vector<uint8_t> bytes(5000, 7);
  out.add<uint8_t>("bytes", bytes);
  out.save(path_, [](AtomicFile& file) { file.write("tail"); });
  const Container in = Container::open(path_, "test", 3);
  EXPECT_EQ(in.array<uint8_t>("bytes").size(), 5000u);
  EXPECT_EQ(in.tail_offset(), 2 * ContainerWriter::kTailAlignment);
  EXPECT_EQ(in.file_bytes(), in.tail_offset() + 4);
  EXPECT_EQ(read_file(path_).substr(in.tail_offset()), "tail");
  std::string damaged = read_file(path_);
  damaged.back() = 'x';
  write_file(path_, damaged);
  Container::open(path_, "test", 3);  // unread, so unharmed
}

}  // namespace
}  // namespace carya
