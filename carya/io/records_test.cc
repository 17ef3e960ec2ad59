#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/record_reader.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::ThrowsMessage;

class RecordsTest : public ::testing::Test {
 protected:
  void SetUp() override { fs::create_directories(folder_); }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path file(const std::string& name, std::string_view text) const {
    write_file(folder_ / name, text);
    return folder_ / name;
  }
  static std::vector<Record> read(RecordReader& reader) {
    std::vector<Record> records;
    Record record;
    while (reader.next(record)) records.push_back(record);
    EXPECT_EQ(reader.bytes_read(), reader.bytes_total());
    return records;
  }
  std::vector<Record> read(const fs::path& path, const ReadOptions& options = {}) const {
    return read(*open_records(path, options));
  }
  const fs::path folder_ =
      fs::path(testing::TempDir()) / ("carya_records_test" + std::to_string(::getpid()));
};

TEST_F(RecordsTest, LinesAreItemsAndBlankOnesAreNot) {
  const auto records = read(file("a.txt", "one\r\n\n  \ntwo\xFF\nthree"));
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[0].text, "one");
  EXPECT_EQ(records[1].text, "two\xEF\xBF\xBD");
  EXPECT_EQ(records[1].id, "2");
  EXPECT_THAT(records[1].where, HasSubstr("a.txt:4"));
}

TEST_F(RecordsTest, ALineMayBeTenMegabytes) {
  const auto records = read(file("a.txt", std::string(10'000'000, 'x') + "\nshort"));
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].text.size(), 10'000'000u);
}

TEST_F(RecordsTest, AFolderIsReadInOrderWithoutHiddenAndBinaryFiles) {
  fs::create_directories(folder_ / "in" / "sub");
  fs::create_directories(folder_ / "in" / ".git");
  file("in/b.txt", "bee");
  file("in/sub/a.md", "ay");
  file("in/.hidden", "no");
  file("in/.git/config", "no");
  file("in/c.bin", std::string_view("\0\1", 2));
  const auto records = read(folder_ / "in");
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id, "b.txt");
  EXPECT_EQ(records[1].id, "sub/a.md");
  EXPECT_EQ(records[1].text, "ay");
}

TEST_F(RecordsTest, CsvColumnsBecomeTextIdAndValues) {
  const auto path = file("a.csv", "key,title,body,size\nk1,T,B,7\nk2,U,,\n");
  const auto reader = open_records(path, {.text_columns = {"title", "body"}, .id_column = "key"});
  EXPECT_THAT(reader->columns(), ElementsAre("size"));
  const auto records = read(*reader);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0].id, "k1");
  EXPECT_EQ(records[0].text, "T: B");
  EXPECT_EQ(records[0].values[0], Value("7"));
  EXPECT_EQ(records[1].text, "U");
  EXPECT_EQ(records[1].values[0], Value());
}

TEST_F(RecordsTest, CsvMistakesSayWhatAndWhere) {
  EXPECT_THAT(
      [&] { read(file("a.csv", "id,text\n1,a\n2\n")); },
      ThrowsMessage<Error>(AllOf(HasSubstr("a.csv:3"), HasSubstr("1 fields, the header has 2"))));
  EXPECT_THAT(
      [&] { read(file("a.csv", "x,y\n1,2\n")); },
      ThrowsMessage<Error>(AllOf(HasSubstr("which column is the text?"), HasSubstr("x, y"))));
  EXPECT_THAT([&] { read(file("a.csv", "x,y\n"), {.text_columns = {"z"}}); },
              ThrowsMessage<Error>(HasSubstr("has no column 'z'; there are: x, y")));
  EXPECT_THAT([&] { read(file("a.csv", "")); }, ThrowsMessage<Error>(HasSubstr("is empty")));
}

TEST_F(RecordsTest, JsonLinesKeepTypesAndGrowColumns) {
  const auto reader = open_records(file(
      "a.jsonl",
      "{\"text\":\"a\",\"n\":3}\n\n{\"id\":9,\"text\":\"b\",\"x\":1.5,\"t\":[1,2],\"z\":null}\n"));
  const auto records = read(*reader);
  ASSERT_EQ(records.size(), 2u);
  EXPECT_THAT(reader->columns(), ElementsAre("n", "x", "t", "z"));
  EXPECT_EQ(records[0].values[0], Value(int64_t{3}));
  EXPECT_EQ(records[1].id, "9");
  EXPECT_EQ(records[1].values[1], Value(1.5));
  EXPECT_EQ(records[1].values[2], Value("[1,2]"));
}

TEST_F(RecordsTest, JsonMistakesSayWhatAndWhere) {
  EXPECT_THAT([&] { read(file("a.jsonl", "{\"text\":\"a\"}\n{\"text\":\n")); },
              ThrowsMessage<Error>(AllOf(HasSubstr("a.jsonl:2"), HasSubstr("not a JSON object"))));
  EXPECT_THAT([&] { read(file("a.jsonl", "[1]\n")); },
              ThrowsMessage<Error>(HasSubstr("not a JSON object")));
  EXPECT_THAT(
      [&] { read(file("a.jsonl", "{\"body\":\"a\"}\n")); },
      ThrowsMessage<Error>(AllOf(HasSubstr("no field 'text'"), HasSubstr("there are: body"))));
  EXPECT_THAT([&] { read(file("a.jsonl", std::string(100'000, '['))); },
              ThrowsMessage<Error>(HasSubstr("a.jsonl:1")));
}

TEST_F(RecordsTest, WhatCannotBeReadIsSaid) {
  EXPECT_THAT([&] { open_records(folder_ / "absent.csv"); },
              ThrowsMessage<Error>(HasSubstr("no such file")));
  EXPECT_THAT([&] { open_records(file("a.docx", "x")); },
              ThrowsMessage<Error>(AllOf(HasSubstr("cannot be told"), HasSubstr(".jsonl"))));
  EXPECT_THAT([&] { open_records(file("a.txt", "x"), {.text_columns = {"t"}}); },
              ThrowsMessage<Error>(HasSubstr("--text, --id and --delimiter are for")));
  EXPECT_THAT(read(file("empty.txt", "")), IsEmpty());
}

}  // namespace
}  // namespace carya
