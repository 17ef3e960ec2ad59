#include "carya/graph/csr_graph.h"

#include <algorithm>
#include <cmath>

#include "carya/core/error.h"
#include "carya/core/parallel.h"

namespace carya {

CsrGraph CsrGraph::from_edges(size_t n_nodes, std::span<const GraphEdge> edges) {
  CsrGraph graph;
  std::vector<size_t> starts(n_nodes + 1, 0);
  for (const GraphEdge& edge : edges) {
    require(edge.from < n_nodes && edge.to < n_nodes, "edge {} - {} is outside the {} nodes",
            edge.from, edge.to, n_nodes);
    require(std::isfinite(edge.weight), "edge {} - {} has weight {}", edge.from, edge.to,
            edge.weight);
    if (edge.from != edge.to) ++starts[edge.from + 1];
  }
  for (size_t i = 0; i < n_nodes; ++i) starts[i + 1] += starts[i];
  std::vector<std::pair<uint32_t, float>> sorted(starts[n_nodes]);
  std::vector<size_t> next(starts.begin(), starts.end() - 1);
  for (const GraphEdge& edge : edges) {
    if (edge.from != edge.to) sorted[next[edge.from]++] = {edge.to, edge.weight};
  }
  std::vector<size_t> kept(n_nodes);
  parallel_for(0, n_nodes, 4096, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      const auto begin = sorted.begin() + static_cast<ptrdiff_t>(starts[i]);
      const auto end = sorted.begin() + static_cast<ptrdiff_t>(starts[i + 1]);
      std::ranges::sort(begin,
                        end);  // by weight too, so that sums do not depend on the input's order
      auto out = begin;
      for (auto in = begin; in != end; ++in) {
        if (out != begin && (out - 1)->first == in->first) {
          (out - 1)->second += in->second;
        } else {
          *out++ = *in;
        }
      }
      kept[i] = static_cast<size_t>(out - begin);
    }
  });
  graph.offsets_.resize(n_nodes + 1);
  for (size_t i = 0; i < n_nodes; ++i) graph.offsets_[i + 1] = graph.offsets_[i] + kept[i];
  graph.targets_.resize(graph.offsets_[n_nodes]);
  graph.weights_.resize(graph.offsets_[n_nodes]);
  for (size_t i = 0; i < n_nodes; ++i) {
    for (size_t j = 0; j < kept[i]; ++j) {
      graph.targets_[graph.offsets_[i] + j] = sorted[starts[i] + j].first;
      graph.weights_[graph.offsets_[i] + j] = sorted[starts[i] + j].second;
    }
  }
  return graph;
}

double CsrGraph::degree(size_t node) const noexcept {
  double sum = 0;
  for (float weight : weights(node)) sum += weight;
  return sum;
}

CsrGraph neighbor_graph(MatrixView<const uint32_t> ids) {
  std::vector<GraphEdge> edges;
  edges.reserve(2 * ids.rows() * ids.cols());
  for (size_t i = 0; i < ids.rows(); ++i) {
    for (uint32_t j : ids.row(i)) {
      if (j == kNoNeighbor) continue;
      edges.push_back({static_cast<uint32_t>(i), j, 1});
      edges.push_back({j, static_cast<uint32_t>(i), 1});
    }
  }
  return CsrGraph::from_edges(ids.rows(), edges);
}

std::vector<uint32_t> connected_components(const CsrGraph& graph, size_t* n_components) {
  constexpr uint32_t kUnseen = 0xffffffffu;
  std::vector<uint32_t> component(graph.n_nodes(), kUnseen), stack;
  uint32_t count = 0;
  for (size_t start = 0; start < graph.n_nodes(); ++start) {
    if (component[start] != kUnseen) continue;
    component[start] = count;
    stack.push_back(static_cast<uint32_t>(start));
    while (!stack.empty()) {
      const uint32_t node = stack.back();
      stack.pop_back();
      for (uint32_t other : graph.neighbors(node)) {
        if (component[other] != kUnseen) continue;
        component[other] = count;
        stack.push_back(other);
      }
    }
    ++count;
  }
  if (n_components != nullptr) *n_components = count;
  return component;
}

}  // namespace carya
