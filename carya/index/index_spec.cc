#include "carya/index/index_spec.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <span>

#include "carya/core/error.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/ivf_pq.h"
#include "carya/index/spann.h"
#include "carya/index/spec_parameters.h"
#include "carya/index/window.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

using Format = std::optional<RowFormat>;

HnswOptions hnsw_options(SpecParameters& parameters) {
  const HnswOptions standard;
  HnswOptions options;
  options.m = parameters.number("m", standard.m);
  options.ef_construction = parameters.number("ef_construction", standard.ef_construction);
  options.seed = parameters.number("seed", standard.seed);
  options.storage.exact = parameters.choice<Format>(
      "exact", standard.storage.exact,
      {{"f32", RowFormat::kF32}, {"bf16", RowFormat::kBf16}, {"none", std::nullopt}});
  options.storage.codes = parameters.choice<Format>(
      "codes", standard.storage.codes,
      {{"int8", RowFormat::kInt8}, {"int4", RowFormat::kInt4}, {"none", std::nullopt}});
  return options;
}

IvfPqOptions ivf_pq_options(SpecParameters& parameters) {
  const IvfPqOptions standard;
  return {.n_lists = parameters.number("lists", standard.n_lists),
          .n_parts = parameters.number("parts", standard.n_parts),
          .bits = parameters.number("bits", standard.bits),
          .rotate = parameters.flag("rotate", standard.rotate),
          .seed = parameters.number("seed", standard.seed)};
}

size_t format_bytes(Format format, size_t dim) { return format ? row_bytes(*format, dim) : 0; }

IndexEstimate hnsw_estimate(const HnswOptions& options, Metric metric, size_t n, size_t dim) {
  const double links = 8.4 * static_cast<double>(options.m) + 18;
  const VectorStorage storage =
      is_binary(metric) ? VectorStorage::exact_for(metric) : options.storage;
  const size_t item = static_cast<size_t>(links) + format_bytes(storage.exact, dim) +
                      format_bytes(storage.codes, dim);
  constexpr size_t kTables = 80;  // of ids and checksums, while it changes
  // Codes alone need floats until their range is learnt; arrays grow by half.
  const size_t building = item + kTables + item / 2;
  return {n * building, n * item, n * item};
}

IndexEstimate ivf_pq_estimate(const IvfPqOptions& options, size_t n, size_t dim) {
  const auto lists = options.n_lists != 0
                         ? options.n_lists
                         : static_cast<size_t>(2 * std::sqrt(static_cast<double>(n)));
  const size_t parts = options.n_parts != 0
                           ? options.n_parts
                           : std::max<size_t>(dim / (options.bits == 4 ? 2 : 4), 1);
  const size_t item = parts * options.bits / 8 + sizeof(ItemId);
  const size_t n_centroids = size_t{1} << options.bits;
  const size_t rotation = options.rotate ? dim * dim : 0;
  constexpr size_t kHalfBlock = 16;  // of 32 codes: what a list's last block lacks on average
  const size_t padding = options.bits == 4 ? lists * kHalfBlock * parts / 2 : 0;
  const size_t file =
      n * item + padding + (lists * dim + n_centroids * dim + rotation) * sizeof(float);
  const size_t tables = lists * parts * n_centroids * sizeof(float);
  const size_t open = file + (tables <= options.max_table_bytes ? tables : 0);
  const size_t training = std::min(n, lists * 256) * dim * sizeof(float) * 3;
  constexpr size_t kPlaces = 56;  // of the table of ids
  return {open + training + n * (dim * sizeof(float) + kPlaces), file, open};
}

SpannOptions spann_options(SpecParameters& parameters) {
  SpannOptions options;
  options.head_ratio = parameters.share("heads", options.head_ratio);
  options.closure.n_copies = parameters.number("copies", options.closure.n_copies);
  options.format = parameters.choice<RowFormat>(
      "format", options.format, {{"f32", RowFormat::kF32}, {"int8", RowFormat::kInt8}});
  options.heads.m = parameters.number("m", options.heads.m);
  options.seed = parameters.number("seed", options.seed);
  return options;
}

