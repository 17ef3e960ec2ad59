#pragma once

#include <optional>
#include <string_view>

#include "carya/index/index.h"
#include "carya/index/vector_store.h"

namespace carya {

struct FlatOptions {
  DistanceFunction distance = {};  // of Metric::kUser, and only of it
};

// The exact index: every search reads every vector, in one contiguous run.  The baseline of the
// others, and the best below some thousand items.  4 (dim + up to 15) bytes per item; dim / 8
// (+ up to 63) where the metric is binary.
//
//   FlatIndex index(384, Metric::kCosine);
//   index.add(ids, vectors);
//   std::vector<Hit> hits = index.search(query, {.k = 10});
class FlatIndex : public Index {
 public:
  // Throws kInvalidArgument if dim is 0, or if there is a distance without kUser or the reverse.
  FlatIndex(size_t dim, Metric metric, const FlatOptions& options = {})
      : store_(dim, metric, VectorStorage::exact_for(metric), options.distance) {}

  size_t dim() const noexcept override { return store_.dim(); }
  size_t size() const noexcept override { return store_.n_live(); }
  Metric metric() const noexcept override { return store_.metric(); }
  void add(std::span<const ItemId> ids, MatrixView<const float> vectors,
           Progress* progress = nullptr) override;
  bool remove(ItemId id) override;  // the last item moves into the gap
  void update(std::span<const ItemId> ids, MatrixView<const float> vectors) override;
  // On all threads; bound by reads.  Computes accepted items only where a filter rejects most.
  std::vector<Hit> search(std::span<const float> query,
                          const SearchOptions& options) const override;
  void save(const std::filesystem::path& path) const override;
  // Maps the file; the first change copies it to memory.  distance: the function of a kUser index.
  // Throws kNotFound, kCorrupt, and kInvalidArgument if the function lacks or has no use.
  static FlatIndex open(const std::filesystem::path& path, const DistanceFunction& distance = {});
  static constexpr std::string_view kFileKind = "flat_index";

 private:
  std::optional<Container> file_;  // what a mapped store_ reads
  VectorStore store_;
};

}  // namespace carya
