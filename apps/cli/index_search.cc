// carya index search
#include <fmt/core.h>

#include <filesystem>
#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/index_verbs.h"
#include "apps/cli/terminal.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/index/filter.h"
#include "carya/index/query.h"
#include "carya/index/window.h"
#include "carya/io/vectors.h"

namespace carya::cli {
namespace {

using Json = nlohmann::json;
using Answers = std::vector<std::vector<Hit>>;

struct SearchArguments {
  std::string index, queries, vectors, only, output;
  size_t k = 10, effort = 0, n_threads = 0;
  std::optional<double> radius;
  std::vector<double> window;
  bool json = false;
};

constexpr size_t kBlock = 1024;  // queries between two looks at Ctrl-C

// One block of queries.
Answers answers_of(const Index& index, MatrixView<const float> queries,
                   const SearchOptions& options, const SearchArguments& args) {
  if (args.radius) {
    return search_range_batch(index, queries, static_cast<float>(*args.radius), options);
  }
  if (args.window.empty()) return search_batch(index, queries, options);
  const auto* by_label = dynamic_cast<const WindowIndex*>(&index);
  require(by_label != nullptr, "{}: --window is for indexes that were built with --labels",
          args.index);
  const LabelWindow window{.low = args.window[0], .high = args.window[1]};
  return search_batch(*by_label, queries, window, options);
}

Answers search_all(const Index& index, MatrixView<const float> queries,
                   const SearchOptions& options, const SearchArguments& args, Progress* progress) {
  Answers answers;
  begin_stage(progress, "search", queries.rows(), "queries");
  for (size_t begin = 0; begin < queries.rows(); begin += kBlock) {
    const auto block = queries.slice(begin, std::min(kBlock, queries.rows() - begin));
    Answers some = answers_of(index, block, options, args);
    std::ranges::move(some, std::back_inserter(answers));
    advance(progress, block.rows());
  }
  return answers;
}

Json hits_json(size_t query, const std::vector<Hit>& hits) {
  Json list = Json::array();
  for (const Hit& hit : hits) list.push_back({{"id", hit.id}, {"distance", hit.distance}});
  return {{"query", query}, {"hits", list}};
}

// One line a hit, or a query as JSON.
template <class Put>
void write_lines(const Answers& answers, bool json, const Put& put) {
  if (!json) put("query,rank,id,distance");
  for (size_t i = 0; i < answers.size(); ++i) {
    if (json) {
      put(hits_json(i, answers[i]).dump());
      continue;
    }
    for (size_t rank = 0; rank < answers[i].size(); ++rank) {
      put(fmt::format("{},{},{},{}", i, rank + 1, answers[i][rank].id, answers[i][rank].distance));
    }
  }
}

// Ids [n_queries, most hits], -1 where a query has fewer.
Matrix<int64_t> id_matrix(const Answers& answers) {
  size_t most = 0;
  for (const auto& hits : answers) most = std::max(most, hits.size());
  Matrix<int64_t> ids(answers.size(), most);
  std::ranges::fill(ids.flat(), -1);
  for (size_t i = 0; i < answers.size(); ++i) {
    for (size_t j = 0; j < answers[i].size(); ++j) {
      ids(i, j) = static_cast<int64_t>(answers[i][j].id);
    }
  }
  return ids;
}

void write_answers(const Answers& answers, const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".ivecs") return write_ivecs(path, id_matrix(answers));
  if (extension == ".npy") return write_npy(path, id_matrix(answers));
  require(extension == ".csv" || extension == ".jsonl",
          "{}: hits are written as .csv, .jsonl, .npy or .ivecs (ids alone)", path);
  AtomicFile file(path);
  write_lines(answers, extension == ".jsonl", [&](const std::string& line) {
    file.write(line);
    file.write("\n");
  });
  file.commit();
}

void run(const SearchArguments& args) {
  const ThreadLimit limit(args.n_threads);
  const auto index = open_index(args.index);
  const Matrix<float> queries = read_vectors(args.queries);
  const Matrix<float> exact = args.vectors.empty() ? Matrix<float>() : read_vectors(args.vectors);
  const std::unique_ptr<Filter> filter =
      args.only.empty() ? nullptr : id_filter(ids_in(args.only), index->size());
  const SearchOptions options{
      .k = args.k, .effort = args.effort, .filter = filter.get(), .exact = exact};
  TerminalProgress progress;
  const Answers answers = search_all(*index, queries, options, args, &progress);
  if (!args.output.empty()) {
    write_answers(answers, args.output);
  } else {
    write_lines(answers, args.json, [](const std::string& line) { print_line(line); });
  }
}

}  // namespace

void add_index_search(CLI::App& index) {
  auto args = std::make_shared<SearchArguments>();
  CLI::App* verb = index.add_subcommand("search", "The nearest items of each query");
  verb->add_option("index", args->index)->required();
  verb->add_option("queries", args->queries, "vectors, as for build")->required();
  verb->add_option("-k", args->k, "hits of a query")->check(whole_number())->capture_default_str();
  verb->add_option(
          "--effort", args->effort,
          "candidates of a graph, lists of the others; 0: the index's default; carya index "
          "tune finds it")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--radius", args->radius,
                   "all items within this distance (of l2: squared), not k of them");
  verb->add_option("--window", args->window,
                   "only items whose label lies between these, both included")
      ->delimiter(',')
      ->expected(2)
      ->type_name("LOW,HIGH");
  verb->add_option("--vectors", args->vectors,
                   "what was indexed with ids 0, 1, 2 ...: ranks the hits of an index of codes");
  verb->add_option("--only", args->only, "no other items than these: ids as for build");
  verb->add_option("-o,--output", args->output,
                   ".csv, .jsonl, or the ids alone as .npy or .ivecs; else CSV on the terminal");
  verb->add_option("--threads", args->n_threads, "0: all")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_flag("--json", args->json, "JSON lines on the terminal");
  verb->footer(
      "Examples:\n"
      "  carya index search words.index queries.npy -k 5\n"
      "  carya index search years.index queries.npy --window 1990,1995\n"
      "  carya index search sift.index sift-128-euclidean.hdf5:test --effort 80 -o hits.ivecs");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
