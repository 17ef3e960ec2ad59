// carya index tune, carya index bench: recall against speed.
#include <fmt/core.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/index_verbs.h"
#include "apps/cli/terminal.h"
#include "carya/core/file.h"
#include "carya/index/index_spec.h"
#include "carya/index/lid.h"
#include "carya/io/line_chart.h"
#include "carya/io/vectors.h"
#include "carya/simd/knn.h"
#include "carya/tree/kmeans.h"

namespace carya::cli {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct TuneArguments {
  std::string input, queries, truth, vectors, metric = "l2", svg;
  std::vector<std::string> types;
  size_t k = 10, sample = 50'000, seed = 0;
  double recall = 0.95;
  bool json = false;
};

// An index, or a type that was built, with what it reaches.
struct Contender {
  std::string name;
  double build_seconds = 0, item_bytes = 0;
  std::vector<RecallPoint> curve = {};
  std::optional<RecallPoint> chosen = {};
};

struct Task {
  Matrix<float> vectors, queries;
  Matrix<int64_t> truth;
  size_t k;
};

// `n` rows that are drawn without replacement, and up to max_rest of the others.
std::pair<Matrix<float>, Matrix<float>> split(const Matrix<float>& all, size_t n, size_t max_rest,
                                              uint64_t seed) {
  const std::vector<uint32_t> order =
      insertion_order(InsertionOrder::kRandom, std::vector<float>(all.rows()), seed);
  const auto rows = std::span(order);
  return {gather_rows(all, rows.first(n)),
          gather_rows(all, rows.subspan(n, std::min(max_rest, all.rows() - n)))};
}

Matrix<int64_t> as_ids(const Neighbors& neighbors) {
  Matrix<int64_t> ids(neighbors.ids.rows(), neighbors.ids.cols());
  for (size_t i = 0; i < ids.size(); ++i) {
    const uint32_t id = neighbors.ids.flat()[i];
    ids.flat()[i] = id == kNoNeighbor ? -1 : int64_t{id};
  }
  return ids;
}

Task make_task(const TuneArguments& args, Metric metric, size_t max_vectors, Progress* progress) {
  constexpr size_t kQueries = 1000, kShare = 10;  // of a small set, a tenth
  Task task{.vectors = read_vectors(args.input), .queries = {}, .truth = {}, .k = args.k};
  require(task.vectors.rows() > 1, "{}: {} vectors are too few to measure with", args.input,
          task.vectors.rows());
  const size_t n_all = task.vectors.rows();
  const bool is_sampled = n_all > max_vectors;
  if (args.queries.empty()) {
    const size_t n = std::min(kQueries, std::max<size_t>(1, task.vectors.rows() / kShare));
    std::tie(task.queries, task.vectors) = split(task.vectors, n, max_vectors, args.seed);
  } else {
    task.queries = read_vectors(args.queries);
    if (is_sampled) task.vectors = split(task.vectors, 0, max_vectors, args.seed).second;
  }
  if (args.truth.empty()) {
    task.truth = as_ids(exact_knn(task.queries, task.vectors, args.k, metric, progress));
  } else {
    require(!args.queries.empty(), "--truth belongs to queries: name their file too");
    require(!is_sampled, "--truth is of all {} vectors: say --sample 0 to use them all", n_all);
    task.truth = read_ids(args.truth);
  }
  return task;
}

double bytes_of(const Index& index) {
  const fs::path path =
      fs::temp_directory_path() / fmt::format("carya_index_{}.tmp", static_cast<int>(::getpid()));
  index.save(path);
  const auto bytes = static_cast<double>(fs::file_size(path));
  fs::remove(path);
  return bytes;
}

Contender contend(const IndexSpec& spec, Metric metric, const Task& task,
                  std::optional<double> recall, Progress* progress) {
  Contender contender{.name = spec.text()};
  const std::vector<ItemId> ids = ids_for("", task.vectors.rows());
  const auto begin = std::chrono::steady_clock::now();
  const auto index = build_index(spec, metric, {.ids = ids, .vectors = task.vectors}, progress);
  contender.build_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  contender.item_bytes = bytes_of(*index) / static_cast<double>(task.vectors.rows());
  const SearchOptions options{.k = task.k, .exact = task.vectors};
  contender.curve = recall_curve(*index, task.queries, task.truth, options, progress);
  if (recall) {
    contender.chosen = least_effort(*index, task.queries, task.truth, options, *recall, progress);
  }
  return contender;
}

void draw(const std::string& path, const std::vector<Contender>& contenders, size_t k) {
  if (path.empty()) return;
  std::vector<ChartLine> lines;
  for (const Contender& contender : contenders) {
    ChartLine line{.name = contender.name, .x = {}, .y = {}};
    for (const RecallPoint& point : contender.curve) {
      line.x.push_back(point.recall);
      line.y.push_back(point.queries_per_second());
      line.notes.push_back(fmt::format("effort {}", point.effort));
    }
    lines.push_back(std::move(line));
  }
  AtomicFile file(path);
  file.write(draw_lines(lines, {.title = "Queries a second on one thread, by recall",
                                .x_label = fmt::format("recall@{}", k),
                                .y_label = "queries/s",
                                .log_y = true}));
  file.commit();
}

Json curve_json(const Contender& contender) {
  Json curve = Json::array();
  for (const RecallPoint& point : contender.curve) curve.push_back(point_json(point));
  Json object = {{"index", contender.name}, {"curve", curve}};
  if (contender.build_seconds > 0) {
    object["build_seconds"] = contender.build_seconds;
    object["bytes_per_item"] = contender.item_bytes;
  }
  if (contender.chosen) object["chosen"] = point_json(*contender.chosen);
  return object;
}

Json task_json(const Task& task, const std::vector<Contender>& contenders) {
  Json list = Json::array();
  for (const Contender& contender : contenders) list.push_back(curve_json(contender));
  return {{"vectors", task.vectors.rows()}, {"queries", task.queries.rows()}, {"indexes", list}};
}

void print_curve(const Contender& contender) {
  print_line(point_header());
  for (const RecallPoint& point : contender.curve) print_line(point_text(point));
}

void tune_index(const TuneArguments& args) {
  require(!args.queries.empty(), "{}: say which queries to tune with: a file of vectors",
          args.input);
  require(args.types.empty(), "--type is for vectors; {} is built already", args.input);
  const auto index = open_index(args.input);
  const Matrix<float> queries = read_vectors(args.queries);
  const Matrix<float> exact = args.vectors.empty() ? Matrix<float>() : read_vectors(args.vectors);
  const SearchOptions options{.k = args.k, .exact = exact};
  TerminalProgress progress;
  const Matrix<int64_t> truth = args.truth.empty()
                                    ? true_neighbors(*index, queries, options, &progress)
                                    : read_ids(args.truth);
  Contender contender{.name = args.input};
  contender.curve = recall_curve(*index, queries, truth, options, &progress);
  contender.chosen = least_effort(*index, queries, truth, options, args.recall, &progress);
  draw(args.svg, {contender}, args.k);
  if (args.json) return print_json(curve_json(contender));
  print_curve(contender);
  if (contender.chosen) {
    print_line(fmt::format("\nrecall {} needs --effort {}: {:.0f} queries/s a thread", args.recall,
                           contender.chosen->effort, contender.chosen->queries_per_second()));
  } else {
    print_line(fmt::format("\nno effort reaches recall {}; an index with more exact vectors may",
                           args.recall));
  }
}

std::vector<std::string> types_or(const TuneArguments& args, std::vector<std::string> standard) {
  return args.types.empty() ? std::move(standard) : args.types;
}

void tune_vectors(const TuneArguments& args) {
  const Metric metric = metric_from_name(args.metric);
  TerminalProgress progress;
  const size_t sample = args.sample == 0 ? SIZE_MAX : args.sample;
  const Task task = make_task(args, metric, sample, &progress);
  std::vector<Contender> contenders;
  std::vector<std::string> standard = {"hnsw:m=8", "hnsw", "hnsw:m=32"};
  if (!is_binary(metric)) {  // bits have no smaller codes
    standard.insert(standard.end(), {"hnsw:m=8,codes=int4", "hnsw:codes=int4"});
  }
  for (const std::string& type : types_or(args, standard)) {
    contenders.push_back(contend(IndexSpec::parse(type), metric, task, args.recall, &progress));
  }
  draw(args.svg, contenders, args.k);
  const Contender* best = nullptr;
  for (const Contender& contender : contenders) {
    if (contender.chosen &&
        (best == nullptr || contender.chosen->seconds < best->chosen->seconds)) {
      best = &contender;
    }
  }
  if (args.json) {
    Json object = task_json(task, contenders);
    object["best"] = best == nullptr ? Json() : Json(best->name);
    return print_json(object);
  }
  print_line(fmt::format("{} vectors, {} queries, recall@{} of {} or more", task.vectors.rows(),
                         task.queries.rows(), args.k, args.recall));
  print_line(fmt::format("{:32} {:>8} {:>11} {}", "type", "build s", "bytes/item", point_header()));
  for (const Contender& contender : contenders) {
    print_line(fmt::format(
        "{:32} {:8.1f} {:11.0f} {}", contender.name, contender.build_seconds, contender.item_bytes,
        contender.chosen ? point_text(*contender.chosen) : std::string("       - (not reached)")));
  }
  if (best == nullptr) return print_line("none reaches it; try a larger m or ef_construction");
  print_line(fmt::format(
      "\nthe fastest: carya index build {} --metric {} --type {} -o FILE, then "
      "search with --effort {}{}",
      args.input, args.metric, best->name, best->chosen->effort,
      sample < SIZE_MAX && task.vectors.rows() == sample ? " (tune it again: this was a sample)"
                                                         : ""));
}

void bench(const TuneArguments& args) {
  const Metric metric = metric_from_name(args.metric);
  TerminalProgress progress;
  const Task task = make_task(args, metric, args.sample == 0 ? SIZE_MAX : args.sample, &progress);
  std::vector<Contender> contenders;
  std::vector<std::string> standard = {"hnsw", "flat"};
  if (!is_binary(metric)) standard.insert(standard.end(), {"hnsw:codes=int4", "ivf_pq"});
  for (const std::string& type : types_or(args, standard)) {
    contenders.push_back(contend(IndexSpec::parse(type), metric, task, std::nullopt, &progress));
    const Contender& last = contenders.back();
    if (args.json) continue;
    print_line(fmt::format("{}: built in {}, {:.0f} bytes an item", last.name,
                           seconds_text(last.build_seconds), last.item_bytes));
    print_curve(last);
  }
  draw(args.svg, contenders, args.k);
  if (args.json) print_json(task_json(task, contenders));
}

void add_common(CLI::App& verb, TuneArguments& args) {
  verb.add_option("-k", args.k, "true neighbours that should be found")
      ->check(whole_number())
      ->capture_default_str();
  verb.add_option("--truth", args.truth,
                  "the true neighbours: .ivecs, .npy or HDF5; else they are computed");
  verb.add_option("--type", args.types, "of an index, as for build; may be given again")
      ->allow_extra_args(false);
  verb.add_option("--metric", args.metric, "of vectors: l2, ip, cosine, hamming or jaccard")
      ->capture_default_str();
  verb.add_option("--seed", args.seed, "draws the sample and the queries")
      ->check(whole_number())
      ->capture_default_str();
  verb.add_option("--svg", args.svg, "draws the curves into this file");
  verb.add_flag("--json", args.json, "as JSON");
}

}  // namespace

