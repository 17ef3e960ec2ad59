#include "carya/atlas/atlas.h"

#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/build.h"
#include "carya/core/parallel.h"

namespace carya::cli {
namespace {

struct AtlasArguments {
  std::string input, output, method = "diffusion", memory;
  ReadArguments read;
  EncoderArguments encoder;
  size_t min_cluster_size = 0, n_levels = 0, n_threads = 0;
  bool resume = true, force = false, json = false;
};

// "512M", "2G", "1500000".
size_t parse_bytes(const std::string& text) {
  if (text.empty()) return 0;
  size_t used = 0;
  double value = -1;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  const std::string unit = used == 0 ? "?" : text.substr(used);
  const double factor = unit == "" || unit == "B"                    ? 1
                        : unit == "K" || unit == "k" || unit == "KB" ? 1e3
                        : unit == "M" || unit == "MB"                ? 1e6
                        : unit == "G" || unit == "GB"                ? 1e9
                                                                     : 0;
  require(value > 0 && value < 1e15 && factor > 0, "--memory {}: a size like 512M or 2G", text);
  return static_cast<size_t>(value * factor);
}

void run(const AtlasArguments& args) {
  const ThreadLimit limit(args.n_threads);
  TerminalProgress progress;
  AtlasOptions options;
  options.read = args.read.checked();
  options.encoder = args.encoder.options;
  options.organise = {.method = organise_method_from_name(args.method),
                      .min_cluster_size = args.min_cluster_size == 0
                                              ? std::nullopt
                                              : std::optional(args.min_cluster_size),
                      .n_levels = args.n_levels,
                      .seed = args.encoder.options.seed};
  options.max_memory = parse_bytes(args.memory);
  options.resume = args.resume;
  options.overwrite = args.force;
  options.notice = [&](const std::string& text) { progress.notice(text); };
  try {
    build_atlas(args.input, args.output, options, &progress);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCancelled) throw;
    throw Error(
        ErrorKind::kCancelled,
        args.input == "-"
            ? "stopped; standard input cannot be read again, so the next run starts anew"
            : fmt::format(
                  "stopped; what is complete is kept in {}.part: run the same command again "
                  "to go on",
                  args.output));
  }
  const AtlasInfo info = Atlas::open(args.output).info();
  if (args.json) {
    print_json({{"atlas", args.output},
                {"items", info.n_items},
                {"nodes", info.n_nodes},
                {"leaves", info.n_leaves},
                {"outliers", info.n_outliers}});
  } else {
    print_line(fmt::format("{}: {} items in {} topics, {} levels; look at it with: carya tree {}",
                           args.output, info.n_items, info.n_nodes - 1, info.max_depth,
                           args.output));
  }
}

}  // namespace

void add_atlas(CLI::App& app) {
  auto args = std::make_shared<AtlasArguments>();
  CLI::App* verb = app.add_subcommand("atlas", "Make an atlas of texts, a table or vectors");
  verb->add_option("input", args->input,
                   "folder of texts, .txt (a line an item), .csv, .tsv, .jsonl, .npy, .fvecs, "
                   ".bvecs, .ivecs, "
                   ".hdf5, IDX; - is "
                   "standard input")
      ->required();
  verb->add_option("-o,--output", args->output, "the atlas, a folder")->required();
  args->read.add_to(*verb);
  args->encoder.add_to(*verb);
  verb->add_option("--organise", args->method, "diffusion, hdbscan or kmeans-tree")
      ->capture_default_str();
  verb->add_option("--min-cluster-size", args->min_cluster_size,
                   "items that make a topic; 0: by the number of items")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--levels", args->n_levels, "of topics; 0: 2 to 4")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--threads", args->n_threads, "0: all; the result is the same")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--memory", args->memory, "do not begin what would need more, such as 2G");
  verb->add_flag("--resume,!--no-resume", args->resume, "go on from an interrupted run (default)");
  verb->add_flag("--force", args->force, "replace an atlas that is there");
  verb->add_flag("--json", args->json, "print the result as JSON");
  verb->footer(
      "Examples:\n"
      "  carya atlas notes/ -o notes.atlas                     a folder of text files\n"
      "  carya atlas reviews.csv --text title,body --id asin -o reviews.atlas\n"
      "  zcat log.jsonl.gz | carya atlas - -o log.atlas        JSON lines with a field \"text\"\n"
      "  carya atlas train-images-idx3-ubyte -o digits.atlas   images as they are");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
