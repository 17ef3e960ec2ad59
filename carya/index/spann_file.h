#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>

#include "carya/core/container.h"
#include "carya/index/spann.h"

namespace carya {

// The file of a Spann: a container with what lies in memory (ids, heads, tables, changes), which is
// checked when it is opened; then, as its tail, the lists on whole pages, each with a checksum of
// its own, which are read when they are asked for.  One file, so that it is replaced in one step
// and its parts cannot be of different builds.
struct SpannFile {
  size_t dim = 0;
  Metric metric = Metric::kSquaredL2;
  const SpannOptions& options;
  std::span<const ItemId> ids = {};
  const Hnsw* heads = nullptr;  // null: there are no lists
  const Rows* rows = nullptr;
  std::span<const uint32_t> first_page = {}, counts = {};
  std::span<const uint64_t> dead = {};
  std::span<const ItemId> added_ids = {};
  MatrixView<const float> added = {};

  // lists: writes the pages.  Atomic.  Throws kIo.
  void save(const std::filesystem::path& path, const std::function<void(AtomicFile&)>& lists) const;
};

constexpr uint32_t kSpannVersion = 1;
struct SpannHeader {
  uint64_t dim, metric, format, n_lists, n_copies, skip_related, list_pages, branch, seed;
  double head_ratio, reach, pruning;
};
constexpr uint64_t kDefaultPages = ~uint64_t{0};

}  // namespace carya
