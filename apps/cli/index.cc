// carya index: indexes of vectors without an atlas.
#include <fmt/core.h>

#include <charconv>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/index_verbs.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/index/index_spec.h"
#include "carya/io/vectors.h"

namespace carya::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Calls see(line without its end, number) for all lines of a file.
template <class See>
void for_each_line(const std::string& path, const See& see) {
  const std::string text = read_file(path);
  size_t line = 1;
  for (size_t at = 0; at < text.size(); ++line) {
    const size_t end = std::min(text.find('\n', at), text.size());
    std::string_view word = std::string_view(text).substr(at, end - at);
    if (word.ends_with('\r')) word.remove_suffix(1);
    see(word, line);
    at = end + 1;
  }
}

template <class T>
T number_of(std::string_view word, const std::string& path, size_t line, const char* what) {
  T number{};
  const auto [stop, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  require(error == std::errc() && stop == word.data() + word.size(),
          "{}:{}: '{}' is no {}; one a line", path, line, printable(word), what);
  return number;
}

// [n], or nothing if the name is empty.
std::vector<double> labels_for(const std::string& path, size_t n) {
  if (path.empty()) return {};
  std::vector<double> labels;
  if (names_vectors(path)) {
    const Matrix<float> numbers = read_vectors(path);
    labels.assign(numbers.flat().begin(), numbers.flat().end());
  } else {
    for_each_line(path, [&](std::string_view word, size_t line) {
      labels.push_back(number_of<double>(word, path, line, "number"));
    });
  }
  require(labels.size() == n, "{}: has {} labels for {} vectors", path, labels.size(), n);
  return labels;
}

struct BuildArguments {
  std::string input, output, type, metric = "l2", ids, labels;
  size_t n_threads = 0;
  bool estimate = false, force = false, json = false;
};

void print_estimate(const BuildArguments& args, const IndexSpec& spec, Metric metric,
                    MatrixView<const float> vectors) {
  const IndexEstimate bytes = estimate_index(spec, metric, vectors.rows(), vectors.cols());
  const double seconds = estimate_build_seconds(spec, metric, vectors);
  if (args.json) {
    return print_json({{"items", vectors.rows()},
                       {"dim", vectors.cols()},
                       {"build_seconds", seconds},
                       {"build_bytes", bytes.build_bytes},
                       {"file_bytes", bytes.file_bytes},
                       {"open_bytes", bytes.open_bytes}});
  }
  print_line(
      fmt::format("{} vectors of {} dims; {} would take about {} and {} of memory beside the "
                  "vectors; its file {}, in use {}",
                  vectors.rows(), vectors.cols(), spec.text(), seconds_text(seconds),
                  bytes_text(static_cast<double>(bytes.build_bytes)),
                  bytes_text(static_cast<double>(bytes.file_bytes)),
                  bytes_text(static_cast<double>(bytes.open_bytes))));
}

void print_facts(const std::string& path, const Index& index, bool json) {
  const auto bytes = fs::file_size(path);
  auto facts = index_facts(index);
  if (json) {
    Json object = {{"index", path}, {"bytes", bytes}};
    for (const auto& [name, value] : facts) {
      const bool is_number = value.find_first_not_of("0123456789") == value.npos;
      object[name] = is_number ? Json(std::stoull(value)) : Json(value);
    }
    return print_json(object);
  }
  for (const auto& [name, value] : facts) print_line(fmt::format("{:16} {}", name, value));
  print_line(fmt::format(
      "{:16} {} ({:.0f} an item)", "bytes", bytes_text(static_cast<double>(bytes)),
      static_cast<double>(bytes) / static_cast<double>(std::max<size_t>(index.size(), 1))));
}

void build(const BuildArguments& args) {
  const ThreadLimit limit(args.n_threads);
  const std::string standard = args.labels.empty() ? "hnsw" : "window";
  const IndexSpec spec = IndexSpec::parse(args.type.empty() ? standard : args.type);
  const Metric metric = metric_from_name(args.metric);
  require(args.estimate || !args.output.empty(),
          "say where the index goes: -o FILE (or only --estimate)");
  require(args.estimate || args.force || !fs::exists(args.output),
          "{}: is there already; --force replaces it, or choose another -o", args.output);
  const Matrix<float> vectors = read_vectors(args.input);
  if (args.estimate) return print_estimate(args, spec, metric, vectors);
  require(vectors.rows() > 0, "{}: has no vectors", args.input);
  TerminalProgress progress;
  const std::vector<ItemId> ids = ids_for(args.ids, vectors.rows());
  const std::vector<double> labels = labels_for(args.labels, vectors.rows());
  const auto index = build_index(
      spec, metric, {.ids = ids, .vectors = vectors, .labels = labels, .path = args.output},
      &progress);
  print_facts(args.output, *index, args.json);
}

struct ChangeArguments {
  std::string index, vectors, ids;
  bool json = false;
};

void add_items(const ChangeArguments& args) {
  const auto index = open_index(args.index);
  const Matrix<float> vectors = read_vectors(args.vectors);
  std::vector<ItemId> ids;
  if (args.ids.empty()) {  // 0 .. n-1 are there where build() gave the ids, and nobody removed any
    ids.resize(vectors.rows());
    std::iota(ids.begin(), ids.end(), index->size());
  } else {
    ids = ids_for(args.ids, vectors.rows());
  }
  TerminalProgress progress;
  index->add(ids, vectors, &progress);
  index->save(args.index);
  print_facts(args.index, *index, args.json);
}

void remove_items(const ChangeArguments& args) {
  const auto index = open_index(args.index);
  size_t n_absent = 0;
  for (const ItemId id : ids_in(args.ids)) n_absent += index->remove(id) ? 0 : 1;
  index->save(args.index);
  if (n_absent > 0) {
    fmt::print(stderr, "carya: {} of the ids were not in {}\n", n_absent, args.index);
  }
  print_facts(args.index, *index, args.json);
}

void add_build(CLI::App& index) {
  auto args = std::make_shared<BuildArguments>();
  CLI::App* verb = index.add_subcommand("build", "Make an index of vectors");
  verb->add_option("vectors", args->input,
                   ".npy, .fvecs, .bvecs, .ivecs, IDX, or .hdf5 (FILE:DATASET; else its 'train')")
      ->required();
  verb->add_option("-o,--output", args->output, "the index, one file");
  verb->add_option("--type", args->type, "and its parameters, see below; hnsw by default")
      ->type_name("TYPE[:NAME=VALUE,...]");
  verb->add_option("--metric", args->metric, "l2, ip, cosine; of 0 and 1: hamming, jaccard")
      ->capture_default_str();
  verb->add_option("--ids", args->ids,
                   "whole numbers, one a vector: a line each, .npy or .ivecs; else 0, 1, 2 ...");
  verb->add_option("--labels", args->labels,
                   "a number a vector (a line each, .npy), such as its time, for --window");
  verb->add_option("--threads", args->n_threads, "0: all; the result is the same")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_flag("--estimate", args->estimate, "only tell time, memory and size");
  verb->add_flag("--force", args->force, "replace an index that is there");
  verb->add_flag("--json", args->json, "print the result as JSON");
  verb->footer("Types, and their parameters with what these are if not given:\n" +
               index_types_help() +
               "Examples:\n"
               "  carya index build sift-128-euclidean.hdf5 -o sift.index\n"
               "  carya index build words.npy --metric cosine --type hnsw:m=32,codes=int4 -o "
               "words.index\n"
               "  carya index build words.npy --labels years.txt -o years.index\n"
               "  carya index build words.npy --type spann -o large.index\n"
               "  carya index build words.npy --estimate");
  verb->callback([args] { build(*args); });
}

void add_facts(CLI::App& index) {
  auto args = std::make_shared<ChangeArguments>();
  CLI::App* verb = index.add_subcommand("info", "Type, parameters and size of an index");
  verb->add_option("index", args->index)->required();
  verb->add_flag("--json", args->json, "as JSON");
  verb->footer("Example: carya index info words.index");
  verb->callback([args] { print_facts(args->index, *open_index(args->index), args->json); });
}

void add_changes(CLI::App& index) {
  auto args = std::make_shared<ChangeArguments>();
  CLI::App* add = index.add_subcommand("add", "Add vectors to an index");
  add->add_option("index", args->index)->required();
  add->add_option("vectors", args->vectors)->required();
  add->add_option("--ids", args->ids, "as for build; else on from the number of items");
  add->add_flag("--json", args->json, "print the result as JSON");
  add->footer("Example: carya index add words.index more.npy");
  add->callback([args] { add_items(*args); });
  CLI::App* remove = index.add_subcommand("remove", "Remove items from an index");
  remove->add_option("index", args->index)->required();
  remove->add_option("--ids", args->ids, "a line each, .npy or .ivecs")->required();
  remove->add_flag("--json", args->json, "print the result as JSON");
  remove->footer("Example: carya index remove words.index --ids gone.txt");
  remove->callback([args] { remove_items(*args); });
}

}  // namespace

