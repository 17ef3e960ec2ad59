#include <cmath>

#include "carya/index/window.h"
#include "carya/index/window_build.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 1;
constexpr uint64_t kNone = 255;  // no format
struct WindowHeader {
  uint64_t dim, metric, beta, cutoff, is_shifted, n_rows, has_nodes, hnsw_version;
  uint64_t m, ef_construction, seed, exact, codes;
  double delta_share;
};

uint64_t number_of(std::optional<RowFormat> format) {
  return format ? static_cast<uint64_t>(*format) : kNone;
}
std::optional<RowFormat> format_of(uint64_t number) {
  if (number == kNone) return std::nullopt;
  return static_cast<RowFormat>(number);
}
std::string prefix_of(size_t node) { return "n" + std::to_string(node) + "."; }

WindowOptions options_of(const WindowHeader& header, const Container& file) {
  WindowOptions options{
      .beta = header.beta,
      .cutoff = header.cutoff,
      .shifted = header.is_shifted == 1,
      .delta_share = header.delta_share,
      .hnsw = {.m = header.m,
               .ef_construction = header.ef_construction,
               .seed = header.seed,
               .storage = {.exact = format_of(header.exact), .codes = format_of(header.codes)}}};
  if (header.dim == 0 || header.dim > kMaxDim || header.metric > 2 || header.is_shifted > 1 ||
      header.has_nodes > 1) {
    file.fail("the header is not one of a window index");
  }
  try {
    options.validate(header.dim);
  } catch (const Error& error) {
    file.fail(fmt::format("the header is not one of a window index: {}", error.what()));
  }
  return options;
}

// Rises, and ends with the NaNs: their number is returned.
size_t n_labelled(std::span<const double> rows, const Container& file) {
  size_t n = rows.size();
  while (n > 0 && std::isnan(rows[n - 1])) --n;
  for (size_t i = 0; i < n; ++i) {
    if (std::isnan(rows[i]) || (i > 0 && rows[i] < rows[i - 1])) {
      file.fail(fmt::format("row {} is not in the order of labels", i));
    }
  }
  return n;
}

}  // namespace

void WindowIndex::save(const std::filesystem::path& path) const {
  ContainerWriter out(std::string(kFileKind), kVersion);
  const HnswOptions& hnsw = options_.hnsw;
  out.add_value("header", WindowHeader{.dim = dim(),
                                       .metric = static_cast<uint64_t>(metric()),
                                       .beta = options_.beta,
                                       .cutoff = options_.cutoff,
                                       .is_shifted = options_.shifted ? 1U : 0U,
                                       .n_rows = tree_.n_rows(),
                                       .has_nodes = options_.factory ? 0U : 1U,
                                       .hnsw_version = Hnsw::kFileVersion,
                                       .m = hnsw.m,
                                       .ef_construction = hnsw.ef_construction,
                                       .seed = hnsw.seed,
                                       .exact = number_of(hnsw.storage.exact),
                                       .codes = number_of(hnsw.storage.codes),
                                       .delta_share = options_.delta_share});
  store_.save(out);
  out.add("labels", labels_.values());
  const std::span<const WindowNode> nodes = tree_.nodes();
  for (size_t i = 0; i < nodes.size() && !options_.factory; ++i) {
    ContainerWriter part(std::string(Hnsw::kFileKind), Hnsw::kFileVersion);
    dynamic_cast<const Hnsw&>(*nodes[i].index).save(part);
    out.add_part(prefix_of(i), std::move(part));
  }
  out.save(path);
}

WindowIndex WindowIndex::open(const std::filesystem::path& path, const IndexFactory& factory) {
  Container file = Container::open(path, kFileKind, kVersion);
  const auto header = file.value<WindowHeader>("header");
  WindowOptions options = options_of(header, file);
  options.factory = factory;
  require(header.has_nodes == 1 || factory,
          "{}: the nodes of this index come from a factory: give it to WindowIndex::open",
          path.string());
  WindowIndex index(header.dim, static_cast<Metric>(header.metric), options);
  index.store_ = VectorStore::open(file, header.dim, index.metric(), VectorStorage{});
  index.labels_ = Column<double>::mapped(file.array<double>("labels"));
  const size_t n_slots = index.store_.n_slots();
  if (index.labels_.size() != n_slots || header.n_rows > n_slots) {
    file.fail(fmt::format("{} labels and {} rows do not match {} ids", index.labels_.size(),
                          header.n_rows, n_slots));
  }
  index.n_labelled_ = n_labelled(index.labels_.values().first(header.n_rows), file);
  index.tree_ = WindowTree(header.n_rows, options.beta, options.cutoff, options.shifted);
  const std::span<WindowNode> nodes = index.tree_.nodes();
  if (factory || header.hnsw_version != Hnsw::kFileVersion) {
    build_nodes(nodes, index.store_, options, nullptr);
  } else {
    for (size_t i = 0; i < nodes.size(); ++i) {
      Hnsw graph = Hnsw::open(file.part(prefix_of(i)));
      if (graph.dim() != index.dim() || graph.metric() != index.metric() ||
          graph.size() != nodes[i].rows.size()) {
        file.fail(fmt::format("node {} is not one of these rows", i));
      }
      nodes[i].index = std::make_unique<Hnsw>(std::move(graph));
    }
  }
  index.file_ = std::move(file);
  return index;
}

}  // namespace carya
