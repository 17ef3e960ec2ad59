#include "carya/index/window_build.h"

#include <numeric>

#include "carya/core/parallel.h"
#include "carya/index/knn_graph.h"

namespace carya {
namespace {

constexpr size_t kNeighbors = 30;      // known ones, that choose a node's links
constexpr size_t kLargeNode = 16'384;  // rows; such nodes keep all threads busy one by one

// How a graph of codes alone is to keep vectors: f32 where codes would be too coarse.
VectorStorage storage_for(const VectorStore& store, const VectorStorage& wanted) {
  if (wanted.exact || store.n_slots() < VectorStore::kMinTraining) return wanted;
  VectorStore probe(store.dim(), store.metric(), {.exact = RowFormat::kF32, .codes = wanted.codes});
  probe.train(vectors_of(store));
  if (probe.has_codes()) return wanted;
  return {.exact = RowFormat::kF32, .codes = {}};
}

// Neighbours that are known, by fast tiles of distances, spare most of the searches of add().  Unit
// vectors have the same neighbours by squared distance as by cosine; products have no such tiles.
Hnsw graph_of(std::span<const ItemId> ids, MatrixView<const float> vectors, Metric metric,
              const HnswOptions& options) {
  if (metric != Metric::kInnerProduct) {
    const Neighbors known =
        knn_graph(vectors, {.k = std::min(kNeighbors, std::max<size_t>(ids.size(), 2) - 1)});
    return Hnsw::build(ids, vectors, known, metric, options);
  }
  Hnsw graph(vectors.cols(), metric, options);
  graph.add(ids, vectors);
  return graph;
}

}  // namespace

MatrixView<const float> vectors_of(const VectorStore& store) {
  const RowSet rows = store.ranked().set();
  return {reinterpret_cast<const float*>(rows.data), store.n_slots(), rows.dim,
          rows.stride / sizeof(float)};
}

void build_nodes(std::span<WindowNode> nodes, const VectorStore& store,
                 const WindowOptions& options, Progress* progress) {
  const MatrixView<const float> vectors = vectors_of(store);
  HnswOptions hnsw = options.hnsw;
  hnsw.storage = storage_for(store, hnsw.storage);
  std::vector<ItemId> rows(store.n_slots());
  std::iota(rows.begin(), rows.end(), ItemId{0});
  size_t n_items = 0;
  for (const WindowNode& node : nodes) n_items += node.rows.size();
  begin_stage(progress, "vectors into the graphs of windows", n_items, "vectors");
  const auto build = [&](WindowNode& node) {
    const size_t n = node.rows.size();
    const auto ids = std::span<const ItemId>(rows).subspan(node.rows.first, n);
    const MatrixView<const float> part = vectors.slice(node.rows.first, n);
    if (options.factory) {
      node.index = options.factory(store.dim(), store.metric());
      require(node.index != nullptr && node.index->dim() == store.dim() &&
                  node.index->metric() == store.metric(),
              "the factory of a window index made no index of {} dims and its metric", store.dim());
      node.index->add(ids, part);
    } else {
      Hnsw graph = graph_of(ids, part, store.metric(), hnsw);
      graph.compact();  // near nodes near in memory
      node.index = std::make_unique<Hnsw>(std::move(graph));
    }
    advance(progress, n);
  };
  std::vector<WindowNode*> small;
  for (WindowNode& node : nodes) {
    if (node.rows.size() > kLargeNode) {
      build(node);
    } else {
      small.push_back(&node);
    }
  }
  parallel_for(0, small.size(), 1, [&](size_t first, size_t) { build(*small[first]); });
}

}  // namespace carya
