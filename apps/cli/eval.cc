#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/atlas.h"

namespace carya::cli {

void add_eval(CLI::App& app) {
  struct Arguments {
    std::string atlas, label;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb =
      app.add_subcommand("eval", "How well the tree agrees with a column of known classes (JSON)");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_option("--label", args->label, "the column")->required();
  verb->add_flag("--json")->description("the default");
  verb->footer(
      "ami: adjusted mutual information of the best horizontal cut, of cut_nodes clusters, all "
      "items placed;\n"
      "purity: of that cut; dendrogram_purity: of the whole hierarchy; placed: share of items in a "
      "topic.\n"
      "Example: carya eval demo.atlas --label section");
  verb->callback([args] {
    const AtlasEvaluation result = Atlas::open(args->atlas).evaluate(args->label);
    print_json({{"ami", result.ami},
                {"purity", result.purity},
                {"dendrogram_purity", result.dendrogram_purity},
                {"cut_nodes", result.cut_nodes},
                {"placed", result.placed}});
  });
}

}  // namespace carya::cli
