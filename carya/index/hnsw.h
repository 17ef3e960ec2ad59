#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "carya/core/progress.h"
#include "carya/index/hnsw_graph.h"
#include "carya/index/index.h"
#include "carya/index/vector_store.h"
#include "carya/simd/knn.h"

namespace carya {

class Ranker;
class Scored;

struct HnswOptions {
  // Links of a node on the levels above 0, and twice as many on level 0; 2 .. 512.  More: better
  // recall in high dims, 8 m more bytes per item.
  size_t m = 16;
  // Candidates that choose the links of a new item; m .. 100,000.  More: slower to build, better.
  size_t ef_construction = 200;
  uint64_t seed = 0;  // draws the levels
  // The graph is built and walked on codes where there are any, and answers are ranked by the exact
  // vectors.  int8 codes halve the time of a search.  {.exact = {}, .codes = kInt8} keeps a quarter
  // of the memory: for callers that give SearchOptions::exact, or need no exact answers.
  // Binary metrics keep bits, kUser keeps f32, both without codes: for them the default means that.
  VectorStorage storage = {.exact = RowFormat::kF32, .codes = RowFormat::kInt8};
  DistanceFunction distance = {};  // of Metric::kUser, and only of it
  void validate() const;
};

// What a search reads: a copy is published after each change.
struct HnswState {
  VectorStore store;
  HnswGraph graph;
  size_t n_dead = 0;  // nodes and twins that searches walk over for nothing
  std::shared_ptr<const Container> file = nullptr;  // what mapped arrays lie in
};

// Hierarchical navigable small world graph: approximate nearest neighbours in about log n hops
// (Malkov & Yashunin 2016; card 015).  Memory per item: 8.4 m + 18 bytes, 4 dim (f32) or 2 dim
// (bf16) for exact vectors, dim (int8) or dim / 2 (int4) for codes, dim / 8 for bits, rows rounded
// up to 64 bytes; and about 80 more from the first change on (two hash tables).
//
// Items come in batches that grow with the graph (Manohar et al. 2024, ParlayANN): all of a batch
// search the same graph at once, see each other exactly, and then are linked in a fixed order.  So
// the graph, byte for byte, depends on the items, their order and the options only, not on the
// threads.  Among identical vectors any k may be found, not those with the smallest ids.
//
// Searches may run while one thread changes the index, and never wait for it; changes wait for each
// other.  A search sees an item wholly or not at all, and one that is being updated as it was or as
// it is.  (Slots are used again only when no search can be at them, so under concurrent searches
// their numbers, and the bytes of the file, may depend on timing.)
//
//   Hnsw index(384, Metric::kCosine);
//   index.add(ids, vectors);
//   std::vector<Hit> hits = index.search(query, {.k = 10, .effort = 100});
//
// Any symmetric distance of two vectors may take a metric's place; the graph needs no more of it
// than that a neighbour's neighbour tends to be near:
//   Hnsw by_canberra(24, Metric::kUser, {.distance = canberra});
class Hnsw : public Index {
 public:
  Hnsw(size_t dim, Metric metric, const HnswOptions& options = {});
  ~Hnsw() override;
  Hnsw(Hnsw&&) noexcept;
  Hnsw& operator=(Hnsw&&) noexcept;

  // The index of ids and vectors whose nearest neighbours are known already: known.ids(i) are rows
  // of `vectors`, as exact_knn_graph() with this metric gives them.  Many times faster than add(),
  // since only the levels above 0, 1 item in m, are searched.
  static Hnsw build(std::span<const ItemId> ids, MatrixView<const float> vectors,
                    const Neighbors& known, Metric metric, const HnswOptions& options = {},
                    Progress* progress = nullptr);

  size_t dim() const noexcept override { return dim_; }
  size_t size() const noexcept override;
  Metric metric() const noexcept override { return metric_; }
  const HnswOptions& options() const noexcept { return options_; }

  void add(std::span<const ItemId> ids, MatrixView<const float> vectors,
           Progress* progress = nullptr) override;
  // The item is found no more; its node stays as a waypoint until a fifth of the nodes is dead,
  // when their neighbours are linked past them and their slots are used again.
  bool remove(ItemId id) override;
  void update(std::span<const ItemId> ids, MatrixView<const float> vectors) override;
  // Drops the dead and puts items that are linked close together in memory; answers stay the same
  // but for the dead.  Needs the memory of a second index meanwhile.
  void compact();
  // effort: candidates kept, at least k; 0 is kDefaultEffort.  Where reading all (accepted) vectors
  // is cheaper, because they are few or the effort is high, it does that, and is exact.
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  static constexpr size_t kDefaultEffort = 100;

  void save(const std::filesystem::path& path) const override;
  // Maps the file; the first change copies it to memory.  distance: the function of a kUser index.
  // Throws kNotFound, kCorrupt, and kInvalidArgument if the function lacks or has no use.
  static Hnsw open(const std::filesystem::path& path, const DistanceFunction& distance = {});
  // The same within a larger file: as sections of it, or of a part (ContainerWriter::add_part). The
  // index must live, unchanged, until `out` is saved.
  void save(ContainerWriter& out) const;
  static Hnsw open(Container file, const DistanceFunction& distance = {});
  static constexpr std::string_view kFileKind = "hnsw";
  static constexpr uint32_t kFileVersion = 2;

 private:
  struct Shared;  // with searches that run at once
  void publish();
  void prepare(std::span<const ItemId> ids, MatrixView<const float> vectors);
  void insert(std::span<const ItemId> ids, MatrixView<const float> vectors, Progress* progress);
  std::vector<uint32_t> take_slots(size_t n);
  // Hangs vectors that are there already behind their heads; the others, which need links.
  std::vector<uint32_t> without_twins(std::span<const uint32_t> slots);
  void index_heads();
  void recycle_dead(size_t min_dead);
  size_t n_dead() const;

  size_t dim_;
  Metric metric_;
  HnswOptions options_;
  HnswState state_;       // the writer's
  uint64_t n_drawn_ = 0;  // levels drawn so far
  // Filled at the first change.
  std::unordered_map<uint64_t, uint32_t> head_of_;  // checksum of a vector to its node
  std::vector<uint32_t> free_slots_;
  std::vector<std::pair<uint64_t, std::vector<uint32_t>>> retired_;  // epoch; slots
  size_t n_retired_ = 0;
  size_t n_waypoints_ = 0;  // dead nodes with living twins
  bool is_indexed_ = false;
  std::unique_ptr<Shared> shared_;
};

}  // namespace carya