IndexEstimate spann_estimate(const SpannOptions& options, size_t n, size_t dim) {
  const auto heads = static_cast<size_t>(options.head_ratio * static_cast<double>(n));
  const IndexEstimate graph = hnsw_estimate(options.heads, Metric::kSquaredL2, heads, dim);
  // Copies as measured on a million vectors of intrinsic dimension 12; half a page is lost a list.
  constexpr double kCopies = 0.85, kPage = 4096;
  const double copies = std::max(1.0, kCopies * static_cast<double>(options.closure.n_copies));
  const double row = static_cast<double>(row_bytes(options.format, dim) + sizeof(uint32_t));
  const auto lists = static_cast<size_t>(copies * static_cast<double>(n) * row +
                                         static_cast<double>(heads) * kPage / 2);
  const size_t open = graph.open_bytes + n * sizeof(ItemId);
  return {n * 100 + heads * dim * sizeof(float) + graph.build_bytes, open + lists, open};
}

WindowOptions window_options(SpecParameters& parameters) {
  WindowOptions options;
  options.beta = parameters.number("beta", options.beta);
  options.cutoff = parameters.number("cutoff", options.cutoff);
  options.shifted = parameters.flag("shifted", options.shifted);
  options.hnsw.m = parameters.number("m", options.hnsw.m);
  options.hnsw.ef_construction = parameters.number("ef_construction", options.hnsw.ef_construction);
  options.hnsw.storage.codes =
      parameters.choice<Format>("codes", options.hnsw.storage.codes,
                                {{"int8", RowFormat::kInt8}, {"int4", RowFormat::kInt4}});
  options.hnsw.seed = parameters.number("seed", options.hnsw.seed);
  return options;
}

IndexEstimate window_estimate(const WindowOptions& options, Metric metric, size_t n, size_t dim) {
  const IndexEstimate level = hnsw_estimate(options.hnsw, metric, n, dim);
  double nodes = static_cast<double>(n);
  size_t n_levels = 0;
  for (; nodes > static_cast<double>(options.cutoff); nodes /= static_cast<double>(options.beta)) {
    ++n_levels;
  }
  const size_t copies = options.shifted ? 2 * n_levels : n_levels;
  const size_t item = row_bytes(RowFormat::kF32, dim) + sizeof(ItemId) + sizeof(double) + 1;
  const size_t file = n * item + copies * level.file_bytes;
  return {file + level.build_bytes, file, file};
}

// For a file that lives as long as it is open.
std::filesystem::path unique_path() {
  static std::atomic<size_t> n_made = 0;
  return std::filesystem::temp_directory_path() /
         fmt::format("carya_index_{}_{}", static_cast<int>(::getpid()), n_made++);
}

struct IndexType {
  std::string_view name, help;
  IndexEstimate (*estimate)(SpecParameters&, Metric, size_t n, size_t dim);
  std::unique_ptr<Index> (*make)(SpecParameters&, Metric, size_t dim);  // empty
};

const IndexType kTypes[] = {
    {"hnsw",
     "graph, the default: m=16, ef_construction=200, exact=f32 (or bf16, none), codes=int8 (or "
     "int4, none), seed=0",
     [](SpecParameters& parameters, Metric metric, size_t n, size_t dim) {
       return hnsw_estimate(hnsw_options(parameters), metric, n, dim);
     },
     [](SpecParameters& parameters, Metric metric, size_t dim) -> std::unique_ptr<Index> {
       return std::make_unique<Hnsw>(dim, metric, hnsw_options(parameters));
     }},
    {"flat", "exact: reads every vector",
     [](SpecParameters&, Metric metric, size_t n, size_t dim) {
       const size_t item =
           format_bytes(VectorStorage::exact_for(metric).exact, dim) + sizeof(ItemId) + 1;
       return IndexEstimate{n * (item + item / 2 + 40), n * item, n * item};
     },
     [](SpecParameters&, Metric metric, size_t dim) -> std::unique_ptr<Index> {
       return std::make_unique<FlatIndex>(dim, metric);
     }},
    {"ivf_pq",
     "compressed lists: lists=0 (about 2 sqrt n), parts=0 (about dim / 2, of 8 bits dim "
     "/ 4), bits=4 (or 8), "
     "rotate=yes, seed=0",
     [](SpecParameters& parameters, Metric, size_t n, size_t dim) {
       return ivf_pq_estimate(ivf_pq_options(parameters), n, dim);
     },
     [](SpecParameters& parameters, Metric metric, size_t dim) -> std::unique_ptr<Index> {
       return std::make_unique<IvfPq>(dim, metric, ivf_pq_options(parameters));
     }},
    {"spann",
     "lists in the file, a sixth of the vectors in memory: heads=0.16 (a share), copies=8, "
     "format=f32 (or int8), m=8, seed=0",
     [](SpecParameters& parameters, Metric, size_t n, size_t dim) {
       return spann_estimate(spann_options(parameters), n, dim);
     },
     [](SpecParameters& parameters, Metric metric, size_t dim) -> std::unique_ptr<Index> {
       return std::make_unique<Spann>(dim, metric, spann_options(parameters));
     }},
    {"window",
     "graphs over ranges of a label, for searches within a window of it: beta=2, cutoff=1000, "
     "shifted=no, m=16, ef_construction=200, codes=int8 (or int4), seed=0",
     [](SpecParameters& parameters, Metric metric, size_t n, size_t dim) {
       return window_estimate(window_options(parameters), metric, n, dim);
     },
     [](SpecParameters& parameters, Metric metric, size_t dim) -> std::unique_ptr<Index> {
       return std::make_unique<WindowIndex>(dim, metric, window_options(parameters));
     }},
};