void add_index_tune(CLI::App& index) {
  auto args = std::make_shared<TuneArguments>();
  CLI::App* verb = index.add_subcommand(
      "tune", "Find the effort, or the type, that reaches a recall at the highest speed");
  verb->add_option("input", args->input, "an index; or vectors, to choose a type for")->required();
  verb->add_option("queries", args->queries,
                   "vectors like those that will be searched; of vectors, some are held out if "
                   "none are given");
  verb->add_option("--recall", args->recall, "to be reached")
      ->check(CLI::Range(0.0, 1.0))
      ->capture_default_str();
  verb->add_option("--sample", args->sample, "vectors to build with; 0: all")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--vectors", args->vectors, "of an index of codes: what it was built from");
  add_common(*verb, *args);
  verb->footer(
      "Examples:\n"
      "  carya index tune words.index queries.npy --recall 0.95 --svg curve.svg\n"
      "  carya index tune words.npy --metric cosine --recall 0.99");
  verb->callback([args] { names_vectors(args->input) ? tune_vectors(*args) : tune_index(*args); });
}

void add_index_bench(CLI::App& index) {
  auto args = std::make_shared<TuneArguments>();
  args->sample = 0;
  CLI::App* verb = index.add_subcommand("bench", "Recall and speed of index types on your vectors");
  verb->add_option("vectors", args->input)->required();
  verb->add_option("queries", args->queries, "else some of the vectors are held out");
  verb->add_option("--sample", args->sample, "vectors to build with; 0: all")
      ->check(whole_number())
      ->capture_default_str();
  add_common(*verb, *args);
  verb->footer(
      "Examples:\n"
      "  carya index bench words.npy --metric cosine --svg curves.svg\n"
      "  carya index bench words.npy queries.npy --type hnsw --type hnsw:m=32");
  verb->callback([args] { bench(*args); });
}

}  // namespace carya::cli
