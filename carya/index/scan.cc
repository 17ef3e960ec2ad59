#include "carya/index/scan.h"

#include <algorithm>
#include <array>

#include "carya/core/parallel.h"
#include "carya/index/hit_select.h"
#include "carya/index/ranker.h"

namespace carya {
namespace {

constexpr size_t kBlock = 8192;  // slots per task: 3 MB at 100 dims, worth a thread's wake-up
constexpr size_t kBatch = 512;   // distances that are compared while in L1
// Above this share it is cheaper to compute all distances and to ask the filter about near ones.
constexpr double kGatherSelectivity = 0.3;

}  // namespace

std::vector<Hit> scan(const VectorStore& store, std::span<const float> query,
                      const SearchOptions& options) {
  return scan(store, query, options, 0, store.n_slots());
}

std::vector<Hit> scan(const VectorStore& store, std::span<const float> query,
                      const SearchOptions& options, size_t first_slot, size_t last_slot) {
  const size_t n = last_slot - first_slot, n_blocks = (n + kBlock - 1) / kBlock;
  const Filter* filter = options.filter;
  const bool ask_first = filter != nullptr && filter->selectivity() < kGatherSelectivity;
  const Ranker ranker(store, query, options.exact);
  std::vector<std::vector<Hit>> nearest(n_blocks);
  std::vector<size_t> n_distances(n_blocks);
  parallel_for(first_slot, last_slot, kBlock, [&](size_t first, size_t last) {
    HitSelect select(std::min(options.k, last - first));
    std::array<float, kBatch> distance;
    std::array<uint32_t, kBatch> slots;
    size_t computed = 0;
    for (size_t begin = first; begin < last; begin += kBatch) {
      size_t count = 0;
      for (size_t slot = begin; slot < std::min(last, begin + kBatch); ++slot) {
        // Before its vector is read: that of a dead slot may be changing.
        if (!store.is_live(slot)) continue;
        if (ask_first && !filter->accepts(store.id(slot))) continue;
        slots[count++] = static_cast<uint32_t>(slot);
      }
      ranker.distances(std::span(slots).first(count), distance);
      computed += count;
      for (size_t i = 0; i < count; ++i) {
        if (!(distance[i] <= select.threshold())) continue;
        const ItemId id = store.id(slots[i]);
        if (filter == nullptr || ask_first || filter->accepts(id)) select.push({id, distance[i]});
      }
    }
    nearest[(first - first_slot) / kBlock] = select.take();
    n_distances[(first - first_slot) / kBlock] = computed;
  });
  HitSelect select(std::min(options.k, std::max<size_t>(n, 1)));
  for (const std::vector<Hit>& hits : nearest) select.push(hits);
  std::vector<Hit> hits = select.take();
  for (Hit& hit : hits) hit.distance = store.shown(hit.distance);
  std::ranges::sort(hits, nearer);  // 1 - x rounds: there may be new ties
  if (options.stats != nullptr) {
    for (size_t computed : n_distances) options.stats->n_distances += computed;
  }
  return hits;
}

}  // namespace carya