const IndexType& type_of(const IndexSpec& spec) {
  const auto found = std::ranges::find(kTypes, spec.type, &IndexType::name);
  std::string known;
  for (const IndexType& type : kTypes)
    known += fmt::format("{}{}", known.empty() ? "" : ", ", type.name);
  require(found != std::end(kTypes), "there is no index type '{}'; there are: {}", spec.type,
          known);
  return *found;
}

std::unique_ptr<Index> made(const IndexSpec& spec, Metric metric, size_t dim) {
  SpecParameters parameters(spec);
  auto index = type_of(spec).make(parameters, metric, dim);
  parameters.finish();
  return index;
}

std::string_view format_name(Format format) {
  if (!format) return "none";
  switch (*format) {
    case RowFormat::kF32:
      return "f32";
    case RowFormat::kBf16:
      return "bf16";
    case RowFormat::kInt8:
      return "int8";
    case RowFormat::kInt4:
      return "int4";
    case RowFormat::kBits:
      return "bits";
  }
  CARYA_ASSERT(false);
  return {};
}

}  // namespace

IndexSpec IndexSpec::parse(std::string_view text) {
  IndexSpec spec;
  const size_t colon = text.find(':');
  spec.type = text.substr(0, colon);
  type_of(spec);
  std::string_view rest = colon == text.npos ? std::string_view() : text.substr(colon + 1);
  while (!rest.empty()) {
    const std::string_view one = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(one.size() + 1, rest.size()));
    const size_t equals = one.find('=');
    require(equals != one.npos && equals > 0, "index '{}': '{}' is no name=value", text, one);
    const bool is_new =
        spec.parameters.emplace(one.substr(0, equals), one.substr(equals + 1)).second;
    require(is_new, "index '{}': {} comes twice", text, one.substr(0, equals));
  }
  return spec;
}

std::string IndexSpec::text() const {
  std::string text = type;
  for (const auto& [name, value] : parameters) {
    text += fmt::format("{}{}={}", text.size() == type.size() ? ":" : ",", name, value);
  }
  return text;
}

std::string index_types_help() {
  std::string help;
  for (const IndexType& type : kTypes) help += fmt::format("  {:8} {}\n", type.name, type.help);
  return help;
}

IndexEstimate estimate_index(const IndexSpec& spec, Metric metric, size_t n, size_t dim) {
  SpecParameters parameters(spec);
  const IndexEstimate estimate = type_of(spec).estimate(parameters, metric, n, dim);
  parameters.finish();
  return estimate;
}

std::unique_ptr<Index> empty_index(const IndexSpec& spec, Metric metric, size_t dim) {
  require(spec.type != "ivf_pq", "ivf_pq learns from vectors: it cannot begin empty");
  return made(spec, metric, dim);
}

