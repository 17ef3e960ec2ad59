#include "carya/index/hnsw_graph.h"

#include <algorithm>
#include <vector>

namespace carya {

std::span<const uint32_t> HnswGraph::links(size_t slot, size_t level) const noexcept {
  const uint32_t* begin = row(slot, level);
  return {begin, std::find(begin, begin + width(level), kNoSlot)};
}

void HnswGraph::set_links(size_t slot, size_t level, std::span<const uint32_t> links) noexcept {
  uint32_t* const to = level == 0
                           ? links_.mutable_data() + slot * 2 * m_
                           : upper_links_.mutable_data() + (upper_begin_[slot] + level - 1) * m_;
  for (size_t i = 0; i < width(level); ++i) {
    store_shared(to[i], i < links.size() ? links[i] : kNoSlot);
  }
}

void HnswGraph::reallocate(size_t n) {
  links_.reallocate(n * 2 * m_);
  levels_.reallocate(n);
  upper_begin_.reallocate(n);
  upper_links_.reallocate(upper_links_.size());
  next_twin_.reallocate(n);
}

void HnswGraph::set_slot(uint32_t slot, size_t level) {
  own();
  if (slot >= n_slots()) {
    links_.resize((size_t{slot} + 1) * 2 * m_, kNoSlot);
    levels_.resize(size_t{slot} + 1);
    upper_begin_.resize(size_t{slot} + 1);
    next_twin_.resize(size_t{slot} + 1, kNoSlot);
  }
  const size_t had = is_node(slot) ? levels_[slot] : 0;
  levels_.mutable_data()[slot] = static_cast<uint8_t>(level);
  if (level > had) {  // the rows of a former, lower level are lost: 1 slot in m has any
    upper_begin_.mutable_data()[slot] = static_cast<uint32_t>(upper_links_.size() / m_);
    upper_links_.resize(upper_links_.size() + level * m_, kNoSlot);
  }
  for (size_t l = 0; l <= level; ++l) set_links(slot, l, {});
  set_next_twin(slot, kNoSlot);
}

void HnswGraph::add_twin(uint32_t head, uint32_t slot) {
  set_slot(slot, 0);
  levels_.mutable_data()[slot] = kTwinLevel;
  set_next_twin(slot, next_twin(head));
  set_next_twin(head, slot);
}

HnswGraph HnswGraph::ordered(std::span<const uint32_t> slots) const {
  HnswGraph to(m_);
  std::vector<uint32_t> new_slot(n_slots(), kNoSlot);
  for (uint32_t i = 0; i < slots.size(); ++i) new_slot[slots[i]] = i;
  const auto moved = [&](uint32_t slot) { return slot == kNoSlot ? kNoSlot : new_slot[slot]; };
  std::vector<uint32_t> row;
  for (uint32_t i = 0; i < slots.size(); ++i) {
    const uint32_t from = slots[i];
    to.set_slot(i, is_node(from) ? level(from) : 0);
    to.levels_.mutable_data()[i] = levels_[from];
    to.set_next_twin(i, moved(next_twin(from)));
    for (size_t l = 0; is_node(from) && l <= level(from); ++l) {
      row.clear();
      for (uint32_t link : links(from, l)) row.push_back(moved(link));
      to.set_links(i, l, row);
    }
  }
  to.set_entry(moved(entry_));
  return to;
}

void HnswGraph::own() {
  links_.own();
  levels_.own();
  upper_begin_.own();
  upper_links_.own();
  next_twin_.own();
}

void HnswGraph::save(ContainerWriter& out) const {
  out.add("links", links_.values());
  out.add("levels", levels_.values());
  out.add("upper_begin", upper_begin_.values());
  out.add("upper_links", upper_links_.values());
  out.add("next_twin", next_twin_.values());
}

HnswGraph HnswGraph::open(const Container& in, size_t m, size_t n, uint32_t entry) {
  HnswGraph graph(m);
  graph.links_ = Column<uint32_t>::mapped(in.array<uint32_t>("links"));
  graph.levels_ = Column<uint8_t>::mapped(in.array<uint8_t>("levels"));
  graph.upper_begin_ = Column<uint32_t>::mapped(in.array<uint32_t>("upper_begin"));
  graph.upper_links_ = Column<uint32_t>::mapped(in.array<uint32_t>("upper_links"));
  graph.next_twin_ = Column<uint32_t>::mapped(in.array<uint32_t>("next_twin"));
  if (graph.links_.size() != n * 2 * m || graph.levels_.size() != n ||
      graph.upper_begin_.size() != n || graph.next_twin_.size() != n ||
      graph.upper_links_.size() % m != 0) {
    in.fail(fmt::format("the arrays of the graph do not match {} vectors", n));
  }
  graph.entry_ = entry;
  graph.check(in);
  graph.check_twins(in);
  graph.set_entry(entry);
  return graph;
}

void HnswGraph::check(const Container& in) const {
  const size_t n = n_slots(), n_rows = upper_links_.size() / m_;
  for (size_t slot = 0; slot < n; ++slot) {
    const size_t level = levels_[slot];
    if (!is_node(slot) || level == 0) continue;
    if (level > kMaxLevel || upper_begin_[slot] > n_rows || level > n_rows - upper_begin_[slot]) {
      in.fail(fmt::format("node {}: its upper links lie outside", slot));
    }
  }
  if (entry_ == kNoSlot ? n != 0 : entry_ >= n || !is_node(entry_)) {
    in.fail("the entry point is not a node");
  }
  for (size_t slot = 0; slot < n; ++slot) {
    for (size_t level = 0; is_node(slot) && level <= levels_[slot]; ++level) {
      for (uint32_t to : links(slot, level)) {
        if (to >= n || !is_node(to) || levels_[to] < level) {
          in.fail(fmt::format("node {}: a link on level {} leads to {}, which is not there", slot,
                              level, to));
        }
      }
    }
  }
}

void HnswGraph::check_twins(const Container& in) const {  // each in one list, or a search may loop
  std::vector<uint8_t> seen(n_slots());
  for (size_t head = 0; head < n_slots(); ++head) {
    if (!is_node(head)) continue;
    for (uint32_t twin = next_twin(head); twin != kNoSlot; twin = next_twin(twin)) {
      if (twin >= n_slots() || !is_twin(twin) || seen[twin]) {
        in.fail(fmt::format("node {}: its list of identical vectors is broken", head));
      }
      seen[twin] = 1;
    }
  }
}

}  // namespace carya
