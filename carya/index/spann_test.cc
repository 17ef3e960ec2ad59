#include "carya/index/spann.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/index/test_data.h"

namespace carya {
namespace {

TEST(Spann, Smoke) {
  const TempFile file;
  const Matrix<float> points = random_points(3000, 16, 1);
  const Spann index = Spann::build(file.path(), ids_from(5, 3000), points, Metric::kSquaredL2);
  EXPECT_EQ(index.size(), 3000u);
  EXPECT_EQ(index.list_sizes().size(), 480u);
  printf("deviation %g\n", size_deviation(index.list_sizes()));
  EXPECT_EQ(ids_of(index.search(points.row(7), {.k = 5, .effort = 480})),
            ids_of(naive_search(points, 5, points.row(7), 5, Metric::kSquaredL2)));
}

}  // namespace
}  // namespace carya
