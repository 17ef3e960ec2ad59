#include "carya/text/piece_trie.h"

#include <bit>

#include "carya/core/error.h"

namespace carya {

PieceTrie::PieceTrie(size_t expected_bytes)
    : edges_(std::bit_ceil(2 * expected_bytes + 64)), ids_(2, -1) {}

const PieceTrie::Edge* PieceTrie::find(uint32_t key) const noexcept {
  const size_t mask = edges_.size() - 1;
  for (size_t i = hash(key) & mask;; i = (i + 1) & mask) {
    if (edges_[i].key == key || edges_[i].key == 0) return &edges_[i];
  }
}

void PieceTrie::grow() {
  std::vector<Edge> old(edges_.size() * 2);
  old.swap(edges_);
  for (const Edge& edge : old) {
    if (edge.key != 0) *const_cast<Edge*>(find(edge.key)) = edge;
  }
}

void PieceTrie::insert(std::string_view piece, int32_t id) {
  uint32_t node = 1;
  for (const char c : piece) {
    if (2 * (n_edges_ + 1) > edges_.size()) grow();
    const uint32_t key = node << 8 | static_cast<unsigned char>(c);
    auto* edge = const_cast<Edge*>(find(key));
    if (edge->key == 0) {
      require(ids_.size() < size_t{1} << 24, "a vocabulary of more than 16 million bytes");
      *edge = {key, static_cast<uint32_t>(ids_.size())};
      ids_.push_back(-1);
      ++n_edges_;
    }
    node = edge->child;
  }
  ids_[node] = id;
}

PieceTrie::Match PieceTrie::longest_prefix(std::string_view text) const noexcept {
  Match match;
  uint32_t node = 1;
  for (size_t i = 0; i < text.size(); ++i) {
    const Edge* edge = find(node << 8 | static_cast<unsigned char>(text[i]));
    if (edge->key == 0) break;
    node = edge->child;
    if (ids_[node] >= 0) match = {ids_[node], i + 1};
  }
  return match;
}

}  // namespace carya
