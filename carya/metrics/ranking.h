#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "carya/core/matrix.h"

namespace carya {

// Share of the k exact neighbours that were found among the first k, over all queries.
// found, exact [n_queries, >= k] ids; equal distances are not seen, so a tie may cost recall.
// Throws kInvalidArgument if the numbers of queries differ or k is 0 or more than the columns.
double recall_at_k(MatrixView<const uint32_t> found, MatrixView<const uint32_t> exact, size_t k);

// The following score one ranked list.  gains: how relevant the hit at each rank is, best first;
// 0 is irrelevant, for the binary ones anything above is relevant.  Their means over queries are
// MRR, MAP and mean nDCG.

// 1 / rank of the first relevant hit; 0 if there is none.
double reciprocal_rank(std::span<const float> gains);

// Mean over the relevant items of the precision at their rank, an item that is not in the list
// counting 0.  n_relevant: how many exist, at least those in the list.  0 if none exists.
double average_precision(std::span<const float> gains, size_t n_relevant);

// Discounted gain sum gain / log2(rank + 1) of the first k over that of the best order.
// ideal_gains: gains of all items that are relevant, in any order.  0 if there are none.
// Jarvelin & Kekalainen 2002.
double ndcg_at_k(std::span<const float> gains, std::span<const float> ideal_gains, size_t k);

}  // namespace carya
