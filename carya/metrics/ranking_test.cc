#include "carya/metrics/ranking.h"

#include <gtest/gtest.h>

#include <vector>

namespace carya {
namespace {

TEST(Ranking, RecallCountsCommonIdsOfTheFirstK) {
  std::vector<uint32_t> found = {1, 2, 3, 9, 8, 7}, exact = {3, 1, 5, 7, 8, 9};
  const MatrixView<const uint32_t> f(found.data(), 2, 3), e(exact.data(), 2, 3);
  EXPECT_DOUBLE_EQ(recall_at_k(f, e, 3), 5.0 / 6);
  EXPECT_DOUBLE_EQ(recall_at_k(f, e, 2), 2.0 / 4);
  EXPECT_DOUBLE_EQ(recall_at_k(f, e, 1), 0);
  EXPECT_THROW(recall_at_k(f, e, 4), Error);
  EXPECT_THROW(recall_at_k(f, e, 0), Error);
  EXPECT_THROW(recall_at_k(f.slice(0, 1), e, 1), Error);
}

// scikit-learn: ndcg_score([[3,0,2,0,1]], [[5,4,3,2,1]], k=3), the same without k,
// average_precision_score([1,0,1,0,1], [5,4,3,2,1])
TEST(Ranking, AgreesWithScikitLearn) {
  const std::vector<float> gains = {3, 0, 2, 0, 1};
  EXPECT_NEAR(ndcg_at_k(gains, gains, 3), 0.8400079830158564, 1e-14);
  EXPECT_NEAR(ndcg_at_k(gains, gains, 10), 0.9212478445981338, 1e-14);
  EXPECT_NEAR(average_precision(gains, 3), 0.7555555555555555, 1e-14);
  EXPECT_NEAR(average_precision(gains, 6), 0.7555555555555555 / 2, 1e-14);
}

TEST(Ranking, ReciprocalRankIsOfTheFirstHit) {
  EXPECT_DOUBLE_EQ(reciprocal_rank({{0.0f, 0.0f, 1.0f, 1.0f}}), 1.0 / 3);
  EXPECT_EQ(reciprocal_rank({{0.0f}}), 0);
  EXPECT_EQ(reciprocal_rank({}), 0);
}

TEST(Ranking, NothingRelevantScoresZero) {
  EXPECT_EQ(ndcg_at_k({{0.0f}}, {}, 5), 0);
  EXPECT_EQ(average_precision({{0.0f}}, 0), 0);
  EXPECT_THROW(average_precision({{1.0f}}, 0), Error);
}

}  // namespace
}  // namespace carya
