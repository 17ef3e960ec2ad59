#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/atlas_json.h"

namespace carya::cli {
namespace {

struct TreeArguments {
  std::string atlas;
  size_t depth = 1;
  uint32_t node = 0;
  bool json = false;
};

constexpr size_t kExampleWidth = 70;  // characters of an exemplar

void print_node(const Atlas& atlas, uint32_t node, size_t depth, const std::string& indent) {
  for (uint32_t child : atlas.tree().children(node)) {
    const NodeName& name = atlas.name(child);
    std::string more;
    for (size_t i = 3; i < name.keywords.size(); ++i)
      more += (more.empty() ? "" : ", ") + name.keywords[i];
    print_line(fmt::format("{}{:>6}  {}  {}", indent, atlas.tree().size(child),
                           bold(one_line(name.name, 60)),
                           dim(fmt::format("[{}] {}", child, one_line(more, 50)))));
    if (depth > 1) print_node(atlas, child, depth - 1, indent + "    ");
  }
}

void run(const TreeArguments& args) {
  const Atlas atlas = Atlas::open(args.atlas);
  const NodeName& name = atlas.name(args.node);
  if (args.json) return print_json(topic_json(atlas, args.node, args.depth));
  std::string path;
  for (uint32_t above : atlas.tree().path(args.node))
    path += (path.empty() ? "" : " / ") + atlas.name(above).name;
  print_line(fmt::format("{:>6}  {}", atlas.tree().size(args.node), bold(one_line(path, 100))));
  if (args.node != NodeTree::kRoot) {
    std::string keywords;
    for (const std::string& keyword : name.keywords)
      keywords += (keywords.empty() ? "" : ", ") + keyword;
    print_line("        keywords: " + keywords);
    for (uint32_t item : name.exemplars) {
      print_line(dim("        e.g. " + one_line(atlas.items().item(item).text, kExampleWidth)));
    }
  }
  print_node(atlas, args.node, args.depth, "");
  const size_t own = atlas.tree().own_items(args.node).size();
  if (own > 0 && !atlas.tree().is_leaf(args.node))
    print_line(fmt::format("{:>6}  at the topic itself", own));
}

}  // namespace

void add_tree(CLI::App& app) {
  auto args = std::make_shared<TreeArguments>();
  CLI::App* verb =
      app.add_subcommand("tree", "The topics: how many items, what about, and what is below");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("--depth", args->depth, "levels to show")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  verb->add_option("--node", args->node, "begin at this topic, the number in brackets")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_flag("--json", args->json, "as JSON");
  verb->footer("Examples:\n  carya tree demo.atlas --depth 2\n  carya tree demo.atlas --node 7");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
