#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "carya/core/container.h"
#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/simd/metric.h"

namespace carya {

using ItemId = uint64_t;

struct Hit {
  ItemId id;
  float distance;  // in the index's metric; small = near
  bool operator==(const Hit&) const = default;
};

// Which items a search may return.  Must be safe to call from many threads.
class Filter {
 public:
  virtual ~Filter() = default;
  virtual bool accepts(ItemId id) const = 0;
  // About which share of the items is accepted, in [0, 1]: lets an index choose to scan instead.
  virtual double selectivity() const = 0;
};

// What a search did, to compare methods without a clock.
struct SearchStats {
  size_t n_distances = 0;  // vectors read and compared
  size_t n_hops = 0;       // graph nodes whose links were read
  size_t n_bytes = 0;      // asked of a file, by an index that keeps its vectors there
  SearchStats& operator+=(const SearchStats& other) noexcept {
    n_distances += other.n_distances;
    n_hops += other.n_hops;
    n_bytes += other.n_bytes;
    return *this;
  }
};

struct SearchOptions {
  size_t k = 10;                   // hits wanted; fewer come back where fewer exist
  size_t effort = 0;               // candidates kept while searching (ef); 0: the index's default
  const Filter* filter = nullptr;  // null: all items
  SearchStats* stats = nullptr;    // counts are added to it; one per thread
  // The items' vectors where the caller has them: row id belongs to item id.  An index that keeps
  // codes only ranks its answers by them; one with exact vectors does not look.
  MatrixView<const float> exact = {};
};

// A set of vectors with ids that answers "which are nearest".  Search is const and may run from
// many threads at once; add and remove need exclusive access unless a class says more.
class Index {
 public:
  virtual ~Index() = default;
  virtual size_t dim() const noexcept = 0;
  virtual size_t size() const noexcept = 0;  // items that are not removed
  virtual Metric metric() const noexcept = 0;
  // vectors [ids.size(), dim], finite.  Throws kInvalidArgument on a wrong dim, a NaN, or an id
  // that is there already; then nothing is added.  The result does not depend on the number of
  // threads. When progress asks to stop, what was added until then stays and is whole (kCancelled).
  virtual void add(std::span<const ItemId> ids, MatrixView<const float> vectors,
                   Progress* progress = nullptr) = 0;
  virtual bool remove(ItemId id) = 0;  // false if absent
  // Items that are there get other vectors; ids and vectors as for add().  Throws kInvalidArgument,
  // and changes nothing, if an id is absent.
  virtual void update(std::span<const ItemId> ids, MatrixView<const float> vectors) = 0;
  // Nearest first, equal distances by rising id.  Throws kInvalidArgument on a wrong dim, k = 0 or
  // a NaN.  An empty index answers with no hits.
  virtual std::vector<Hit> search(std::span<const float> query,
                                  const SearchOptions& options) const = 0;
  // Atomic.  Throws kIo.
  virtual void save(const std::filesystem::path& path) const = 0;
};

// Makes an empty index: for what works on any of them.
using IndexFactory = std::function<std::unique_ptr<Index>(size_t dim, Metric metric)>;

// Opens what any Index::save wrote, by mapping it: the only place that knows all index types.
// Throws kNotFound, kCorrupt, and kInvalidArgument for an index of Metric::kUser, whose function
// its own open() takes.
std::unique_ptr<Index> open_index(const std::filesystem::path& path);

}  // namespace carya
