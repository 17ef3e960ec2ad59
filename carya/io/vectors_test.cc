#include "carya/io/vectors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <string>

#include "carya/core/error.h"
#include "carya/core/file.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

std::span<const std::byte> bytes(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string npy(const std::string& dictionary, std::string_view data) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(dictionary.size());
  file += '\0';
  return file + dictionary + std::string(data);
}

template <class T>
std::string raw(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

TEST(Npy, ReadsTypesOrdersAndShapes) {
  EXPECT_THAT(
      parse_npy<float>(bytes(npy("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 2), }",
                                 raw<double>({1.5, -2}))),
                       "t")
          .flat(),
      ElementsAre(1.5f, -2));
  EXPECT_THAT(parse_npy<float>(bytes(npy("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 2)}",
                                         "\x01\x02\x03\x04")),
                               "t")
                  .flat(),
              ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(parse_npy<float>(bytes(npy("{'descr': '>i2', 'fortran_order': False, 'shape': (2,)}",
                                         std::string_view("\x00\x05\xff\xff", 4))),
                               "t")
                  .flat(),
              ElementsAre(5, -1));
  // halves: 1, -2, the smallest subnormal, 65504
  EXPECT_THAT(
      parse_npy<float>(bytes(npy("{'descr': '<f2', 'fortran_order': False, 'shape': (4, 1)}",
                                 raw<uint16_t>({0x3C00, 0xC000, 0x0001, 0x7BFF}))),
                       "t")
          .flat(),
      ElementsAre(1, -2, 5.9604645e-8f, 65504));
  EXPECT_EQ(parse_npy<float>(
                bytes(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3)}", "")), "t")
                .rows(),
            0u);
  const auto cube = parse_npy<float>(
      bytes(npy("{'descr': '|i1', 'fortran_order': False, 'shape': (1, 2, 2)}", "abcd")), "t");
  EXPECT_EQ(cube.cols(), 4u);
}

TEST(Npy, RefusesWhatDoesNotFit) {
  const auto reason = [](const std::string& file) {
    try {
      parse_npy<float>(bytes(file), "t.npy");
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(reason("hello"), HasSubstr("t.npy: is not a .npy"));
  EXPECT_THAT(reason(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (9, 9)}", "abcd")),
              HasSubstr("truncated"));
  EXPECT_THAT(
      reason(
          npy("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999, 99999999999)}", "")),
      HasSubstr("truncated"));
  EXPECT_THAT(reason(npy("{'descr': '<c8', 'fortran_order': False, 'shape': (1, 1)}", "abcdefgh")),
              HasSubstr("type c8"));
  EXPECT_THAT(reason(npy("{'descr': [('a', '<f4')], 'shape': (1,)}", "abcd")),
              HasSubstr("structured"));
  EXPECT_THAT(reason(npy("{'descr': '<f4', 'fortran_order': False, 'shape': ()}", "abcd")),
              HasSubstr("single number"));
}

TEST(Npy, WhatIsWrittenIsRead) {
  const fs::path path =
      fs::path(testing::TempDir()) / ("carya_vectors_test_" + std::to_string(::getpid()) + ".npy");
  Matrix<float> matrix(3, 2);
  for (size_t i = 0; i < 6; ++i) matrix.flat()[i] = static_cast<float>(i) / 3;
  write_npy(path, matrix);
  EXPECT_EQ(fs::file_size(path) % 64, 24u);  // the data begins at a multiple of 64
  const Matrix<float> read = read_npy(path);
  EXPECT_EQ(read.rows(), 3u);
  EXPECT_TRUE(std::ranges::equal(read.flat(), matrix.flat()));
  fs::remove(path);
}

TEST(Fvecs, ReadsAndChecks) {
  const std::string two =
      raw<int32_t>({2}) + raw<float>({1, 2}) + raw<int32_t>({2}) + raw<float>({3, 4});
  EXPECT_THAT(parse_fvecs(bytes(two), "t").flat(), ElementsAre(1, 2, 3, 4));
  EXPECT_EQ(parse_fvecs({}, "t").rows(), 0u);
  EXPECT_THAT([&] { parse_fvecs(bytes(two).first(20), "t"); },
              ThrowsMessage<Error>(HasSubstr("no multiple of 12")));
  EXPECT_THAT([] { parse_fvecs(bytes(raw<int32_t>({-1})), "t"); },
              ThrowsMessage<Error>(HasSubstr("dim -1")));
  const std::string mixed =
      raw<int32_t>({2}) + raw<float>({1, 2}) + raw<int32_t>({1}) + raw<float>({3, 4});
  EXPECT_THAT([&] { parse_fvecs(bytes(mixed), "t"); },
              ThrowsMessage<Error>(HasSubstr("vector 1 has dim 1")));
}

TEST(Bvecs, ReadsBytes) {
  const std::string two = raw<int32_t>({3}) + "\x01\xff\x7f" + raw<int32_t>({3}) + "abc";
  EXPECT_THAT(parse_bvecs(bytes(two), "t").flat(), ElementsAre(1, 255, 127, 97, 98, 99));
  EXPECT_THAT([&] { parse_bvecs(bytes(two).first(13), "t"); },
              ThrowsMessage<Error>(HasSubstr("no multiple of 7")));
}

TEST(Ivecs, ReadsIdsExactly) {
  const std::string one = raw<int32_t>({2, 16'777'217, -1});  // not a float
  EXPECT_THAT(parse_ivecs<int64_t>(bytes(one), "t").flat(), ElementsAre(16'777'217, -1));
  EXPECT_THAT(parse_ivecs<float>(bytes(one), "t").flat(), ElementsAre(16'777'216, -1));
}

TEST(Ids, AreReadAsWrittenAndAreWhole) {
  const std::string stem = testing::TempDir() + "/carya_ids_test_" + std::to_string(::getpid());
  Matrix<int64_t> ids(2, 2);
  std::ranges::copy(std::to_array<int64_t>({1, -1, int64_t{1} << 40, 3}), ids.data());
  write_npy(stem + ".npy", ids);
  EXPECT_TRUE(std::ranges::equal(read_ids(stem + ".npy").flat(), ids.flat()));
  EXPECT_THAT([&] { write_ivecs(stem + ".ivecs", ids); },
              ThrowsMessage<Error>(HasSubstr("does not fit the 32 bits")));
  EXPECT_FALSE(fs::exists(stem + ".ivecs"));
  ids(1, 0) = 7;
  write_ivecs(stem + ".ivecs", ids);
  EXPECT_TRUE(std::ranges::equal(read_ids(stem + ".ivecs").flat(), ids.flat()));
  write_npy(stem + ".npy", Matrix<float>(1, 1));
  EXPECT_THAT([&] { read_ids(stem + ".npy"); }, ThrowsMessage<Error>(HasSubstr("whole numbers")));
  fs::remove(stem + ".npy");
  fs::remove(stem + ".ivecs");
}

TEST(Idx, ReadsImagesAndChecks) {
  const std::string_view file(
      "\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02"
      "\x00\xff\x07\x09",
      20);
  const Matrix<float> images = parse_idx(bytes(file), "t");
  EXPECT_EQ(images.rows(), 2u);
  EXPECT_THAT(images.flat(), ElementsAre(0, 255, 7, 9));
  EXPECT_THAT([&] { parse_idx(bytes(file.substr(0, 18)), "t"); },
              ThrowsMessage<Error>(HasSubstr("truncated")));
  EXPECT_THAT([] { parse_idx(bytes("text"), "t"); }, ThrowsMessage<Error>(HasSubstr("not an IDX")));
}

}  // namespace
}  // namespace carya