std::vector<ItemId> ids_in(const std::string& path) {
  std::vector<ItemId> ids;
  if (!names_vectors(path)) {
    for_each_line(path, [&](std::string_view word, size_t line) {
      ids.push_back(number_of<ItemId>(word, path, line, "id (a whole number)"));
    });
    return ids;
  }
  const Matrix<int64_t> numbers = read_ids(path);
  for (const int64_t id : numbers.flat()) {
    require(id >= 0, "{}: {} is no id; they are whole numbers from 0 on", path, id);
    ids.push_back(static_cast<ItemId>(id));
  }
  return ids;
}

std::vector<ItemId> ids_for(const std::string& path, size_t n) {
  if (path.empty()) {
    std::vector<ItemId> ids(n);
    std::iota(ids.begin(), ids.end(), ItemId{0});
    return ids;
  }
  std::vector<ItemId> ids = ids_in(path);
  require(ids.size() == n, "{}: has {} ids for {} vectors", path, ids.size(), n);
  return ids;
}

bool names_vectors(const std::string& path) {
  try {
    return holds_vectors(input_format(path));
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::kNotFound) throw;
    return false;  // another kind of file
  }
}

std::string bytes_text(double bytes) {
  constexpr const char* kUnits[] = {"B", "KB", "MB", "GB", "TB"};
  size_t unit = 0;
  for (; bytes >= 1000 && unit + 1 < std::size(kUnits); ++unit) bytes /= 1000;
  return fmt::format("{:.{}f} {}", bytes, bytes < 100 && unit > 0 ? 1 : 0, kUnits[unit]);
}

