#include <fmt/core.h>

#include <memory>
#include <string>
#include <vector>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/atlas_json.h"

namespace carya::cli {
namespace {

struct SearchArguments {
  std::string atlas, query;
  AtlasSearchOptions options;
  std::optional<uint32_t> node;
  bool json = false;
};

constexpr size_t kTextWidth = 100;

std::string path_of(const Atlas& atlas, uint32_t item) {
  std::string path;
  for (uint32_t node : atlas.tree().path(atlas.tree().node_of(item))) {
    if (node != NodeTree::kRoot) path += (path.empty() ? "" : " / ") + atlas.name(node).name;
  }
  return path;
}

void run(const SearchArguments& args) {
  const Atlas atlas = Atlas::open(args.atlas);
  const std::vector<AtlasHit> hits = atlas.search(args.query, args.options);
  if (args.json) return print_json({{"query", args.query}, {"hits", hits_json(atlas, hits)}});
  for (const AtlasHit& hit : hits) {
    const Item item = atlas.items().item(hit.item);
    print_line(fmt::format("{}  {}",
                           hit.similarity ? fmt::format("{:.2f}", *hit.similarity) : "   -",
                           one_line(item.text, kTextWidth)));
    print_line(dim(
        fmt::format("      {}  [{}]", one_line(path_of(atlas, hit.item), 90), printable(item.id))));
  }
  if (hits.empty())
    print_line("no item is found; fewer conditions, or --mode vector, may find more");
}

}  // namespace

void add_search(CLI::App& app) {
  auto args = std::make_shared<SearchArguments>();
  CLI::App* verb = app.add_subcommand("search", "Find items by meaning and by words");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("query", args->query, "any text")->required();
  verb->add_option("-k", args->options.k, "hits")->check(whole_number())->capture_default_str();
  verb->add_option("--mode", args->options.mode,
                   "hybrid, vector (by meaning) or lexical (by words)")
      ->transform(CLI::CheckedTransformer(
          std::vector<std::pair<std::string, SearchMode>>{{"hybrid", SearchMode::kHybrid},
                                                          {"vector", SearchMode::kVector},
                                                          {"lexical", SearchMode::kLexical}}))
      ->default_str("hybrid");
  verb->add_option("--where", args->options.where,
                   "condition on metadata, such as 'size >= 1000 and section = games'");
  verb->add_option("--node", args->options.node, "only below this topic")->check(whole_number());
  verb->add_flag("--json", args->json, "as JSON");
  verb->footer(
      "Examples:\n"
      "  carya search demo.atlas \"play chess\"\n"
      "  carya search demo.atlas \"image viewer\" -k 20 --where 'size < 500 and section in "
      "(graphics, gnome)'");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
