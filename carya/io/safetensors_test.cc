#include "carya/io/safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "carya/core/error.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& numbers) {
  std::string file(8, '\0');
  const uint64_t length = header.size();
  std::memcpy(file.data(), &length, 8);
  return file + header + numbers;
}

std::string bytes_of(std::initializer_list<float> values) {
  std::string bytes;
  for (const float value : values) bytes.append(reinterpret_cast<const char*>(&value), 4);
  return bytes;
}

Tensors parse(const std::string& file) {
  return parse_safetensors(std::as_bytes(std::span(file)), "x.safetensors");
}

std::string message_of(const std::string& file) {
  try {
    parse(file);
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kCorrupt);
    return e.what();
  }
  return "no error";
}

class TensorFileTest : public ::testing::Test {
 protected:
  TensorFile open(const std::string& content) {
    write_file(path_, content);
    return TensorFile::open(path_);
  }
  ~TensorFileTest() override { std::filesystem::remove(path_); }
  const std::filesystem::path path_ =
      std::filesystem::temp_directory_path() /
      fmt::format("carya_{}.safetensors",
                  ::testing::UnitTest::GetInstance()->current_test_info()->name());
};

TEST_F(TensorFileTest, ReadsEveryFloatTypeAsF32) {
  const std::string half("\x00\x3c\x00\xc0\x01\x00", 6);   // 1, -2, 2^-24
  const std::string brain("\x80\x3f\x00\xc0\x40\x40", 6);  // 1, -2, 3
  const TensorFile file = open(file_of(
      R"({"__metadata__":{"a":"b"},"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
      R"("h":{"dtype":"F16","shape":[3],"data_offsets":[16,22]},)"
      R"("b":{"dtype":"BF16","shape":[3],"data_offsets":[22,28]}})",
      bytes_of({1, 2, 3, 4}) + half + brain));
  EXPECT_THAT(file.read("w", 2, 2).flat(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(file.read("h", 3), ElementsAre(1, -2, 0x1p-24f));
  EXPECT_THAT(file.read("b", 3), ElementsAre(1, -2, 3));
}

TEST_F(TensorFileTest, WhatIsWrongWithATensorIsSaidWithItsNameAndFile) {
  const TensorFile file =
      open(file_of(R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},)"
                   R"("i":{"dtype":"I64","shape":[1],"data_offsets":[0,8]}})",
                   bytes_of({1, 2, std::numeric_limits<float>::infinity(), 4})));
  const auto message = [&](auto read) {
    try {
      read();
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_THAT(message([&] { file.read("v", 2, 2); }), HasSubstr("tensor v is missing"));
  EXPECT_THAT(
      message([&] { file.read("w", 2, 3); }),
      HasSubstr("carya_WhatIsWrongWithATensorIsSaidWithItsNameAndFile.safetensors: tensor w "
                "has shape [2 x 2], expected [2 x 3]"));
  EXPECT_THAT(message([&] { file.read("w", 4); }), HasSubstr("has shape"));
  EXPECT_THAT(message([&] { file.read("i", 1); }), HasSubstr("not of type f32"));
  EXPECT_THAT(message([&] { file.read("w", 2, 2); }), HasSubstr("NaN or infinity"));
}

TEST_F(TensorFileTest, AMissingFileIsNotFound) {
  try {
    TensorFile::open("/nowhere/model.safetensors");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), ErrorKind::kNotFound);
  }
}

TEST(Safetensors, DamageIsAnErrorNotACrash) {
  EXPECT_THAT(message_of(""), HasSubstr("no safetensors file"));
  EXPECT_THAT(message_of("1234567"), HasSubstr("no safetensors file"));
  EXPECT_THAT(message_of(std::string(8, '\xff')), HasSubstr("truncated"));
  EXPECT_THAT(message_of(file_of("{}", "").substr(0, 9)), HasSubstr("truncated"));
  EXPECT_THAT(message_of(file_of("[1]", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(message_of(file_of("{\"a\":", "")), HasSubstr("no JSON object"));
  EXPECT_THAT(message_of(file_of(std::string(100'000, '['), "")), HasSubstr("too deeply"));
  EXPECT_THAT(message_of(file_of(R"({"a":1})", "")), HasSubstr("tensor a: needs dtype"));
  EXPECT_THAT(
      message_of(file_of(R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})", "1234")),
      HasSubstr("no whole number"));
  EXPECT_THAT(
      message_of(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "123")),
      HasSubstr("tensor a: bytes 0 to 4 of 3"));
  EXPECT_THAT(
      message_of(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})", "1234")),
      HasSubstr("bytes 4 to 0"));
  EXPECT_THAT(
      message_of(file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", "1234")),
      HasSubstr("do not fit its shape"));
  EXPECT_THAT(message_of(file_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],)"
                                 R"("data_offsets":[0,4]}})",
                                 "1234")),
              HasSubstr("too large"));
  EXPECT_THAT(
      message_of(file_of(
          R"({"a":{"dtype":"F32","shape":[18446744073709551616],"data_offsets":[0,4]}})", "1234")),
      HasSubstr("no whole number"));
}

TEST(Safetensors, WhatIsWrittenIsRead) {
  const std::vector<double> wide = {1.5, -2.5};
  const std::vector<float> numbers = {1, 2, 3};
  const std::vector<uint8_t> bytes = {7};
  const std::vector<uint32_t> none;
  const std::string file = to_safetensors(
      std::vector<NamedArray>{NamedArray::of("wide", wide), NamedArray::of("numbers", numbers),
                              NamedArray::of("bytes", bytes), NamedArray::of("none", none)},
      {{"total", "7"}});
  const Tensors tensors = parse_safetensors(std::as_bytes(std::span(file)), "file");
  ASSERT_EQ(tensors.size(), 4U);
  const Tensor& read = tensors.find("numbers")->second;
  EXPECT_EQ(read.type, TensorType::kF32);
  EXPECT_THAT(read.shape, testing::ElementsAre(3U));
  EXPECT_EQ(std::memcmp(read.bytes.data(), numbers.data(), 12), 0);
  EXPECT_EQ(std::memcmp(tensors.find("wide")->second.bytes.data(), wide.data(), 16), 0);
  EXPECT_EQ((tensors.find("wide")->second.bytes.data() -
             reinterpret_cast<const std::byte*>(file.data())) %
                8,
            0);
  EXPECT_EQ(tensors.find("none")->second.shape, std::vector<size_t>{0});
}

TEST(Safetensors, EveryTruncationOfAFileIsAnError) {
  const std::string file = file_of(R"({"w":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}})",
                                   bytes_of({1, 2, 3, 4}));
  EXPECT_EQ(parse(file).size(), 1u);
  for (size_t size = 0; size < file.size(); ++size) {
    EXPECT_NE(message_of(file.substr(0, size)), "no error") << size;
  }
}

}  // namespace
}  // namespace carya
