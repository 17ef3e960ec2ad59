#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>

namespace carya {

struct Candidate {
  float distance;
  uint32_t id;
  // The order of all results: by distance, equal ones by id.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return a.distance < b.distance || (a.distance == b.distance && a.id < b.id);
  }
};

// Keeps the k smallest candidates of a stream, sorted, in memory that the caller owns.
//
//   KSelect nearest(ids, distances);              // k = ids.size()
//   if (d < nearest.threshold()) batch.push_back({d, id});
//   nearest.merge(batch);                         // reorders the batch
class KSelect {
 public:
  KSelect(std::span<uint32_t> ids, std::span<float> distances, size_t found = 0)
      : ids_(ids), distances_(distances), found_(found) {}
  size_t found() const noexcept { return found_; }
  // What a candidate must be below to enter, if it comes with a larger id than all before it;
  // infinity until k are there.
  float threshold() const noexcept {
    return found_ < ids_.size() ? std::numeric_limits<float>::infinity() : distances_[found_ - 1];
  }
  // O(m log m + k) for m candidates; less if they rank late.
  void merge(std::span<Candidate> batch) {
    std::sort(batch.begin(), batch.end());
    size_t old_left = found_, new_left = batch.size();
    size_t to = found_ = std::min(found_ + batch.size(), ids_.size());
    // The sizes are known, so both sorted lists are merged from the back, in place; what does not
    // fit is dropped first.
    for (size_t drop = old_left + new_left - to; drop > 0; --drop) {
      if (old_left > 0 && (new_left == 0 || batch[new_left - 1] < old(old_left - 1))) {
        --old_left;
      } else {
        --new_left;
      }
    }
    while (new_left > 0) {
      const bool take_old = old_left > 0 && batch[new_left - 1] < old(old_left - 1);
      set(--to, take_old ? old(--old_left) : batch[--new_left]);
    }
  }

 private:
  Candidate old(size_t i) const { return {distances_[i], ids_[i]}; }
  void set(size_t i, const Candidate& c) {
    distances_[i] = c.distance;
    ids_[i] = c.id;
  }
  std::span<uint32_t> ids_;
  std::span<float> distances_;
  size_t found_;
};

}  // namespace carya
