#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/atlas.h"

namespace carya::cli {
namespace {

struct AddArguments {
  std::string atlas, input;
  ReadArguments read;
  bool json = false;
};

void run(const AddArguments& args) {
  TerminalProgress progress;
  size_t n_new = 0;
  try {
    n_new = add_to_atlas(args.atlas, args.input, args.read.checked(), &progress);
  } catch (const Error& error) {
    if (error.kind() != ErrorKind::kCancelled) throw;
    throw Error(ErrorKind::kCancelled, fmt::format("stopped; {} is unchanged", args.atlas));
  }
  if (args.json) return print_json({{"added", n_new}});
  print_line(fmt::format("{}: {} items added", args.atlas, n_new));
}

}  // namespace

void add_add(CLI::App& app) {
  auto args = std::make_shared<AddArguments>();
  CLI::App* verb = app.add_subcommand("add", "Add items to an atlas; its topics stay");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("input", args->input, "as for carya atlas")->required();
  args->read.add_to(*verb);
  verb->add_flag("--json", args->json, "print the result as JSON");
  verb->footer("Example: carya add reviews.atlas today.csv --text title,body --id asin");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