std::unique_ptr<Index> build_index(const IndexSpec& spec, Metric metric, const IndexInput& input,
                                   Progress* progress) {
  require(input.labels.empty() || spec.type == "window",
          "labels are for the index type 'window', not '{}'", spec.type);
  auto index = made(spec, metric, input.vectors.cols());
  if (const auto* spann = dynamic_cast<const Spann*>(index.get())) {
    const bool is_unnamed = input.path.empty();
    const std::filesystem::path path = is_unnamed ? unique_path() : input.path;
    auto built = std::make_unique<Spann>(
        Spann::build(path, input.ids, input.vectors, metric, spann->options(), progress));
    if (is_unnamed) std::filesystem::remove(path);  // it stays readable through the index
    return built;
  }
  if (auto* ivf_pq = dynamic_cast<IvfPq*>(index.get())) ivf_pq->train(input.vectors, progress);
  if (auto* window = dynamic_cast<WindowIndex*>(index.get()); window && !input.labels.empty()) {
    window->add(input.ids, input.labels, input.vectors, progress);
  } else {
    index->add(input.ids, input.vectors, progress);
  }
  if (auto* hnsw = dynamic_cast<Hnsw*>(index.get())) hnsw->compact();
  if (!input.path.empty()) index->save(input.path);
  return index;
}

double estimate_build_seconds(const IndexSpec& spec, Metric metric,
                              MatrixView<const float> vectors) {
  constexpr size_t kLeast = 2000, kShare = 20;
  const size_t n = vectors.rows(), n_sample = std::min(n, std::max(kLeast, n / kShare));
  if (n_sample == 0) return 0;
  const auto seconds_of = [&](size_t n_some) {
    std::vector<uint32_t> rows(n_some);  // spread, or a sorted file would mislead
    for (size_t i = 0; i < n_some; ++i) rows[i] = static_cast<uint32_t>(i * n / n_some);
    const std::vector<ItemId> ids(rows.begin(), rows.end());
    const Matrix<float> sample = gather_rows(vectors, rows);
    const auto begin = std::chrono::steady_clock::now();
    build_index(spec, metric, {.ids = ids, .vectors = sample});
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const auto work = [](size_t n_some) {  // searches grow by the logarithm
    return static_cast<double>(n_some) * std::log(static_cast<double>(n_some) + 2);
  };
  // Two sizes tell what grows from what does not, such as learning a rotation.
  const size_t n_half = std::max<size_t>(1, n_sample / 2);
  const double half = seconds_of(n_half), whole = seconds_of(n_sample);
  if (n_half == n_sample) return whole;
  const double slope = std::max(0.0, whole - half) / (work(n_sample) - work(n_half));
  return whole + slope * (work(n) - work(n_sample));
}

std::vector<std::pair<std::string, std::string>> index_facts(const Index& index) {
  std::vector<std::pair<std::string, std::string>> facts;
  const auto fact = [&](std::string name, auto value) {
    facts.emplace_back(std::move(name), fmt::format("{}", value));
  };
  if (const auto* hnsw = dynamic_cast<const Hnsw*>(&index)) {
    fact("type", "hnsw");
    fact("m", hnsw->options().m);
    fact("ef_construction", hnsw->options().ef_construction);
    fact("exact", format_name(hnsw->options().storage.exact));
    fact("codes", format_name(hnsw->options().storage.codes));
  } else if (const auto* ivf_pq = dynamic_cast<const IvfPq*>(&index)) {
    fact("type", "ivf_pq");
    fact("lists", ivf_pq->n_lists());
    fact("parts", ivf_pq->options().n_parts);
    fact("bits", ivf_pq->options().bits);
  } else if (const auto* spann = dynamic_cast<const Spann*>(&index)) {
    fact("type", "spann");
    fact("lists", spann->list_sizes().size());
    fact("format", format_name(spann->options().format));
    fact("memory", spann->memory_bytes());
  } else if (const auto* window = dynamic_cast<const WindowIndex*>(&index)) {
    fact("type", "window");
    fact("beta", window->options().beta);
    fact("cutoff", window->options().cutoff);
    fact("m", window->options().hnsw.m);
  } else if (dynamic_cast<const FlatIndex*>(&index) != nullptr) {
    fact("type", "flat");
  }
  fact("metric", metric_name(index.metric()));
  fact("items", index.size());
  fact("dim", index.dim());
  return facts;
}

}  // namespace carya
