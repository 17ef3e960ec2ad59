#include "carya/core/matrix.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::ThrowsMessage;

TEST(Matrix, StartsWithZerosAndIsAligned) {
  const Matrix<float> m(3, 5);
  EXPECT_EQ(m.size(), 15u);
  for (float x : m.flat()) EXPECT_EQ(x, 0);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(m.data()) % kMatrixAlignment, 0u);
}

TEST(Matrix, ViewsShareAndCopiesDoNot) {
  Matrix<int> m(2, 3);
  m.view()(1, 2) = 7;
  EXPECT_EQ(m(1, 2), 7);
  const Matrix<int> copy = m.copy();
  m(1, 2) = 8;
  EXPECT_EQ(copy(1, 2), 7);
  const MatrixView<const int> rest = m.view().slice(1, 1);
  EXPECT_EQ(rest.rows(), 1u);
  EXPECT_EQ(rest(0, 2), 8);
}

TEST(Matrix, CopyOfAStridedViewIsContiguous) {
  int data[] = {1, 2, 9, 3, 4, 9};
  const auto m = Matrix<int>::copy(MatrixView<const int>(data, 2, 2, 3));
  EXPECT_THAT(m.flat(), ElementsAre(1, 2, 3, 4));
}

TEST(Matrix, EmptyOnesAreFine) {
  EXPECT_TRUE(Matrix<float>(0, 4).empty());
  EXPECT_TRUE(Matrix<float>(4, 0).view().empty());
  EXPECT_TRUE(Matrix<float>().empty());
}

TEST(Matrix, RefusesASizeThatOverflows) {
  EXPECT_THAT([] { Matrix<double>(size_t{1} << 40, size_t{1} << 40); },
              ThrowsMessage<Error>(HasSubstr("does not fit")));
}

TEST(RequireFinite, NamesRowAndColumn) {
  Matrix<float> m(3, 2);
  EXPECT_NO_THROW(require_finite(m, "vector"));
  m(1, 1) = NAN;
  EXPECT_THAT([&] { require_finite(m, "vector"); },
              ThrowsMessage<Error>(HasSubstr("vector 1: column 1 is nan")));
  m(1, 1) = -INFINITY;
  EXPECT_THAT([&] { require_finite(m, "vector"); },
              ThrowsMessage<Error>(HasSubstr("column 1 is -inf")));
}

}  // namespace
}  // namespace carya
