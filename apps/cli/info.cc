#include <fmt/core.h>

#include <memory>
#include <string>

#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/atlas/atlas.h"

namespace carya::cli {
namespace {

void run(const std::string& path, bool json) {
  const Atlas atlas = Atlas::open(path);
  const AtlasInfo info = atlas.info();
  if (json) {
    nlohmann::json stages = nlohmann::json::array(), columns = nlohmann::json::object();
    for (const auto& stage : info.stages) {
      stages.push_back(
          {{"stage", stage.name}, {"seconds", stage.seconds}, {"peak_bytes", stage.peak_bytes}});
    }
    for (const MetadataColumn& column : atlas.items().columns())
      columns[column.name] = column_type_name(column.type);
    print_json({{"items", info.n_items},
                {"dims", info.dim},
                {"encoder", info.encoder},
                {"organise", info.method},
                {"nodes", info.n_nodes},
                {"leaves", info.n_leaves},
                {"depth", info.max_depth},
                {"outliers", info.n_outliers},
                {"columns", columns},
                {"stages", stages}});
    return;
  }
  print_line(fmt::format("items     {}", info.n_items));
  print_line(fmt::format("vectors   {} dims, {}", info.dim, info.encoder));
  print_line(fmt::format("topics    {} in {} levels, {} leaves, by {}", info.n_nodes - 1,
                         info.max_depth, info.n_leaves, info.method));
  print_line(fmt::format(
      "outliers  {} ({:.1f} %)", info.n_outliers,
      100.0 * static_cast<double>(info.n_outliers) / static_cast<double>(info.n_items)));
  std::string columns;
  for (const MetadataColumn& column : atlas.items().columns()) {
    columns += fmt::format("{}{} ({})", columns.empty() ? "" : ", ", column.name,
                           column_type_name(column.type));
  }
  print_line("columns   " + (columns.empty() ? "none" : columns));
  double seconds = 0;
  for (const auto& stage : info.stages) {
    print_line(dim(fmt::format("  {:<10}{:8.1f} s   peak {:.2f} GB", stage.name, stage.seconds,
                               static_cast<double>(stage.peak_bytes) / 1e9)));
    seconds += stage.seconds;
  }
  if (!info.stages.empty()) print_line(dim(fmt::format("  {:<10}{:8.1f} s", "all", seconds)));
}

}  // namespace

void add_info(CLI::App& app) {
  struct Arguments {
    std::string atlas;
    bool json = false;
  };
  auto args = std::make_shared<Arguments>();
  CLI::App* verb = app.add_subcommand("info", "What an atlas holds, and what its making took");
  verb->add_option("atlas", args->atlas)->required();
  verb->add_flag("--json", args->json, "as JSON");
  verb->footer("Example: carya info demo.atlas");
  verb->callback([args] { run(args->atlas, args->json); });
}

}  // namespace carya::cli
