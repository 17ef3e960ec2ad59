// Heads, closure and the lists' pages: the parts of spann.h, each against its definition.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "carya/core/parallel.h"
#include "carya/index/spann_closure.h"
#include "carya/index/spann_heads.h"
#include "carya/index/spann_postings.h"
#include "carya/index/test_data.h"
#include "carya/simd/knn.h"

namespace carya {
namespace {

using ::testing::ElementsAreArray;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// A few values, so that squared distances are exact in float.
Matrix<float> small_integers(size_t n, size_t dim, uint64_t seed) {
  Matrix<float> points(n, dim);
  Rng rng(seed);
  for (float& x : points.flat()) x = static_cast<float>(rng.below(64));
  return points;
}

std::vector<uint32_t> sizes_of_nearest(const Matrix<float>& points,
                                       std::span<const uint32_t> heads) {
  const IndexedRows rows{points};
  const Neighbors nearest = exact_knn(points, rows.gather(heads), 1);
  std::vector<uint32_t> sizes(heads.size());
  for (const uint32_t head : nearest.ids.flat()) ++sizes[head];
  return sizes;
}

TEST(SpannHeads, AreAsManyAsAskedAndAllDifferent) {
  const Matrix<float> points = random_points(3000, 5, 1);
  for (size_t n_heads : {1, 2, 31, 32, 33, 480, 2999, 3000}) {
    const auto heads = balanced_heads({points}, {.n_heads = n_heads});
    EXPECT_THAT(heads, SizeIs(n_heads));
    EXPECT_THAT(std::set(heads.begin(), heads.end()), SizeIs(n_heads));
  }
}

TEST(SpannHeads, AreAsManyWhereDensitiesDiffer) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    Matrix<float> points = random_points(500, 3, seed);
    for (size_t i = 0; i < 450; ++i) {
      for (float& x : points.row(i)) x *= i % 2 == 0 ? 1e-2f : 1e-4f;
    }
    EXPECT_THAT(balanced_heads({points}, {.n_heads = 80, .branch = 8}), SizeIs(80)) << seed;
  }
}

TEST(SpannHeads, OfManyPointsHaveMoreEvenClustersThanRandomOnes) {
  // Half of the points lie close together.
  Matrix<float> points = random_points(6000, 4, 2);
  for (size_t i = 0; i < 3000; ++i) {
    for (float& x : points.row(i)) x *= 0.05f;
  }
  const auto heads = balanced_heads({points}, {.n_heads = 960});
  std::vector<uint32_t> random(960);
  for (size_t i = 0; i < 960; ++i) random[i] = static_cast<uint32_t>(i * 6000 / 960);
  EXPECT_LT(size_deviation(sizes_of_nearest(points, heads)),
            0.95 * size_deviation(sizes_of_nearest(points, random)));
  const Matrix<float> even = random_points(6000, 4, 3);
  EXPECT_LT(size_deviation(sizes_of_nearest(even, balanced_heads({even}, {.n_heads = 960}))),
            0.9 * size_deviation(sizes_of_nearest(even, random)));
}

TEST(SpannHeads, OneHeadIsTheItemNearestToTheMean) {
  Matrix<float> points(5, 1);
  for (size_t i = 0; i < 5; ++i) points(i, 0) = static_cast<float>(i * i);  // mean 6
  EXPECT_THAT(balanced_heads({points}, {.n_heads = 1}), ElementsAreArray({2}));
}

TEST(SpannHeads, AreFewerWhereItemsAreEqualAndTheSameForEveryNumberOfThreads) {
  Matrix<float> points(1000, 3);
  EXPECT_THAT(balanced_heads({points}, {.n_heads = 160}), SizeIs(1));
  for (size_t i = 0; i < 500; ++i) points(i, 0) = static_cast<float>(i);
  std::vector<uint32_t> one;
  for (size_t threads : {1, 2, 8}) {
    const ThreadLimit limit(threads);
    const auto heads = balanced_heads({points}, {.n_heads = 160, .n_sample = 64, .seed = 5});
    if (one.empty()) one = heads;
    EXPECT_EQ(heads, one) << threads;
  }
  EXPECT_GE(one.size(), 70u);  // the half that differs has about half of the heads
}

