#include "carya/index/flat.h"

#include <numeric>

#include "carya/index/scan.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 1;
struct FlatHeader {
  uint64_t dim;
  uint64_t metric;
};

}  // namespace

void FlatIndex::add(std::span<const ItemId> ids, MatrixView<const float> vectors,
                    Progress* progress) {
  store_.check_new(ids, vectors);
  begin_stage(progress, "vectors into the index", ids.size(), "vectors");
  std::vector<uint32_t> slots(ids.size());
  std::iota(slots.begin(), slots.end(), static_cast<uint32_t>(store_.n_slots()));
  store_.place(slots, ids, vectors);
  advance(progress, ids.size());
}

bool FlatIndex::remove(ItemId id) {
  const std::optional<uint32_t> slot = store_.find(id);
  if (!slot) return false;
  store_.own();
  store_.kill(*slot);
  const auto last = static_cast<uint32_t>(store_.n_slots() - 1);
  if (*slot != last) store_.move(last, *slot);
  store_.truncate(last);
  return true;
}

void FlatIndex::update(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  store_.check_known(ids, vectors);
  for (ItemId id : ids) remove(id);
  add(ids, vectors);
}

std::vector<Hit> FlatIndex::search(std::span<const float> query,
                                   const SearchOptions& options) const {
  require(options.k >= 1, "k is 0: ask for at least one neighbour");
  return scan(store_, store_.prepared(query), options);
}

void FlatIndex::save(const std::filesystem::path& path) const {
  ContainerWriter out(std::string(kFileKind), kVersion);
  out.add_value("header",
                FlatHeader{.dim = dim(), .metric = static_cast<uint64_t>(store_.metric())});
  store_.save(out);
  out.save(path);
}

FlatIndex FlatIndex::open(const std::filesystem::path& path, const DistanceFunction& distance) {
  Container file = Container::open(path, kFileKind, kVersion);
  const auto header = file.value<FlatHeader>("header");
  if (header.dim == 0 || header.dim > kMaxDim || header.metric > kLastMetric) {
    file.fail("the header is not one of a flat index");
  }
  const auto metric = static_cast<Metric>(header.metric);
  require_distance(path, metric, distance);
  FlatIndex index(header.dim, metric, {.distance = distance});
  index.store_ =
      VectorStore::open(file, header.dim, metric, VectorStorage::exact_for(metric), distance);
  if (index.store_.n_live() != index.store_.n_slots()) file.fail("an item is dead");
  index.file_ = std::move(file);
  return index;
}

}  // namespace carya
