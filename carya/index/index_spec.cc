#include "carya/index/index_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cmath>
#include <set>
#include <span>

#include "carya/core/error.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/ivf_pq.h"

namespace carya {
namespace {

// A spec's parameters, taken one by one.
class Parameters {
 public:
  explicit Parameters(const IndexSpec& spec) : spec_(spec) {}

  size_t number(std::string_view name, size_t standard) {
    const std::string* text = value(name);
    if (text == nullptr) return standard;
    size_t number = 0;
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
    require(error == std::errc() && end == text->data() + text->size(),
            "{}: {}={} is no whole number", spec_.type, name, *text);
    return number;
  }
  bool flag(std::string_view name, bool standard) {
    return choice<bool>(name, standard, {{"yes", true}, {"no", false}});
  }
  template <class T>
  T choice(std::string_view name, T standard,
           const std::vector<std::pair<std::string_view, T>>& choices) {
    const std::string* text = value(name);
    if (text == nullptr) return standard;
    std::string known;
    for (const auto& [word, meaning] : choices) {
      if (*text == word) return meaning;
      known += known.empty() ? "" : ", ";
      known += word;
    }
    throw Error(ErrorKind::kInvalidArgument,
                fmt::format("{}: {}={} is none of {}", spec_.type, name, *text, known));
  }
  // Throws if there are others than those asked for.
  void finish() const {
    for (const auto& [name, text] : spec_.parameters) {
      require(taken_.contains(name), "{} has no parameter '{}'; it has: {}", spec_.type, name,
              fmt::format("{}", fmt::join(taken_, ", ")));
    }
  }

 private:
  const std::string* value(std::string_view name) {
    taken_.emplace(name);
    const auto found = spec_.parameters.find(name);
    return found == spec_.parameters.end() ? nullptr : &found->second;
  }
  const IndexSpec& spec_;
  std::set<std::string, std::less<>> taken_;
};

using Format = std::optional<RowFormat>;

HnswOptions hnsw_options(Parameters& parameters) {
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

IvfPqOptions ivf_pq_options(Parameters& parameters) {
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
                         : static_cast<size_t>(4 * std::sqrt(static_cast<double>(n)));
  const size_t parts = options.n_parts != 0 ? options.n_parts : std::max<size_t>(dim / 4, 1);
  const size_t item = parts * options.bits / 8 + sizeof(ItemId);
  const size_t n_centroids = size_t{1} << options.bits;
  const size_t rotation = options.rotate ? dim * dim : 0;
  const size_t file = n * item + (lists * dim + n_centroids * dim + rotation) * sizeof(float);
  const size_t tables = lists * parts * n_centroids * sizeof(float);
  const size_t open = file + (tables <= options.max_table_bytes ? tables : 0);
  const size_t training = std::min(n, lists * 256) * dim * sizeof(float) * 3;
  constexpr size_t kPlaces = 56;  // of the table of ids
  return {open + training + n * (dim * sizeof(float) + kPlaces), file, open};
}

struct IndexType {
  std::string_view name, help;
  IndexEstimate (*estimate)(Parameters&, Metric, size_t n, size_t dim);
  std::unique_ptr<Index> (*build)(Parameters&, Metric, std::span<const ItemId>,
                                  MatrixView<const float>, Progress*);
};

const IndexType kTypes[] = {
    {"hnsw",
     "graph, the default: m=16, ef_construction=200, exact=f32 (or bf16, none), codes=int8 (or "
     "int4, none), seed=0",
     [](Parameters& parameters, Metric metric, size_t n, size_t dim) {
       return hnsw_estimate(hnsw_options(parameters), metric, n, dim);
     },
     [](Parameters& parameters, Metric metric, std::span<const ItemId> ids,
        MatrixView<const float> vectors, Progress* progress) -> std::unique_ptr<Index> {
       const HnswOptions options = hnsw_options(parameters);
       parameters.finish();
       auto index = std::make_unique<Hnsw>(vectors.cols(), metric, options);
       index->add(ids, vectors, progress);
       index->compact();
       return index;
     }},
    {"flat", "exact: reads every vector",
     [](Parameters&, Metric metric, size_t n, size_t dim) {
       const size_t item =
           format_bytes(VectorStorage::exact_for(metric).exact, dim) + sizeof(ItemId) + 1;
       return IndexEstimate{n * (item + item / 2 + 40), n * item, n * item};
     },
     [](Parameters& parameters, Metric metric, std::span<const ItemId> ids,
        MatrixView<const float> vectors, Progress* progress) -> std::unique_ptr<Index> {
       parameters.finish();
       auto index = std::make_unique<FlatIndex>(vectors.cols(), metric);
       index->add(ids, vectors, progress);
       return index;
     }},
    {"ivf_pq",
     "compressed lists: lists=0 (about 4 sqrt n), parts=0 (about dim / 4), bits=4 (or 8), "
     "rotate=yes, seed=0",
     [](Parameters& parameters, Metric, size_t n, size_t dim) {
       return ivf_pq_estimate(ivf_pq_options(parameters), n, dim);
     },
     [](Parameters& parameters, Metric metric, std::span<const ItemId> ids,
        MatrixView<const float> vectors, Progress* progress) -> std::unique_ptr<Index> {
       const IvfPqOptions options = ivf_pq_options(parameters);
       parameters.finish();
       auto index = std::make_unique<IvfPq>(vectors.cols(), metric, options);
       index->train(vectors, progress);
       index->add(ids, vectors, progress);
       return index;
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
  Parameters parameters(spec);
  const IndexEstimate estimate = type_of(spec).estimate(parameters, metric, n, dim);
  parameters.finish();
  return estimate;
}

std::unique_ptr<Index> build_index(const IndexSpec& spec, Metric metric,
                                   std::span<const ItemId> ids, MatrixView<const float> vectors,
                                   Progress* progress) {
  Parameters parameters(spec);
  return type_of(spec).build(parameters, metric, ids, vectors, progress);
}

double estimate_build_seconds(const IndexSpec& spec, Metric metric,
                              MatrixView<const float> vectors) {
  constexpr size_t kLeast = 2000, kShare = 20;
  const size_t n = vectors.rows(), n_sample = std::min(n, std::max(kLeast, n / kShare));
  if (n_sample == 0) return 0;
  std::vector<ItemId> ids(n_sample);
  Matrix<float> sample(n_sample, vectors.cols());
  for (size_t i = 0; i < n_sample; ++i) {  // spread, or a sorted file would mislead
    ids[i] = i;
    std::ranges::copy(vectors.row(i * n / n_sample), sample.row(i).begin());
  }
  const auto begin = std::chrono::steady_clock::now();
  build_index(spec, metric, ids, sample);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  const double ratio = static_cast<double>(n) / static_cast<double>(n_sample);
  const double depth = std::log(static_cast<double>(n) + 2) /
                       std::log(static_cast<double>(n_sample) + 2);  // as a search grows
  return seconds.count() * ratio * depth;
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
  } else if (dynamic_cast<const FlatIndex*>(&index) != nullptr) {
    fact("type", "flat");
  }
  fact("metric", metric_name(index.metric()));
  fact("items", index.size());
  fact("dim", index.dim());
  return facts;
}

}  // namespace carya
