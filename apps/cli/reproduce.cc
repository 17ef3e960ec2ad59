#include <fmt/core.h>

#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/representation.h"
#include "carya/core/error.h"
#include "reproduce/systems.h"

namespace carya::cli {
namespace {

struct ReproduceArguments {
  std::vector<int> ids;
  bool list = false, table = false, quick = false, json = false;
  std::string data;
};

const char* state_of(const System& system) { return system.check == nullptr ? "planned" : "built"; }

// docs/systems.md.
void print_table() {
  size_t n_built = 0;
  for (const System& system : all_systems()) n_built += system.check != nullptr;
  print_line("# The systems\n");
  print_line(fmt::format(
      "{} of {} are built, each with its paper's claim as a check: `carya reproduce ID`.\n"
      "This page is what `carya reproduce --table` prints.\n",
      n_built, all_systems().size()));
  print_line("| id | title | home | state |\n|---|---|---|---|");
  for (const System& system : all_systems()) {
    print_line(fmt::format("| {:03} | {} | `{}` | {} |", system.id, system.title, system.home,
                           state_of(system)));
  }
}

// Whether all rows pass.
bool check(const System& system, const ClaimContext& context, nlohmann::json* json) {
  bool passed = true;
  for (const ClaimRow& row : system.check(context)) {
    passed = passed && row.pass;
    if (json != nullptr) {
      json->push_back({{"id", system.id},
                       {"metric", row.metric},
                       {"paper", row.paper},
                       {"measured", row.measured},
                       {"threshold", row.threshold},
                       {"pass", row.pass}});
    } else {
      print_line(fmt::format("{:03}  {}  {:<58} {:>10.5g}   {} (paper: {})", system.id,
                             row.pass ? "PASS" : "FAIL", row.metric, row.measured, row.threshold,
                             row.paper));
    }
  }
  return passed;
}

void run(const ReproduceArguments& args) {
  if (args.list) {
    for (const System& system : all_systems()) {
      print_line(fmt::format("{:03}  {:<8} {:<32} {}", system.id, state_of(system), system.home,
                             system.title));
    }
    return;
  }
  if (args.table) return print_table();
  std::vector<const System*> chosen;
  for (int id : args.ids) {
    require(id >= 1 && id <= static_cast<int>(all_systems().size()),
            "there is no system {}: they are 1 to {}", id, all_systems().size());
    const System& system = all_systems()[static_cast<size_t>(id) - 1];
    require(system.check != nullptr,
            "system {} ({}) is not built yet; `carya reproduce --list` has the state of all", id,
            system.title);
    chosen.push_back(&system);
  }
  if (args.ids.empty()) {
    for (const System& system : all_systems()) {
      if (system.check != nullptr) chosen.push_back(&system);
    }
  }
  const char* variable = std::getenv("CARYA_DATA");
  TerminalProgress progress;
  const ClaimContext context{
      args.data.empty() ? (variable == nullptr ? "data" : variable) : args.data, default_cache(),
      args.quick, &progress};
  nlohmann::json rows = nlohmann::json::array();
  bool passed = true;
  for (const System* system : chosen) {
    if (!args.json) print_line(bold(fmt::format("{:03}  {}", system->id, system->title)));
    passed = check(*system, context, args.json ? &rows : nullptr) && passed;
  }
  if (args.json) print_json(rows);
  if (!passed) throw Error(ErrorKind::kCorrupt, "a claim does not hold (FAIL above)");
}

}  // namespace

void add_reproduce(CLI::App& app) {
  auto args = std::make_shared<ReproduceArguments>();
  CLI::App* verb =
      app.add_subcommand("reproduce", "Check the claims of the papers that Carya is made of");
  verb->add_option("id", args->ids, "systems to check; none: all that are built");
  verb->add_flag("--list", args->list, "all systems and their state");
  verb->add_flag("--table", args->table, "the same as Markdown");
  verb->add_flag("--quick", args->quick, "smaller sizes where a claim allows it");
  verb->add_option("--data", args->data, "folder of the data sets; else CARYA_DATA");
  verb->add_flag("--json", args->json, "as JSON");
  verb->footer("Exit status 1 if a claim fails.\nExample: carya reproduce 15 76 110");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