TEST(SpannHeads, RefuseWrongCounts) {
  const Matrix<float> points = random_points(10, 2, 3);
  EXPECT_THAT(message([&] { balanced_heads({points}, {.n_heads = 11}); }),
              HasSubstr("n_heads is 11, but must be in 1 .. 10"));
  EXPECT_THAT(message([&] { balanced_heads({points}, {.n_heads = 5, .branch = 1}); }),
              HasSubstr("branch is 1"));
}

TEST(SpannHeads, DeviationIsThatOfTheFormula) {
  const std::vector<uint32_t> sizes = {2, 4, 4, 4, 5, 5, 7, 9};  // mean 5, deviation 2
  EXPECT_DOUBLE_EQ(size_deviation(sizes), 0.4);
  EXPECT_EQ(size_deviation({}), 0);
}

Hnsw graph_over(const Matrix<float>& heads) {
  Hnsw graph(heads.cols(), Metric::kSquaredL2,
             {.storage = {.exact = RowFormat::kF32, .codes = {}}});
  graph.add(ids_from(0, heads.rows()), heads);
  return graph;
}

// The definition, card 162: all heads by distance, the nearest, then those that pass both rules.
std::set<std::pair<size_t, uint32_t>> naive_closure(const Matrix<float>& points,
                                                    const Matrix<float>& heads,
                                                    const ClosureOptions& options) {
  const auto squared = [](std::span<const float> a, std::span<const float> b) {
    double sum = 0;
    for (size_t j = 0; j < a.size(); ++j) sum += (double{a[j]} - b[j]) * (double{a[j]} - b[j]);
    return sum;
  };
  std::set<std::pair<size_t, uint32_t>> pairs;  // list, item
  for (uint32_t item = 0; item < points.rows(); ++item) {
    std::vector<std::pair<double, size_t>> near;
    for (size_t c = 0; c < heads.rows(); ++c) {
      near.emplace_back(squared(points.row(item), heads.row(c)), c);
    }
    std::ranges::sort(near);
    std::vector<size_t> chosen;
    for (const auto& [distance, c] : near) {
      if (chosen.size() == options.n_copies) break;
      if (distance > (1 + options.reach) * near[0].first) break;
      const bool is_related = std::ranges::any_of(chosen, [&, d = distance, j = c](size_t i) {
        return squared(heads.row(j), heads.row(i)) < d;
      });
      if (!chosen.empty() && options.skip_related && is_related) continue;
      chosen.push_back(c);
    }
    for (size_t c : chosen) pairs.emplace(c, item);
  }
  return pairs;
}

std::set<std::pair<size_t, uint32_t>> pairs_of(const Lists& lists) {
  std::set<std::pair<size_t, uint32_t>> pairs;
  for (size_t list = 0; list + 1 < lists.first.size(); ++list) {
    for (size_t i = lists.first[list]; i < lists.first[list + 1]; ++i) {
      pairs.emplace(list, lists.items[i]);
    }
  }
  return pairs;
}

