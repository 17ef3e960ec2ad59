#pragma once

#include <CLI/CLI.hpp>

namespace carya::cli {

// One verb each: its options, its help, what it does when chosen.  A verb's file is cli/NAME.cc.
void add_atlas(CLI::App& app);
void add_info(CLI::App& app);
void add_tree(CLI::App& app);
void add_search(CLI::App& app);
void add_show(CLI::App& app);
void add_add(CLI::App& app);
void add_export(CLI::App& app);
void add_eval(CLI::App& app);
void add_index(CLI::App& app);
void add_encode(CLI::App& app);
void add_mcp(CLI::App& app);
void add_reproduce(CLI::App& app);
void add_serve(CLI::App& app);
void add_completion(CLI::App& app);

}  // namespace carya::cli
