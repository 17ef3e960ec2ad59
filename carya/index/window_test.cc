#include "carya/index/window.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "carya/index/test_data.h"

namespace carya {
namespace {
TEST(WindowTest, Placeholder) {
  WindowIndex index(16, Metric::kSquaredL2, {.cutoff = 100});
  const auto points = random_points(5000, 16, 1);
  std::vector<double> labels(5000);
  for (size_t i = 0; i < 5000; ++i) labels[i] = static_cast<double>(i * 7919 % 5000);
  index.add(ids_from(10, 5000), labels, points);
  for (const Hit& hit : index.search(points.row(5), LabelWindow{100, 3000}, {.k = 5})) {
    std::printf("%zu %f\n", static_cast<size_t>(hit.id), static_cast<double>(hit.distance));
  }
}
}  // namespace
}  // namespace carya