std::string seconds_text(double seconds) {
  if (seconds < 120) return fmt::format("{:.{}f} s", seconds, seconds < 10 ? 1 : 0);
  return fmt::format("{:.0f} min", seconds / 60);
}

Json point_json(const RecallPoint& point) {
  return {{"effort", point.effort},
          {"recall", point.recall},
          {"queries_per_second", point.queries_per_second()},
          {"p99_seconds", point.slow_seconds},
          {"distances", point.n_distances}};
}

std::string point_header() {
  return fmt::format("{:>8} {:>8} {:>12} {:>10} {:>11}", "effort", "recall", "queries/s", "p99 us",
                     "distances");
}

std::string point_text(const RecallPoint& point) {
  return fmt::format("{:8} {:8.4f} {:12.0f} {:10.0f} {:11.0f}", point.effort, point.recall,
                     point.queries_per_second(), 1e6 * point.slow_seconds, point.n_distances);
}

void add_index(CLI::App& app) {
  CLI::App* index = app.add_subcommand("index", "Indexes of vectors: build, search, tune, compare");
  index->require_subcommand(1);
  add_build(*index);
  add_index_search(*index);
  add_facts(*index);
  add_index_tune(*index);
  add_index_bench(*index);
  add_changes(*index);
  index->footer(
      "Examples:\n"
      "  carya index build words.npy --metric cosine -o words.index\n"
      "  carya index search words.index queries.npy -k 10 -o hits.ivecs\n"
      "  carya index tune words.index queries.npy --recall 0.95 --svg curve.svg");
}

}  // namespace carya::cli
