#pragma once

#include <algorithm>
#include <bit>
#include <compare>
#include <cstdint>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "carya/index/hnsw_graph.h"
#include "carya/index/index.h"
#include "carya/index/rows.h"
#include "carya/index/vector_store.h"

namespace carya {

// A slot and its distance in one integer that sorts as (distance, slot); the lowest bit tells that
// the slot's links have been followed.
class Scored {
 public:
  Scored() = default;
  Scored(float distance, uint32_t slot) {
    const auto bits = std::bit_cast<uint32_t>(distance);
    const uint32_t ordered = bits ^ (bits >> 31 != 0 ? 0xffffffffu : 0x80000000u);
    key_ = uint64_t{ordered} << 32 | uint64_t{slot} << 1;
  }
  uint32_t slot() const noexcept { return static_cast<uint32_t>(key_) >> 1; }
  float distance() const noexcept {
    const auto ordered = static_cast<uint32_t>(key_ >> 32);
    return std::bit_cast<float>(ordered ^ (ordered >> 31 != 0 ? 0x80000000u : 0xffffffffu));
  }
  bool is_followed() const noexcept { return (key_ & 1) != 0; }
  void mark_followed() noexcept { key_ |= 1; }
  auto operator<=>(const Scored&) const = default;

 private:
  uint64_t key_ = 0;
};

// The `capacity` nearest slots seen so far, sorted, and the next of them to follow.  It takes the
// place of the paper's two heaps: what falls out would never have been followed.
class Frontier {
 public:
  void reset(size_t capacity) {
    if (slots_.size() < capacity + 1) slots_.resize(capacity + 1);
    capacity_ = capacity;
    size_ = next_ = 0;
  }
  // True if the slot would be the next to follow.
  bool push(float distance, uint32_t slot) {
    const Scored scored(distance, slot);
    if (size_ == capacity_) {
      if (!(scored < slots_[size_ - 1])) return false;
    } else {
      ++size_;
    }
    Scored* const begin = slots_.data();
    Scored* const at = std::lower_bound(begin, begin + size_ - 1, scored);
    std::memmove(static_cast<void*>(at + 1), at, sizeof(Scored) * (begin + size_ - 1 - at));
    *at = scored;
    const auto place = static_cast<size_t>(at - begin);
    const bool is_next = place <= next_;
    next_ = std::min(next_, place);
    return is_next;
  }
  // The slot that follow_next() would give now.
  uint32_t peek_next() {
    while (next_ < size_ && slots_[next_].is_followed()) ++next_;
    return next_ == size_ ? kNoSlot : slots_[next_].slot();
  }
  // The nearest slot that has not been followed, or kNoSlot.
  uint32_t follow_next() {
    const uint32_t slot = peek_next();
    if (slot != kNoSlot) slots_[next_++].mark_followed();
    return slot;
  }
  std::span<const Scored> nearest() const noexcept { return {slots_.data(), size_}; }

 private:
  std::vector<Scored> slots_;
  size_t capacity_ = 0, size_ = 0, next_ = 0;
};

// What one running search writes to; reused by the next.
struct SearchScratch {
  Frontier frontier;
  std::vector<uint8_t> visited;  // [n_slots]; == epoch: seen by this search
  uint8_t epoch = 0;
  std::vector<uint32_t> slots;   // [2 m], of one hop
  std::vector<uint32_t> coming;  // [2 m], of the hop after
  std::vector<float> distances;  // [2 m]
  QueryBytes row;                // a row as a query
  SearchStats stats;

  // 255 searches share one clearing of `visited`.
  void begin_search(size_t n_slots, size_t width) {
    if (visited.size() < n_slots || ++epoch == 0) {
      visited.assign(n_slots, 0);
      epoch = 1;
    }
    if (slots.size() < width) {
      slots.resize(width);
      coming.resize(width);
      distances.resize(width);
    }
  }
  bool visit(uint32_t slot) {  // false if seen before
    if (visited[slot] == epoch) return false;
    visited[slot] = epoch;
    return true;
  }
};

// Lends scratch to the threads of a build: as many exist as searches ever ran at once.
class ScratchPool {
 public:
  struct Return {
    ScratchPool* pool;
    void operator()(SearchScratch* scratch) const { pool->put(scratch); }
  };
  using Lease = std::unique_ptr<SearchScratch, Return>;
  Lease borrow() {
    std::lock_guard lock(mutex_);
    if (free_.empty()) return Lease(new SearchScratch, {this});
    SearchScratch* scratch = free_.back().release();
    free_.pop_back();
    return Lease(scratch, {this});
  }

