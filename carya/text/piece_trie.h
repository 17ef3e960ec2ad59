#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace carya {

// Strings with an id, for finding the longest one that a text begins with.  The edges of the trie
// lie in one hash table: two cache lines a byte.  Immutable after the last insert.
class PieceTrie {
 public:
  struct Match {
    int32_t id = -1;  // -1: no string is a prefix
    size_t length = 0;
  };
  explicit PieceTrie(size_t expected_bytes = 1024);
  // The last of equal strings counts.
  void insert(std::string_view piece, int32_t id);
  Match longest_prefix(std::string_view text) const noexcept;

 private:
  struct Edge {
    uint32_t key = 0;  // parent node * 256 + byte; 0: free (the root is node 1)
    uint32_t child = 0;
  };
  static size_t hash(uint32_t key) noexcept { return key * uint64_t{0x9e3779b97f4a7c15} >> 32; }
  const Edge* find(uint32_t key) const noexcept;
  void grow();

  std::vector<Edge> edges_;  // a power of two, at most half full
  size_t n_edges_ = 0;
  std::vector<int32_t> ids_;  // per node, -1 if no string ends there
};

}  // namespace carya
