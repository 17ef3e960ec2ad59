#include "carya/atlas/column_type.h"

#include <gtest/gtest.h>

#include <vector>

namespace carya {
namespace {

ColumnType type_of(const std::vector<Value>& values) {
  ColumnEvidence evidence;
  for (const Value& value : values) evidence.see(value);
  return evidence.type();
}

TEST(ColumnType, IsWhatAllValuesCanBe) {
  EXPECT_EQ(type_of({"1", "-20", Value{}, int64_t{3}}), ColumnType::kInteger);
  EXPECT_EQ(type_of({"1", "2.5", "1e-3", 0.5}), ColumnType::kNumber);
  EXPECT_EQ(type_of({"1", "x"}), ColumnType::kText);
  EXPECT_EQ(type_of({2.5, "x", "3"}), ColumnType::kText);
  EXPECT_EQ(type_of({"2.5", "3"}), ColumnType::kNumber);
  EXPECT_EQ(type_of({}), ColumnType::kText);
  EXPECT_EQ(type_of({Value{}}), ColumnType::kText);
}

TEST(ColumnType, TextsThatWouldNotComeBackStayText) {
  for (const char* text : {"007", "-01", "-0", "00.5", "+1", "1 ", "", "-", ".", "e5", "0x10",
                           "inf", "nan", "1e999", "12345678901234567890", "1,5", "1.2.3"}) {
    EXPECT_EQ(type_of({text}), ColumnType::kText) << text;
  }
  EXPECT_EQ(type_of({"9223372036854775807"}), ColumnType::kInteger);  // the largest
  EXPECT_EQ(type_of({"0"}), ColumnType::kInteger);
  EXPECT_EQ(type_of({"0.5"}), ColumnType::kNumber);
}

TEST(ColumnType, KnownTypesBindWhatComesLater) {
  ColumnEvidence integers(ColumnType::kInteger), texts(ColumnType::kText);
  EXPECT_EQ(integers.type(), ColumnType::kInteger);
  integers.see("2.5");
  EXPECT_EQ(integers.type(), ColumnType::kNumber);
  texts.see(int64_t{1});
  EXPECT_EQ(texts.type(), ColumnType::kText);
}

}  // namespace
}  // namespace carya
