#include "carya/index/hnsw.h"
#include "carya/index/hnsw_search.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 1;
struct HnswHeader {
  uint64_t dim, metric, m, ef_construction, seed, n_drawn, entry;
};

}  // namespace

void Hnsw::save(const std::filesystem::path& path) const {
  ContainerWriter out(std::string(kFileKind), kVersion);
  out.add_value("header", HnswHeader{.dim = dim(),
                                     .metric = static_cast<uint64_t>(metric()),
                                     .m = options_.m,
                                     .ef_construction = options_.ef_construction,
                                     .seed = options_.seed,
                                     .n_drawn = n_drawn_,
                                     .entry = graph_.entry()});
  store_.save(out);
  graph_.save(out);
  out.save(path);
}

Hnsw Hnsw::open(const std::filesystem::path& path) {
  Container file = Container::open(path, kFileKind, kVersion);
  const auto header = file.value<HnswHeader>("header");
  if (header.dim == 0 || header.dim > kMaxDim || header.metric > 2 || header.m < 2 ||
      header.m > 512 || header.ef_construction < header.m || header.ef_construction > 100'000 ||
      header.entry > kNoSlot) {
    file.fail("the header is not one of an HNSW");
  }
  const auto metric = static_cast<Metric>(header.metric);
  Hnsw index(header.dim, metric,
             {.m = header.m, .ef_construction = header.ef_construction, .seed = header.seed});
  index.store_ = VectorStore::open(file, header.dim, metric);
  index.graph_ =
      HnswGraph::open(file, header.m, index.store_.n_slots(), static_cast<uint32_t>(header.entry));
  for (size_t slot = 0; slot < index.store_.n_slots(); ++slot) {
    if (index.store_.is_live(slot) && index.graph_.is_free(slot)) {
      file.fail(fmt::format("item {} is live, but has no place in the graph", slot));
    }
  }
  index.n_drawn_ = header.n_drawn;
  index.file_ = std::move(file);
  return index;
}

}  // namespace carya
