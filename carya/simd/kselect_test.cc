#include "carya/simd/kselect.h"

#include <gtest/gtest.h>

#include <vector>

#include "carya/core/rng.h"

namespace carya {
namespace {

TEST(KSelect, KeepsWhatSortingTheStreamKeeps) {
  for (size_t k : {1, 2, 7, 50}) {
    for (size_t batch_size : {1, 3, 64}) {
      std::vector<uint32_t> ids(k);
      std::vector<float> distances(k);
      KSelect nearest(ids, distances);
      std::vector<Candidate> all;
      Rng rng(k);
      for (size_t round = 0; round < 20; ++round) {
        std::vector<Candidate> batch;
        for (size_t i = 0; i < batch_size; ++i) {  // few values: many ties
          batch.push_back({static_cast<float>(rng.below(12)), static_cast<uint32_t>(all.size())});
          all.push_back(batch.back());
        }
        nearest.merge(batch);
        std::vector<Candidate> sorted = all;
        std::sort(sorted.begin(), sorted.end());
        ASSERT_EQ(nearest.found(), std::min(k, all.size()));
        for (size_t i = 0; i < nearest.found(); ++i) {
          ASSERT_EQ(ids[i], sorted[i].id);
          ASSERT_EQ(distances[i], sorted[i].distance);
        }
      }
    }
  }
}

TEST(KSelect, HasNoThresholdUntilKAreThere) {
  std::vector<uint32_t> ids(2);
  std::vector<float> distances(2);
  KSelect nearest(ids, distances);
  std::vector<Candidate> batch = {{5.0f, 1}};
  nearest.merge(batch);
  EXPECT_EQ(nearest.threshold(), std::numeric_limits<float>::infinity());
  batch = {{3.0f, 2}};
  nearest.merge(batch);
  EXPECT_EQ(nearest.threshold(), 5.0f);
}

}  // namespace
}  // namespace carya
