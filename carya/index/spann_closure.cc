#include "carya/index/spann_closure.h"

#include <algorithm>
#include <numeric>

#include "carya/core/parallel.h"
#include "carya/simd/distance.h"

namespace carya {
namespace {

constexpr size_t kChunk = 1024;  // rows of a task
constexpr uint32_t kNoList = 0xffffffffu;

struct Copy {
  uint32_t list = kNoList;
  float distance = 0;  // squared
};

struct InList {
  uint32_t item;
  float distance;
  bool is_last;  // copy of the item
  // What is kept first.
  friend bool operator<(const InList& a, const InList& b) {
    if (a.is_last != b.is_last) return a.is_last;
    return a.distance != b.distance ? a.distance < b.distance : a.item < b.item;
  }
};

// The lists of one vector, nearest head first; copies [n_copies].
void choose(std::span<const float> vector, MatrixView<const float> heads,
            std::span<const Hit> candidates, const ClosureOptions& options,
            std::span<Copy> copies) {
  std::vector<uint32_t> lists;
  for (const Hit& hit : candidates) lists.push_back(static_cast<uint32_t>(hit.id));
  std::vector<float> distance(lists.size());
  distances(Metric::kSquaredL2, vector, heads, lists, distance);
  std::vector<Copy> near(lists.size());
  for (size_t i = 0; i < near.size(); ++i) near[i] = {lists[i], distance[i]};
  std::ranges::sort(near, [](const Copy& a, const Copy& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.list < b.list;
  });
  size_t n_chosen = 0;
  std::vector<uint32_t> chosen;
  for (const Copy& copy : near) {
    if (n_chosen == copies.size()) break;
    if (n_chosen > 0) {
      if (double{copy.distance} > (1 + options.reach) * double{near[0].distance}) break;
      if (options.skip_related) {
        distance.resize(chosen.size());
        distances(Metric::kSquaredL2, heads.row(copy.list), heads, chosen, distance);
        if (std::ranges::any_of(distance, [&](float d) { return d < copy.distance; })) continue;
      }
    }
    copies[n_chosen++] = copy;
    chosen.push_back(copy.list);
  }
}

}  // namespace

void ClosureOptions::validate() const {
  require(n_copies >= 1 && n_copies <= kClosureCandidates,
          "n_copies is {}: a vector lies in 1 to {} lists", n_copies, kClosureCandidates);
  require(reach >= 0, "reach is {}: it must be at least 0", reach);
}

std::vector<uint32_t> Lists::sizes() const {
  std::vector<uint32_t> sizes(first.empty() ? 0 : first.size() - 1);
  for (size_t i = 0; i < sizes.size(); ++i) {
    sizes[i] = static_cast<uint32_t>(first[i + 1] - first[i]);
  }
  return sizes;
}

Lists closure(const IndexedRows& rows, MatrixView<const float> heads, const Hnsw& head_index,
              size_t capacity, const ClosureOptions& options, Progress* progress) {
  options.validate();
  const size_t n = rows.size(), n_lists = heads.rows(), n_copies = options.n_copies;
  begin_stage(progress, "vectors into lists", n, "vectors");
  std::vector<Copy> copies(n * n_copies);
  parallel_for(0, n, kChunk, [&](size_t first, size_t last) {
    std::vector<uint32_t> items(last - first);
    std::iota(items.begin(), items.end(), static_cast<uint32_t>(first));
    const Matrix<float> vectors = rows.gather(items);
    for (size_t i = first; i < last; ++i) {
      const std::span<const float> vector = vectors.row(i - first);
      const std::vector<Hit> near = head_index.search(vector, {.k = kClosureCandidates});
      choose(vector, heads, near, options, std::span(copies).subspan(i * n_copies, n_copies));
    }
    advance(progress, last - first);
  });

  std::vector<size_t> begin(n_lists + 1);
  for (const Copy& copy : copies) {
    if (copy.list != kNoList) ++begin[copy.list + 1];
  }
  std::partial_sum(begin.begin(), begin.end(), begin.begin());
  std::vector<InList> all(begin.back());
  std::vector<size_t> next(begin.begin(), begin.end() - 1);
  for (size_t i = 0; i < copies.size(); ++i) {
    const Copy& copy = copies[i];
    if (copy.list == kNoList) continue;
    all[next[copy.list]++] = {static_cast<uint32_t>(i / n_copies), copy.distance,
                              i % n_copies == 0};
  }
  std::vector<size_t> kept(n_lists);
  parallel_for(0, n_lists, 256, [&](size_t first, size_t last) {
    for (size_t list = first; list < last; ++list) {
      const std::span<InList> items =
          std::span(all).subspan(begin[list], begin[list + 1] - begin[list]);
      std::sort(items.begin(), items.end());
      const auto n_last = static_cast<size_t>(
          std::ranges::count_if(items, [](const InList& item) { return item.is_last; }));
      kept[list] = std::min(items.size(), std::max(n_last, capacity));
      std::ranges::sort(items.first(kept[list]), [](const InList& a, const InList& b) {
        return a.distance != b.distance ? a.distance < b.distance : a.item < b.item;
      });
    }
  });
  Lists lists;
  lists.first.resize(n_lists + 1);
  std::partial_sum(kept.begin(), kept.end(), lists.first.begin() + 1);
  lists.items.resize(lists.first.back());
  for (size_t list = 0; list < n_lists; ++list) {
    for (size_t i = 0; i < kept[list]; ++i) {
      lists.items[lists.first[list] + i] = all[begin[list] + i].item;
    }
  }
  return lists;
}

}  // namespace carya
