#include "carya/index/lid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "carya/index/test_data.h"

namespace carya {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(Lid, IsTheFormulaOnALine) {
  // Distances of point 0 to the others: 1, 2, 4.
  Matrix<float> points(4, 1);
  points(1, 0) = 1, points(2, 0) = 2, points(3, 0) = -4;
  const double mean = (std::log(1.0 / 4) + std::log(2.0 / 4) + 0) / 3;
  EXPECT_NEAR(local_intrinsic_dimension(points, 3)[0], -1 / mean, 1e-5);
}

TEST(Lid, IsTheDimensionOfUniformPointsWhateverSpaceTheyLieIn) {
  for (size_t dim : {1, 2, 4}) {
    Matrix<float> points(4000, 10);
    Rng rng(dim);
    for (size_t i = 0; i < points.rows(); ++i) {
      for (size_t j = 0; j < dim; ++j) points(i, j) = static_cast<float>(rng.uniform());
    }
    const std::vector<float> lid = local_intrinsic_dimension(points, 50);
    const double mean = std::accumulate(lid.begin(), lid.end(), 0.0) / 4000;
    EXPECT_NEAR(mean, dim, 0.15 * static_cast<double>(dim));  // points at the border read low
  }
}

TEST(Lid, HasValuesForDuplicatesAndEqualDistancesAndRefusesTooManyNeighbours) {
  const Matrix<float> same(10, 3);
  EXPECT_EQ(local_intrinsic_dimension(same, 4)[2], 0.0f);
  Matrix<float> corners(3, 3);  // all sqrt(2) apart
  for (size_t i = 0; i < 3; ++i) corners(i, i) = 1;
  EXPECT_TRUE(std::isinf(local_intrinsic_dimension(corners, 2)[0]));
  EXPECT_THAT(message([&] { local_intrinsic_dimension(same, 10); }), HasSubstr("9 others"));
  EXPECT_THAT(message([&] { local_intrinsic_dimension({}, 2); }), HasSubstr("0 others"));
}

TEST(Lid, OrdersByItsValueWithTiesByRow) {
  const std::vector<float> lid = {3, 1, 2, 1};
  EXPECT_THAT(insertion_order(InsertionOrder::kLidAscending, lid), ElementsAre(1, 3, 2, 0));
  EXPECT_THAT(insertion_order(InsertionOrder::kLidDescending, lid), ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(insertion_order(InsertionOrder::kAsIs, lid), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(insertion_order(InsertionOrder::kRandom, lid, 1),
              ::testing::UnorderedElementsAre(0, 1, 2, 3));
}

}  // namespace
}  // namespace carya
