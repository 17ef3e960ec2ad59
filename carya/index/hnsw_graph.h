#pragma once

#include <cstdint>
#include <span>

#include "carya/core/container.h"
#include "carya/index/column.h"
#include "carya/index/vector_store.h"

namespace carya {

// The links of an HNSW: who sees whom on which level.  A row of links has a fixed width (2 m on
// level 0, m above) and ends at its first kNoSlot; m = 16 makes a level-0 row two cache lines.
//
// A copy is what readers hold: it shares the arrays with the original (see Column), which may
// change links in place.  A reader may see a row half old and half new: each link leads to a node.
//
// Identical vectors would crowd each other out of all rows.  So only the first of them, the head,
// has links; its twins hang in a list behind it.
class HnswGraph {
 public:
  explicit HnswGraph(size_t m) : m_(m) {}

  size_t m() const noexcept { return m_; }
  size_t n_slots() const noexcept { return levels_.size(); }
  // No link leads beyond, in the arrays as they are.
  size_t capacity() const noexcept { return levels_.capacity(); }
  size_t width(size_t level) const noexcept { return level == 0 ? 2 * m_ : m_; }
  size_t level(size_t slot) const noexcept { return levels_[slot]; }
  uint32_t entry() const noexcept { return entry_; }  // kNoSlot: the graph is empty
  size_t top() const noexcept { return top_; }        // the entry's level

  // The whole row, with what stands behind the end.
  const uint32_t* row(size_t slot, size_t level) const noexcept {
    return level == 0 ? links_.data() + slot * 2 * m_
                      : upper_links_.data() + (upper_begin_[slot] + level - 1) * m_;
  }
  void prefetch(size_t slot, size_t level) const noexcept {
    const uint32_t* const links = row(slot, level);
    for (size_t i = 0; i < width(level); i += 16) __builtin_prefetch(links + i);
  }
  // For one who changes nothing meanwhile: readers load_shared() the row up to its end.
  std::span<const uint32_t> links(size_t slot, size_t level) const noexcept;
  // links: at most width(level).
  void set_links(size_t slot, size_t level, std::span<const uint32_t> links) noexcept;

  void reallocate(size_t n_slots);  // all arrays move to new memory
  // An unlinked slot, new or dead until now.
  void set_slot(uint32_t slot, size_t level);
  void set_entry(uint32_t slot) noexcept {
    entry_ = slot;
    top_ = slot == kNoSlot ? 0 : level(slot);
  }
  void own();

  uint32_t next_twin(size_t slot) const noexcept { return load_shared(next_twin_[slot]); }
  bool is_twin(size_t slot) const noexcept { return levels_[slot] == kTwinLevel; }
  bool is_free(size_t slot) const noexcept { return levels_[slot] == kFreeLevel; }
  bool is_node(size_t slot) const noexcept { return levels_[slot] < kFreeLevel; }
  // Nothing may lead to it any more.  Its links stay for searches that are there already.
  void free_slot(uint32_t slot) { levels_.mutable_data()[slot] = kFreeLevel; }
  void add_twin(uint32_t head, uint32_t slot);
  void set_next_twin(uint32_t slot, uint32_t next) {
    store_shared(next_twin_.mutable_data()[slot], next);
  }
  // The same graph with node slots[i] in slot i; all that is linked must be there.
  HnswGraph ordered(std::span<const uint32_t> slots) const;

  void save(ContainerWriter& out) const;
  // Checks every link, so that a search cannot leave the arrays whatever the file holds.  O(links).
  static HnswGraph open(const Container& in, size_t m, size_t n_slots, uint32_t entry);

 private:
  static constexpr uint8_t kTwinLevel = 255, kFreeLevel = 254;
  void check(const Container& in) const;
  void check_twins(const Container& in) const;

  size_t m_;
  uint32_t entry_ = kNoSlot;
  size_t top_ = 0;
  Column<uint32_t> links_;        // [n_slots, 2 m], level 0
  Column<uint8_t> levels_;        // [n_slots]; or kTwinLevel, kFreeLevel
  Column<uint32_t> upper_begin_;  // [n_slots]; first row in upper_links_, if level > 0
  Column<uint32_t> upper_links_;  // [n_rows, m]
  Column<uint32_t> next_twin_;    // [n_slots]; kNoSlot ends the list
};

constexpr size_t kMaxLevel = 30;

}  // namespace carya
