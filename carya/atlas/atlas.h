#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carya/atlas/input.h"
#include "carya/atlas/item_store.h"
#include "carya/atlas/naming.h"
#include "carya/atlas/organise.h"
#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/embed/disk_layout.h"

namespace carya {

enum class SearchMode {
  kHybrid,   // both, by their ranks (reciprocal rank fusion)
  kVector,   // by meaning: the index
  kLexical,  // by words: BM25
};

struct AtlasSearchOptions {
  size_t k = 10;  // 1 .. 10,000
  SearchMode mode = SearchMode::kHybrid;
  std::string where = {};             // a condition on metadata (where.h); empty: all
  std::optional<uint32_t> node = {};  // only items at or below this node
  void validate() const;
};

struct AtlasHit {
  uint32_t item;
  double score;                      // of the mode: fused ranks, cosine or BM25; larger = better
  std::optional<double> similarity;  // cosine with the query, where the vector view found it
};

struct AtlasInfo {
  size_t n_items, dim, n_nodes, n_leaves, max_depth, n_outliers;
  std::string encoder, method;
  bool has_texts;  // false for an atlas of vectors, in which no text can be searched for
  struct Stage {
    std::string name;
    double seconds;
    size_t peak_bytes;
  };
  std::vector<Stage> stages;
};

struct Neighbor {
  uint32_t item;
  double distance;  // Euclidean
};

// The best agreement of the tree with known classes over its horizontal cuts, and of the tree
// whole.
struct AtlasEvaluation {
  double ami, purity, dendrogram_purity, placed;
  size_t cut_nodes;  // clusters of the best cut
};

// An atlas that build_atlas() made, opened for reading.  Many threads may share it.
//
//   const Atlas atlas = Atlas::open("demo.atlas");
//   for (const AtlasHit& hit : atlas.search("chess")) print(atlas.items().item(hit.item).text);
class Atlas {
 public:
  // Checks every file's size and checksum.  Throws kNotFound if there is no atlas, kCorrupt naming
  // the damaged file, or what version it has and which is read.
  static Atlas open(const std::filesystem::path& folder);
  ~Atlas();
  Atlas(Atlas&&) noexcept;
  Atlas& operator=(Atlas&&) noexcept;

  size_t n_items() const noexcept;
  const ItemStore& items() const noexcept;
  const NodeTree& tree() const noexcept;
  const Hierarchy& hierarchy() const noexcept;
  const NodeName& name(uint32_t node) const;  // node < tree().n_nodes()
  float strength(uint32_t item) const;
  bool is_outlier(uint32_t item) const;
  // [n_items, dim], of length 1 if they are of texts; in the mapped file, so they live as long as
  // the atlas.
  MatrixView<const float> vectors() const noexcept;
  AtlasInfo info() const;

  // Best first, equal scores by rising item.  Throws kInvalidArgument on options, a condition or a
  // query that cannot be, kNotFound if the encoder's model is gone (kLexical needs none).
  std::vector<AtlasHit> search(std::string_view query,
                               const AtlasSearchOptions& options = {}) const;
  // The items nearest to one, itself left out.
  std::vector<Neighbor> neighbors(uint32_t item, size_t k = 10) const;
  // Of all items at once, as they were found when the atlas was built: [n_items, k], nearest first,
  // kNoNeighbor where there are fewer.
  Matrix<uint32_t> neighbor_lists() const;
  // The map: a place in the hyperbolic disk for every topic and item.
  DiskLayout layout() const;
  // Against a metadata column; items without a value are a class of their own.
  AtlasEvaluation evaluate(std::string_view column) const;
  // The item with this id.  Throws kNotFound.
  uint32_t find(std::string_view id) const;

 private:
  Atlas();
  struct State;
  std::unique_ptr<State> state_;
};

// Adds an input's items to an atlas: each is encoded, indexed, and hangs where its nearest items
// hang; the tree and the names stay.  Done in a copy that takes the atlas' place when it is whole.
// Returns the number of new items.  Throws as build_atlas and Atlas::open.
size_t add_to_atlas(const std::filesystem::path& folder, const std::filesystem::path& input,
                    const ReadOptions& options = {}, Progress* progress = nullptr);
size_t add_to_atlas(const std::filesystem::path& folder, AtlasInput& input,
                    Progress* progress = nullptr);

}  // namespace carya
