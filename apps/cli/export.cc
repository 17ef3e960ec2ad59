#include "carya/atlas/export.h"

#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "apps/server/explorer_page.h"
#include "carya/core/file.h"

namespace carya::cli {
namespace {

struct ExportArguments {
  std::string atlas, format = "json", output = "-";
  ExplorerPageOptions page;
};

using Write = std::function<void(std::string_view)>;

void export_to(const ExportArguments& args, const Write& write) {
  if (args.format == "html") {
    const std::filesystem::path folder = args.atlas;
    return write_explorer_page(ServedAtlas(atlas_name(folder), folder), args.page, write);
  }
  export_atlas(Atlas::open(args.atlas), export_format_from_name(args.format), write);
}

void run(const ExportArguments& args) {
  if (args.format != "html") export_format_from_name(args.format);  // before a file is begun
  if (args.output == "-") return export_to(args, print_text);
  AtomicFile file(args.output);
  export_to(args, [&](std::string_view text) { file.write(text); });
  file.commit();
}

}  // namespace

void add_export(CLI::App& app) {
  auto args = std::make_shared<ExportArguments>();
  CLI::App* verb = app.add_subcommand("export", "The tree and the items for other programs");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("--format", args->format,
                   "json, csv, newick, linkage (scipy's matrix), svg (a picture of the topics), "
                   "disk (a map of topics and items, SVG) or html (the explorer as one page)")
      ->capture_default_str();
  verb->add_option("-o,--output", args->output, "a file; - is standard output")
      ->capture_default_str();
  verb->add_option("--max-items", args->page.max_items,
                   "of an html page; a sample where there are more")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--max-text", args->page.max_text, "characters of each text of an html page")
      ->check(whole_number())
      ->capture_default_str();
  verb->footer(
      "Examples:\n  carya export demo.atlas --format csv -o demo.csv\n"
      "  carya export demo.atlas --format svg -o demo.svg\n"
      "  carya export demo.atlas --format html -o demo.html\n"
      "  carya export demo.atlas --format disk -o map.svg");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
