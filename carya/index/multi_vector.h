#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "carya/core/progress.h"
#include "carya/index/index.h"
#include "carya/index/vector_store.h"

namespace carya {

using IndexOpener = std::function<std::unique_ptr<Index>(const std::filesystem::path& path)>;

// Items that have several vectors: passages of a document, tokens of a passage, views of an object.
// Any Index finds the vectors; this one knows whose they are.  It keeps every vector exactly too,
// to rank items by all of their vectors, so the index may keep codes alone: 4 dim bytes a vector
// (dim / 8 for binary metrics) and about 80 for the tables.
//
// Searches are const and may run from many threads at once; changes need exclusive access.  The
// result does not depend on the number of threads.
//
//   const VectorStorage codes{.exact = {}, .codes = RowFormat::kInt8};
//   MultiVectorIndex documents(128, Metric::kInnerProduct, [&](size_t dim, Metric metric) {
//     return std::make_unique<Hnsw>(dim, metric, HnswOptions{.storage = codes});
//   });
//   documents.add(ids, offsets, passages);             // item i: rows offsets[i] .. offsets[i+1]-1
//   documents.search(query, {.k = 10});                // by the nearest passage of each
//   documents.late_interaction(query_tokens, {.k = 10, .effort = 200});
class MultiVectorIndex {
 public:
  // factory: makes the empty index of the vectors.  distance: of Metric::kUser, and only of it.
  // Throws kInvalidArgument if the factory's index has another dim or metric, or holds vectors.
  MultiVectorIndex(size_t dim, Metric metric, const IndexFactory& factory,
                   const DistanceFunction& distance = {});

  size_t dim() const noexcept { return store_.dim(); }
  Metric metric() const noexcept { return store_.metric(); }
  size_t size() const noexcept { return first_.size(); }  // items
  size_t n_vectors() const noexcept { return store_.n_live(); }
  size_t n_vectors(ItemId id) const;  // of one item; 0 if absent

  // Item ids[i] gets the rows offsets[i] .. offsets[i + 1] - 1 of vectors [n, dim], at least one;
  // offsets [ids.size() + 1] go from 0 to n.  Throws kInvalidArgument, and changes nothing, on an
  // item without vectors, an id that is there or comes twice, or vectors that the index refuses.
  // When progress asks to stop, nothing is added (kCancelled).
  void add(std::span<const ItemId> ids, std::span<const size_t> offsets,
           MatrixView<const float> vectors, Progress* progress = nullptr);
  bool remove(ItemId id);  // with all its vectors; false if absent
  // Items that are there get other vectors, more or fewer.  Throws as add(), and if an id is
  // absent.
  void update(std::span<const ItemId> ids, std::span<const size_t> offsets,
              MatrixView<const float> vectors);

  // The k items whose nearest vector is nearest to query [dim], with that vector's distance;
  // nearest first.  effort: vectors that the index looks up, at least k and kDefaultEffort if 0;
  // more are looked up while they belong to fewer than k items.  filter: of items.  exact must be
  // empty. As good as the index finds vectors; among items equally far any may be found.  Throws
  // kInvalidArgument on a wrong dim, k = 0 or numbers that the metric does not take.
  std::vector<Hit> search(std::span<const float> query, const SearchOptions& options = {}) const;

  // Late interaction (Khattab & Zaharia 2020, ColBERT): an item's distance is the sum, over queries
  // [m, dim], of the distance of its vector that is nearest to each: minus MaxSim, for inner
  // products.  Candidates are the owners of the `effort` vectors nearest to each query; they are
  // ranked exactly.  An item that no query finds is missed: with effort = n_vectors() and an exact
  // index none is.  Options as for search().  m searches, then O(m dim) for each vector of a
  // candidate, on all threads.
  std::vector<Hit> late_interaction(MatrixView<const float> queries,
                                    const SearchOptions& options = {}) const;
  static constexpr size_t kDefaultEffort = 100;

  // A folder of two files, "items" and "vectors.index", that appears whole or not at all.  Throws
  // kIo.  (The index maps its own file, so it cannot lie within another.)
  void save(const std::filesystem::path& folder) const;
  // Maps both.  opener: opens the index; for Metric::kUser one that gives it the function, as
  // distance does here.  Throws kNotFound, kCorrupt, and what the opener throws.
  static MultiVectorIndex open(const std::filesystem::path& folder,
                               const IndexOpener& opener = open_index,
                               const DistanceFunction& distance = {});
  static constexpr std::string_view kFileKind = "multi_vector";

 private:
  MultiVectorIndex(VectorStore store, std::unique_ptr<Index> index);
  void check(std::span<const ItemId> ids, std::span<const size_t> offsets,
             MatrixView<const float> vectors) const;
  // Puts vectors into free slots, in the index and the store: the slots.  All or nothing.
  std::vector<uint32_t> insert(MatrixView<const float> vectors, Progress* progress);
  void own_slots(ItemId id, std::span<const uint32_t> slots);
  void free_slots_of(uint32_t first);
  std::vector<uint32_t> slots_of(uint32_t first) const;
  std::vector<ItemId> candidates(MatrixView<const float> queries,
                                 const SearchOptions& options) const;

  std::optional<Container> file_;  // what a mapped store_ reads
  VectorStore store_;              // the exact vectors; a slot is the id of its vector in index_
  std::unique_ptr<Index> index_;
  std::unordered_map<ItemId, uint32_t> first_;  // an item's first slot
  std::vector<ItemId> owner_;                   // [n_slots]
  std::vector<uint32_t> next_;                  // [n_slots]; kNoSlot: the item's last
  std::vector<uint32_t> free_;                  // slots without a vector
};

}  // namespace carya
