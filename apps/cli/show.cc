#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/atlas_json.h"

namespace carya::cli {
namespace {

struct ShowArguments {
  std::string atlas, item;
  size_t k = 10;
  bool json = false;
};

void run(const ShowArguments& args) {
  const Atlas atlas = Atlas::open(args.atlas);
  const uint32_t number = atlas.find(args.item);
  if (args.json) return print_json(item_json(atlas, number, args.k));
  const Item item = atlas.items().item(number);
  const auto columns = atlas.items().columns();
  const std::vector<uint32_t> path = atlas.tree().path(atlas.tree().node_of(number));
  const std::vector<Neighbor> neighbors = atlas.neighbors(number, args.k);
  print_line(bold(printable(item.id)));
  print_line(printable(item.text));
  for (size_t i = 0; i < columns.size(); ++i) {
    const nlohmann::json value = value_json(item.values[i]);
    if (value.is_null()) continue;
    print_line(dim(
        fmt::format("  {}: {}", columns[i].name,
                    value.is_string() ? one_line(value.get<std::string>(), 80) : value.dump())));
  }
  std::string indent;
  for (uint32_t node : path) {
    print_line(
        fmt::format("{}{}{}", indent, indent.empty() ? "" : "└ ",
                    fmt::format("{} {}", one_line(atlas.name(node).name, 80),
                                dim(fmt::format("[{}] {} items", node, atlas.tree().size(node))))));
    indent += "  ";
  }
  print_line(fmt::format("{}└ strength {:.2f}{}", indent, atlas.strength(number),
                         atlas.is_outlier(number) ? ", an outlier" : ""));
  print_line("neighbours:");
  for (const Neighbor& neighbor : neighbors) {
    print_line(fmt::format("  {:.3f}  {}", neighbor.distance,
                           one_line(atlas.items().item(neighbor.item).text, 100)));
  }
}

}  // namespace

void add_show(CLI::App& app) {
  auto args = std::make_shared<ShowArguments>();
  CLI::App* verb =
      app.add_subcommand("show", "An item: its text and metadata, its place, its neighbours");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("item", args->item, "its id")->required();
  verb->add_option("-k", args->k, "neighbours")->check(whole_number())->capture_default_str();
  verb->add_flag("--json", args->json, "as JSON");
  verb->footer("Example: carya show demo.atlas gnuchess");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
