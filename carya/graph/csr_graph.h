#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/simd/knn.h"

namespace carya {

struct GraphEdge {
  uint32_t from, to;
  float weight;
};

// A weighted graph as compressed sparse rows: the neighbours of node i are
// neighbors(i), rising, with weights(i).  Undirected graphs hold each edge in both directions.
class CsrGraph {
 public:
  CsrGraph() : offsets_{0} {}
  // Weights of an edge that is given several times are added; loops are dropped.  Throws
  // kInvalidArgument if a node is n_nodes or more, or a weight is not finite.  O(edges log degree).
  static CsrGraph from_edges(size_t n_nodes, std::span<const GraphEdge> edges);

  size_t n_nodes() const noexcept { return offsets_.size() - 1; }
  size_t n_edges() const noexcept { return targets_.size(); }  // directed
  std::span<const uint32_t> neighbors(size_t node) const noexcept {
    return {targets_.data() + offsets_[node], offsets_[node + 1] - offsets_[node]};
  }
  std::span<const float> weights(size_t node) const noexcept {
    return {weights_.data() + offsets_[node], offsets_[node + 1] - offsets_[node]};
  }
  double degree(size_t node) const noexcept;  // the sum of the weights

 private:
  std::vector<size_t> offsets_;
  std::vector<uint32_t> targets_;
  std::vector<float> weights_;
};

// The undirected graph of k-nearest-neighbour lists: i and j are joined if one lists the other,
// with weight 1, or 2 if both do: mutual neighbours count twice, which keeps hubs from gluing
// clusters. Lists may be shorter (kNoNeighbor).
CsrGraph neighbor_graph(MatrixView<const uint32_t> ids);

// A component number per node, numbered by their first node.  O(nodes + edges).
std::vector<uint32_t> connected_components(const CsrGraph& graph, size_t* n_components = nullptr);

}  // namespace carya
