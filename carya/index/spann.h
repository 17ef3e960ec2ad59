#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "carya/core/container.h"
#include "carya/core/progress.h"
#include "carya/index/column.h"
#include "carya/index/hnsw.h"
#include "carya/index/index.h"
#include "carya/index/spann_closure.h"
#include "carya/index/spann_postings.h"
#include "carya/index/vector_store.h"

namespace carya {

struct SpannOptions {
  // Heads (lists) per vector, in (0, 1]: the larger, the shorter are the lists and the more memory
  // they need.
  double head_ratio = 0.16;
  ClosureOptions closure = {};  // which lists a vector lies in
  // Whole pages of 4 KiB that a list may fill; by default those of kListVectors.  Of a longer list
  // the farthest copies are dropped, but never the last copy of a vector.
  std::optional<size_t> list_pages = std::nullopt;
  static constexpr size_t kListVectors = 90;  // 3 pages of int8 or 12 of f32, at 128 dims
  RowFormat format = RowFormat::kF32;         // of the vectors in the lists
  // A search leaves lists closed whose head is farther than 1 + pruning times the nearest head
  // (squared distances); unused for the inner product, which has no such ratio.
  double pruning = 7;
  size_t branch = 32;  // clusters that a cluster is split into while heads are chosen, 2 .. 1024
  // The graph over the heads.
  HnswOptions heads = {
      .m = 8, .ef_construction = 100, .storage = {.exact = {}, .codes = RowFormat::kInt8}};
  uint64_t seed = 0;
  void validate(size_t dim) const;  // throws kInvalidArgument
};

// An index larger than memory: heads, one vector in six, in a graph in memory; all vectors in lists
// around the heads, in a file (Chen et al. 2021, SPANN; card 162).  Heads are the middles of
// clusters of like size; a vector at a border lies in the lists of several heads; a search looks
// for the nearest heads, reads their lists at once and compares.
//
// Memory: head_ratio (dim + 8.4 m + 26) bytes a vector for int8 heads, and 8 for its id; to that, 4
// dim for each vector added since the file was built: they lie in memory, in a list that every
// search scans, and are saved with the index.  File: about 7 copies of each vector.
//
//   Spann index = Spann::build("vectors.spann", ids, vectors, Metric::kCosine,
//                              {.format = RowFormat::kInt8});
//   hits = index.search(query, {.k = 10, .effort = 64});  // reads at most 64 lists
//   hits = index.search(query, {.k = 10, .exact = vectors});  // ranked by the caller's vectors
class Spann final : public Index {
 public:
  // Empty: what is added stays in memory until build() makes a file of it.
  Spann(size_t dim, Metric metric, const SpannOptions& options = {});
  // Writes the file, atomically, and opens it.  vectors [ids.size(), dim], finite, mapped from a
  // file maybe: they are read in order once, else at random in rows.  Memory: about 100 bytes a
  // vector, and the heads as floats.  Time: a graph search and 64 distances a vector, and k-means
  // of 32 clusters on about log(n) / log(32) levels.  The same file for every number of threads.
  // Throws kInvalidArgument as add() does, kIo, kCancelled; then there is no file.
  static Spann build(const std::filesystem::path& path, std::span<const ItemId> ids,
                     MatrixView<const float> vectors, Metric metric,
                     const SpannOptions& options = {}, Progress* progress = nullptr);
  // Maps ids and heads; lists are read when a search asks for them.  Throws kNotFound, kCorrupt.
  static Spann open(const std::filesystem::path& path, PostingCache cache = PostingCache::kSystem);

  size_t dim() const noexcept override { return delta_.dim(); }
  size_t size() const noexcept override { return n_live_ + delta_.n_live(); }
  Metric metric() const noexcept override { return delta_.metric(); }
  const SpannOptions& options() const noexcept { return options_; }
  std::span<const uint32_t> list_sizes() const noexcept { return table_.counts(); }
  size_t posting_bytes() const noexcept { return table_.n_bytes(); }  // of all lists in the file
  // Drops the lists from the system's memory, as if they had never been read: to measure.
  void forget_lists() const {
    if (postings_) postings_->forget();
  }
  // What is in memory: heads, their graph, tables and ids, and what was added.
  size_t memory_bytes() const noexcept;

  // To the list in memory.
  void add(std::span<const ItemId> ids, MatrixView<const float> vectors,
           Progress* progress = nullptr) override;
  bool remove(ItemId id) override;  // its copies in the file are skipped from now on
  void update(std::span<const ItemId> ids, MatrixView<const float> vectors) override;
  // effort: lists to read; 0 is kDefaultEffort.  Where they hold fewer than k (accepted) items, it
  // reads more, all at last.  Throws kCorrupt if a list is damaged, kIo.
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  static constexpr size_t kDefaultEffort = 40;
  // With codes in the lists, so many times k of the nearest are ranked by SearchOptions::exact.
  static constexpr size_t kRerank = 4;

  void save(const std::filesystem::path& path) const override;  // copies the lists
  static constexpr std::string_view kFileKind = "spann";

 private:
  struct Question;  // what a search hands on: spann_search.cc
  bool is_dead(uint32_t slot) const noexcept {
    return !dead_.empty() && (dead_[slot / 64] >> slot % 64 & 1) != 0;
  }
  std::optional<uint32_t> find(ItemId id) const;  // its slot in the file
  std::vector<uint32_t> nearest_lists(Question& question, size_t n_lists) const;
  void read(std::span<const uint32_t> lists, Question& question) const;
  std::vector<Hit> ranked(Question& question) const;

  SpannOptions options_;
  VectorStore delta_;              // what was added
  std::optional<Container> file_;  // what the rest reads
  std::optional<Hnsw> heads_;      // ids are numbers of lists
  std::span<const ItemId> ids_;    // [n], rising: an item's slot in the lists is its place here
  size_t n_live_ = 0;              // items of the lists that are not dead
  std::vector<uint64_t> dead_;     // a bit a slot; empty while none is dead
  std::optional<Rows> rows_;       // how lists hold vectors: the format and its range
  PostingTable table_;
  std::unique_ptr<PostingReader> postings_;
};

}  // namespace carya
