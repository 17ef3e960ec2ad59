#include "carya/atlas/export.h"

#include <memory>
#include <string>

#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/core/file.h"

namespace carya::cli {
namespace {

struct ExportArguments {
  std::string atlas, format = "json", output = "-";
};

void run(const ExportArguments& args) {
  const ExportFormat format = export_format_from_name(args.format);
  const Atlas atlas = Atlas::open(args.atlas);
  if (args.output == "-") {
    export_atlas(atlas, format, print_text);
    return;
  }
  AtomicFile file(args.output);
  export_atlas(atlas, format, [&](std::string_view text) { file.write(text); });
  file.commit();
}

}  // namespace

void add_export(CLI::App& app) {
  auto args = std::make_shared<ExportArguments>();
  CLI::App* verb = app.add_subcommand("export", "The tree and the items for other programs");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("--format", args->format,
                   "json, csv, newick, linkage (scipy's matrix), svg (a picture of the topics) or "
                   "disk (a map "
                   "of topics and items, SVG)")
      ->capture_default_str();
  verb->add_option("-o,--output", args->output, "a file; - is standard output")
      ->capture_default_str();
  verb->footer(
      "Examples:\n  carya export demo.atlas --format csv -o demo.csv\n"
      "  carya export demo.atlas --format svg -o demo.svg\n"
      "  carya export demo.atlas --format disk -o map.svg");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
