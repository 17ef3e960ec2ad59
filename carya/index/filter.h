#pragma once

#include <memory>
#include <span>
#include <vector>

#include "carya/index/index.h"

namespace carya {

// Accepts the ids whose bit is set.
class BitmapFilter final : public Filter {
 public:
  // accepted [n]: of the ids 0 .. n-1; others are not.  n_items: of the index, n by default.
  explicit BitmapFilter(std::vector<bool> accepted, size_t n_items = 0);
  bool accepts(ItemId id) const override { return id < accepted_.size() && accepted_[id]; }
  double selectivity() const override { return selectivity_; }
  size_t n_accepted() const { return n_accepted_; }

 private:
  std::vector<bool> accepted_;
  size_t n_accepted_;
  double selectivity_;
};

// Accepts these ids, whatever they are, of an index of n_items.  A bit each where they are small
// numbers, else a hash table.
std::unique_ptr<Filter> id_filter(std::span<const ItemId> ids, size_t n_items);

}  // namespace carya
