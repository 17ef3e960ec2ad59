#include "carya/simd/leaf_tile.h"

#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

struct Leaf {
  Matrix<float> points;  // [kLeafSize, dim]
  Matrix<float> panel;   // its transpose
};
Leaf random_leaf(size_t dim, uint64_t seed) {
  Leaf leaf{Matrix<float>(kLeafSize, dim), Matrix<float>(dim, kLeafSize)};
  Rng rng(seed);
  for (size_t i = 0; i < kLeafSize; ++i) {
    for (size_t j = 0; j < dim; ++j) {
      leaf.points(i, j) = leaf.panel(j, i) = static_cast<float>(rng.normal());
    }
  }
  return leaf;
}

template <class Test>
void for_each_instruction_set(const Test& test) {
  for (const auto target : hwy::SupportedAndGeneratedTargets()) {
    SCOPED_TRACE(hwy::TargetName(target));
    hwy::SetSupportedTargetsForTest(target);
    hwy::GetChosenTarget().Update(hwy::SupportedTargets());
    test();
  }
  hwy::SetSupportedTargetsForTest(0);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

TEST(LeafTile, DistancesFollowTheDefinitionForEveryNumberOfRowsAndDims) {
  for_each_instruction_set([] {
    for (const size_t dim : {1, 2, 7, 10, 100}) {
      const Leaf a = random_leaf(dim, 1), b = random_leaf(dim, 2);
      for (size_t n_rows = 0; n_rows <= 20; ++n_rows) {
        std::vector<const float*> rows;
        for (size_t i = 0; i < n_rows; ++i) rows.push_back(a.points.row_data(3 * i));
        std::vector<float> out(n_rows * kLeafSize);
        leaf_distances(rows, b.panel.data(), dim, out.data());
        for (size_t i = 0; i < n_rows; ++i) {
          for (size_t j = 0; j < kLeafSize; ++j) {
            double exact = 0;
            for (size_t t = 0; t < dim; ++t) {
              exact += std::pow(static_cast<double>(rows[i][t]) - b.points(j, t), 2);
            }
            const double bound = exact * (static_cast<double>(dim) + 2) * 0x1.0p-24;
            ASSERT_NEAR(out[i * kLeafSize + j], exact, bound) << dim << ' ' << i << ' ' << j;
          }
        }
      }
    }
  });
}

TEST(LeafTile, BoxDistancesAreZeroInsideAndThoseOfTheNearestPointOutside) {
  for_each_instruction_set([] {
    const Leaf leaf = random_leaf(3, 5);
    const std::vector<float> lo = {-1, 0, -5}, hi = {0, 1, 5};
    std::vector<float> out(kLeafSize);
    leaf_box_distances(leaf.panel.data(), 3, lo.data(), hi.data(), out.data());
    for (size_t i = 0; i < kLeafSize; ++i) {
      float expected = 0;
      for (size_t j = 0; j < 3; ++j) {
        const float x = leaf.points(i, j);
        expected += (x - std::clamp(x, lo[j], hi[j])) * (x - std::clamp(x, lo[j], hi[j]));
      }
      EXPECT_FLOAT_EQ(out[i], expected);
    }
  });
}

TEST(LeafTile, MasksFollowTheDefinition) {
  for_each_instruction_set([] {
    Rng rng(1);
    constexpr size_t kRows = 5;
    std::vector<float> distances(kRows * kLeafSize), limits(kRows), floors(kLeafSize);
    std::vector<uint32_t> row_groups(kRows), groups(kLeafSize);
    const auto number = [&] { return static_cast<float>(rng.below(10)); };  // with equal ones
    std::ranges::generate(distances, number);
    std::ranges::generate(limits, number);
    std::ranges::generate(floors, number);
    for (auto& group : groups) group = static_cast<uint32_t>(rng.below(3));
    for (auto& group : row_groups) group = static_cast<uint32_t>(rng.below(3));
    std::vector<uint64_t> within(kRows), other(kRows);
    leaf_within(distances.data(), kRows, limits.data(), within.data());
    leaf_within_other_group(distances.data(), kRows, limits.data(), row_groups.data(),
                            floors.data(), groups.data(), other.data());
    for (size_t i = 0; i < kRows; ++i) {
      for (size_t j = 0; j < kLeafSize; ++j) {
        const bool near = distances[i * kLeafSize + j] <= limits[i];
        EXPECT_EQ(within[i] >> j & 1, near);
        EXPECT_EQ(other[i] >> j & 1, near && floors[j] <= limits[i] && groups[j] != row_groups[i]);
      }
    }
  });
}

}  // namespace
}  // namespace carya
