#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/core/parallel.h"
#include "carya/io/vectors.h"

namespace carya::cli {
namespace {

struct EncodeArguments {
  std::string input, output;
  ReadArguments read;
  EncoderArguments encoder;
  size_t n_threads = 0;
  bool json = false;
};

void run(const EncodeArguments& args) {
  const ThreadLimit limit(args.n_threads);
  TerminalProgress progress;
  const auto records = open_records(args.input, args.read.checked());
  std::vector<std::string> texts;
  for (Record record; records->next(record);) texts.push_back(std::move(record.text));
  require(!texts.empty(), "{}: has no items", args.input);
  require(args.encoder.options.encoder != "none",
          "--encoder none gives no vectors; use auto, minilm, static, lsa "
          "or a model's folder");
  const Representation representation =
      Representation::fit(text_source(texts), args.encoder.options, &progress);
  if (!representation.notice().empty()) progress.notice(representation.notice());
  Matrix<float> vectors(texts.size(), representation.dim());
  representation.encode(texts, vectors, &progress);
  write_npy(args.output, vectors);
  if (args.json) {
    return print_json({{"items", texts.size()},
                       {"dims", vectors.cols()},
                       {"encoder", representation.description()}});
  }
  print_line(fmt::format("{}: {} x {}, {}", args.output, texts.size(), vectors.cols(),
                         representation.description()));
}

}  // namespace

void add_encode(CLI::App& app) {
  auto args = std::make_shared<EncodeArguments>();
  CLI::App* verb = app.add_subcommand("encode", "Only the vectors of texts, as .npy");
  verb->add_option("input", args->input, "as for carya atlas")->required();
  verb->add_option("-o,--output", args->output, "the .npy")->required();
  args->read.add_to(*verb);
  args->encoder.add_to(*verb);
  verb->add_option("--threads", args->n_threads, "0: all")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_flag("--json", args->json, "print the result as JSON");
  verb->footer("Example: carya encode notes.txt --encoder minilm -o notes.npy");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