 private:
  void put(SearchScratch* scratch) {
    std::lock_guard lock(mutex_);
    free_.emplace_back(scratch);
  }
  std::mutex mutex_;
  std::vector<std::unique_ptr<SearchScratch>> free_;
};

// The search of the paper in one graph for one query, in the form of the rows.
class GraphSearch {
 public:
  GraphSearch(const HnswGraph& graph, const RowSet& rows, const std::byte* query)
      : graph_(graph), rows_(rows), query_(query) {}

  // Walks from the entry to the nearest node it meets on each level above `level`.
  Scored descend(size_t level, SearchScratch& scratch) const;
  // The about `effort` nearest nodes of a level, into scratch.frontier, from one node.
  void explore(Scored from, size_t level, size_t effort, SearchScratch& scratch) const;
  // The about `effort` nearest nodes of level 0 of which accept(slot) holds, nearest first; walks
  // over the others.  Nothing once it has computed more than max_distances.
  template <class Accept>
  std::optional<std::vector<Scored>> explore_accepted(Scored from, size_t effort,
                                                      size_t max_distances, const Accept& accept,
                                                      SearchScratch& scratch) const;

 private:
  // The links of `slot` that are new to this search, whose vectors begin to come: their count.
  size_t new_links(uint32_t slot, size_t level, SearchScratch& scratch,
                   std::vector<uint32_t>& to) const;
  // scratch.distances of the first n scratch.slots.
  void compare(size_t n, SearchScratch& scratch) const;
  size_t follow(uint32_t slot, size_t level, SearchScratch& scratch) const {
    const size_t n = new_links(slot, level, scratch, scratch.slots);
    compare(n, scratch);
    return n;
  }
  const HnswGraph& graph_;
  const RowSet& rows_;
  const std::byte* query_;
};

inline size_t GraphSearch::new_links(uint32_t slot, size_t level, SearchScratch& scratch,
                                     std::vector<uint32_t>& to) const {
  const uint32_t* const row = graph_.row(slot, level);
  const size_t width = graph_.width(level);
  size_t n = 0;
  for (size_t i = 0; i < width; ++i) {
    const uint32_t link = load_shared(row[i]);
    if (link == kNoSlot) break;
    if (!scratch.visit(link)) continue;
    to[n++] = link;
    rows_.prefetch(link);
  }
  ++scratch.stats.n_hops;
  return n;
}

inline void GraphSearch::compare(size_t n, SearchScratch& scratch) const {
  rows_.distances(query_, std::span(scratch.slots).first(n), scratch.distances.data());
  scratch.stats.n_distances += n;
}

template <class Accept>
std::optional<std::vector<Scored>> GraphSearch::explore_accepted(Scored from, size_t effort,
                                                                 size_t max_distances,
                                                                 const Accept& accept,
                                                                 SearchScratch& scratch) const {
  scratch.begin_search(graph_.capacity(), graph_.width(0));
  const auto farther = [](Scored a, Scored b) { return b < a; };
  std::vector<Scored> open = {from}, found;  // heaps: nearest, farthest first
  scratch.visit(from.slot());
  if (accept(from.slot())) found.push_back(from);
  size_t n_distances = 0;
  while (!open.empty()) {
    const Scored nearest = open.front();
    if (found.size() == effort && found.front() < nearest) break;
    std::ranges::pop_heap(open, farther);
    open.pop_back();
    const size_t n = follow(nearest.slot(), 0, scratch);
    n_distances += n;
    if (n_distances > max_distances) return std::nullopt;
    for (size_t i = 0; i < n; ++i) {
      const Scored next(scratch.distances[i], scratch.slots[i]);
      if (found.size() == effort && !(next < found.front())) continue;
      open.push_back(next);
      std::ranges::push_heap(open, farther);
      if (!accept(next.slot())) continue;
      if (found.size() == effort) {
        std::ranges::pop_heap(found);
        found.pop_back();
      }
      found.push_back(next);
      std::ranges::push_heap(found);
    }
  }
  std::ranges::sort(found);
  return found;
}

}  // namespace carya
