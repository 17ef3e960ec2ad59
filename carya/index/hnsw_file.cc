#include "carya/index/hnsw.h"
#include "carya/index/hnsw_shared.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 2;
// Formats as RowFormat, kNone: nothing.
constexpr uint64_t kNone = 255;
struct HnswHeader {
  uint64_t dim, metric, m, ef_construction, seed, n_drawn, entry, exact, codes;
};

uint64_t number_of(std::optional<RowFormat> format) {
  return format ? static_cast<uint64_t>(*format) : kNone;
}
std::optional<RowFormat> format_of(uint64_t number) {
  if (number == kNone) return std::nullopt;
  return static_cast<RowFormat>(number);
}

}  // namespace

void Hnsw::save(const std::filesystem::path& path) const {
  const std::lock_guard lock(shared_->writing);
  ContainerWriter out(std::string(kFileKind), kVersion);
  save(out);
  out.save(path);
}

void Hnsw::save(ContainerWriter& out) const {
  out.add_value("header", HnswHeader{.dim = dim(),
                                     .metric = static_cast<uint64_t>(metric()),
                                     .m = options_.m,
                                     .ef_construction = options_.ef_construction,
                                     .seed = options_.seed,
                                     .n_drawn = n_drawn_,
                                     .entry = state_.graph.entry(),
                                     .exact = number_of(options_.storage.exact),
                                     .codes = number_of(options_.storage.codes)});
  state_.store.save(out);
  state_.graph.save(out);
}

Hnsw Hnsw::open(const std::filesystem::path& path) {
  return open(Container::open(path, kFileKind, kVersion));
}

Hnsw Hnsw::open(Container file) {
  const auto header = file.value<HnswHeader>("header");
  if (header.dim == 0 || header.dim > kMaxDim || header.metric > 2 || header.m < 2 ||
      header.m > 512 || header.ef_construction < header.m || header.ef_construction > 100'000 ||
      header.entry > kNoSlot || (header.exact > 1 && header.exact != kNone) ||
      (header.codes != 2 && header.codes != 3 && header.codes != kNone) ||
      (header.exact == kNone && header.codes == kNone) ||
      (header.codes != kNone && header.dim > kMaxCodeDim)) {
    file.fail("the header is not one of an HNSW");
  }
  const auto metric = static_cast<Metric>(header.metric);
  Hnsw index(header.dim, metric,
             {.m = header.m,
              .ef_construction = header.ef_construction,
              .seed = header.seed,
              .storage = {.exact = format_of(header.exact), .codes = format_of(header.codes)}});
  index.state_ = {VectorStore::open(file, header.dim, metric, index.options_.storage),
                  HnswGraph(header.m)};
  const size_t n_slots = index.state_.store.n_slots();
  index.state_.graph =
      HnswGraph::open(file, header.m, n_slots, static_cast<uint32_t>(header.entry));
  for (size_t slot = 0; slot < n_slots; ++slot) {
    if (index.state_.store.is_live(slot) && index.state_.graph.is_free(slot)) {
      file.fail(fmt::format("item {} is live, but has no place in the graph", slot));
    }
  }
  index.n_drawn_ = header.n_drawn;
  index.state_.file = std::make_shared<const Container>(std::move(file));
  index.publish();
  return index;
}

}  // namespace carya