TEST(SpannClosure, FollowsTheDefinition) {
  const Matrix<float> points = small_integers(500, 4, 4), heads = small_integers(50, 4, 5);
  const Hnsw graph = graph_over(heads);
  for (const ClosureOptions& options :
       {ClosureOptions{}, ClosureOptions{.n_copies = 3}, ClosureOptions{.reach = 0.5},
        ClosureOptions{.skip_related = false}, ClosureOptions{.n_copies = 1}}) {
    const Lists lists = closure({points}, heads, graph, 10'000, options);
    EXPECT_EQ(pairs_of(lists), naive_closure(points, heads, options));
    EXPECT_EQ(lists.items.size(), pairs_of(lists).size());  // none twice
  }
}

TEST(SpannClosure, DropsTheFarthestCopiesButNeverTheLast) {
  const Matrix<float> points = small_integers(500, 4, 6), heads = small_integers(50, 4, 7);
  const Hnsw graph = graph_over(heads);
  const Lists all = closure({points}, heads, graph, 10'000, {});
  const Lists nearest = closure({points}, heads, graph, 10'000, {.n_copies = 1});
  const auto last = pairs_of(nearest);
  for (size_t capacity : {1, 20}) {
    const Lists capped = closure({points}, heads, graph, capacity, {});
    const auto sizes = capped.sizes(), before = all.sizes(), least = nearest.sizes();
    for (size_t list = 0; list < sizes.size(); ++list) {
      EXPECT_EQ(sizes[list],
                std::min<size_t>(before[list], std::max<size_t>(least[list], capacity)));
    }
    const auto kept = pairs_of(capped);
    EXPECT_TRUE(std::ranges::includes(kept, last));
    EXPECT_TRUE(std::ranges::includes(pairs_of(all), kept));
    // What was dropped is not nearer than what was kept in its stead.
    for (size_t list = 0; list < sizes.size(); ++list) {
      double farthest_kept = -1, nearest_dropped = 1e30;
      for (uint32_t item = 0; item < 500; ++item) {
        double squared = 0;
        for (size_t j = 0; j < 4; ++j) squared += std::pow(points(item, j) - heads(list, j), 2);
        const bool was_there = pairs_of(all).contains({list, item});
        if (last.contains({list, item}) || !was_there) continue;
        if (kept.contains({list, item})) {
          farthest_kept = std::max(farthest_kept, squared);
        } else {
          nearest_dropped = std::min(nearest_dropped, squared);
        }
      }
      EXPECT_LE(farthest_kept, nearest_dropped);
      if (list == 5) break;  // some are enough
    }
  }
}

class PostingFile : public ::testing::Test {
 protected:
  static constexpr size_t kItems = 1000;
  // Lists of these sizes; row j of list i is all bytes i + j, slot j is 3 j.
  void write(std::span<const uint32_t> counts, size_t n_before) {
    counts_.assign(counts.begin(), counts.end());
    std::ofstream out(file_.path(), std::ios::binary);
    out << std::string(n_before, 'x');
    first_page_ = {0};
    for (uint32_t list = 0; list < counts.size(); ++list) {
      std::vector<uint32_t> slots;
      std::vector<std::byte> rows;
      for (uint32_t j = 0; j < counts[list]; ++j) {
        slots.push_back(3 * j);
        rows.insert(rows.end(), kLayout.stride, std::byte(list + j));
      }
      const auto pages = posting_pages(kLayout, list, slots, rows);
      EXPECT_EQ(pages.size(), kLayout.pages(counts[list]) * kPageBytes);
      out.write(reinterpret_cast<const char*>(pages.data()),
                static_cast<std::streamsize>(pages.size()));
      first_page_.push_back(first_page_.back() +
                            static_cast<uint32_t>(kLayout.pages(counts[list])));
    }
  }
  PostingTable table() const { return {kLayout, first_page_, counts_}; }
  static constexpr PostingLayout kLayout{.stride = 64};
  TempFile file_;
  std::vector<uint32_t> counts_, first_page_;
};

TEST_F(PostingFile, GivesBackWhatWasWritten) {
  const std::vector<uint32_t> counts = {3,   0, 59, 60,
                                        200, 1, 0};  // 59 rows of 68 bytes fill a page
  EXPECT_EQ(kLayout.pages(59), 1u);
  EXPECT_EQ(kLayout.pages(60), 2u);
  EXPECT_EQ(kLayout.capacity(1), 59u);
  write(counts, kPageBytes);
  EXPECT_TRUE(table().is_whole());
  const PostingReader reader(file_.path(), kPageBytes, PostingCache::kSystem);
  for (const std::vector<uint32_t>& asked :
       {std::vector<uint32_t>{0, 1, 2, 3, 4, 5, 6}, {5, 0}, {4}, {1, 6}, {}}) {
    std::vector<uint32_t> seen;
    size_t bytes = 0;
    const size_t n_read = reader.read(table(), asked, kItems, [&](const Posting& posting) {
      seen.push_back(posting.list);
      bytes += kLayout.pages(counts[posting.list]) * kPageBytes;
      ASSERT_THAT(posting.slots, SizeIs(counts[posting.list]));
      for (size_t j = 0; j < posting.slots.size(); ++j) {
        ASSERT_EQ(posting.slots[j], 3 * j);
        ASSERT_EQ(posting.rows[j * 64], std::byte(posting.list + j));
        ASSERT_EQ(posting.rows[j * 64 + 63], std::byte(posting.list + j));
      }
    });
    std::vector<uint32_t> expected = asked;
    std::ranges::sort(expected);
    std::erase_if(expected, [&](uint32_t list) { return counts[list] == 0; });
    EXPECT_EQ(seen, expected);
    EXPECT_EQ(n_read, bytes);
  }
}

TEST_F(PostingFile, ReadsMoreThanABatchAtOnce) {
  const std::vector<uint32_t> counts(600, 200);  // 4 pages each: more than 4 MB
  write(counts, 0);
  const PostingReader reader(file_.path(), 0, PostingCache::kSystem);
  std::vector<uint32_t> all(600), seen;
  std::iota(all.begin(), all.end(), 0u);
  reader.read(table(), all, kItems, [&](const Posting& posting) {
    seen.push_back(posting.list);
    EXPECT_EQ(posting.rows[64 * 199], std::byte(posting.list + 199));
  });
  EXPECT_EQ(seen, all);
}

TEST_F(PostingFile, NamesWhatIsDamaged) {
  const std::vector<uint32_t> counts = {3, 60, 2};
  write(counts, 0);
  const std::string good = read_file(file_.path());
  const std::vector<uint32_t> all = {0, 1, 2};
  const auto read = [&](size_t n_slots) {
    return message([&] {
      const PostingReader reader(file_.path(), 0, PostingCache::kSystem);
      reader.read(table(), all, n_slots, [](const Posting&) {});
    });
  };
  EXPECT_THAT(read(kItems), HasSubstr("no error"));
  EXPECT_THAT(read(177), HasSubstr("list 1 names an item that is not there"));
  EXPECT_THAT(read(178), HasSubstr("no error"));
  const size_t used = kLayout.bytes(60);
  for (size_t at = 0; at < used; at += 13) {
    std::string bad = good;
    bad[kPageBytes + at] = static_cast<char>(bad[kPageBytes + at] ^ 4);
    std::ofstream(file_.path(), std::ios::binary) << bad;
    ASSERT_THAT(read(kItems), HasSubstr("list 1 is damaged")) << at;
  }
  std::ofstream(file_.path(), std::ios::binary) << good.substr(0, good.size() - 1);
  EXPECT_THAT(read(kItems), HasSubstr("it is truncated"));
  EXPECT_THAT(message([] { PostingReader("/nowhere/lists", 0, PostingCache::kSystem); }),
              HasSubstr("/nowhere/lists: cannot open"));
}

TEST_F(PostingFile, TableMustFitTheCounts) {
  const std::vector<uint32_t> counts = {3, 60};
  write(counts, 0);
  EXPECT_EQ(table().n_bytes(), 3 * kPageBytes);
  first_page_[1] = 2;
  EXPECT_FALSE(table().is_whole());
  first_page_ = {0, 1};
  EXPECT_FALSE(table().is_whole());
  first_page_ = {1, 2, 4};
  EXPECT_FALSE(table().is_whole());
}

}  // namespace
}  // namespace carya
