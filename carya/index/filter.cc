#include "carya/index/filter.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

namespace carya {
namespace {

double share(size_t part, size_t all) {
  return all == 0 ? 0 : std::min(1.0, static_cast<double>(part) / static_cast<double>(all));
}

class SetFilter final : public Filter {
 public:
  SetFilter(std::span<const ItemId> ids, size_t n_items)
      : ids_(ids.begin(), ids.end()), selectivity_(share(ids_.size(), n_items)) {}
  bool accepts(ItemId id) const override { return ids_.contains(id); }
  double selectivity() const override { return selectivity_; }

 private:
  std::unordered_set<ItemId> ids_;
  double selectivity_;
};

}  // namespace

BitmapFilter::BitmapFilter(std::vector<bool> accepted, size_t n_items)
    : accepted_(std::move(accepted)),
      n_accepted_(static_cast<size_t>(std::ranges::count(accepted_, true))),
      selectivity_(share(n_accepted_, n_items == 0 ? accepted_.size() : n_items)) {}

std::unique_ptr<Filter> id_filter(std::span<const ItemId> ids, size_t n_items) {
  constexpr size_t kMaxBitsPerItem = 64;  // about what a hash table takes
  const ItemId largest = ids.empty() ? 0 : *std::ranges::max_element(ids);
  if (largest / kMaxBitsPerItem > std::max(n_items, ids.size())) {
    return std::make_unique<SetFilter>(ids, n_items);
  }
  std::vector<bool> accepted(ids.empty() ? 0 : largest + 1);
  for (const ItemId id : ids) accepted[id] = true;
  return std::make_unique<BitmapFilter>(std::move(accepted), std::max<size_t>(n_items, 1));
}

}  // namespace carya
