// The program `carya`: gives each verb to its file, and turns errors into messages and exit codes.
#include <fmt/core.h>

#include <csignal>
#include <exception>
#include <new>

#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "carya/core/error.h"

int main(int argc, char** argv) {
  constexpr int kFailed = 1, kUsage = 2, kInterrupted = 130;
  // A closed pipe and a file that may not grow are errors of the write.
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  CLI::App app(
      "Turns texts, tables and vectors into an atlas: a tree of topics that one browses and "
      "searches.");
  app.name("carya");
  app.set_version_flag("--version", "carya " CARYA_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  carya atlas reviews.csv --text title,body -o reviews.atlas\n"
      "  carya serve reviews.atlas --open\n"
      "  carya search reviews.atlas \"arrived broken\" --where 'stars <= 2'\n"
      "\n`carya VERB --help` has each verb's options and examples.");
  carya::cli::add_atlas(app);
  carya::cli::add_info(app);
  carya::cli::add_tree(app);
  carya::cli::add_serve(app);
  carya::cli::add_search(app);
  carya::cli::add_show(app);
  carya::cli::add_add(app);
  carya::cli::add_export(app);
  carya::cli::add_eval(app);
  carya::cli::add_index(app);
  carya::cli::add_encode(app);
  carya::cli::add_mcp(app);
  carya::cli::add_reproduce(app);
  carya::cli::add_completion(app);
  const auto is_named = [&](const CLI::App* verb) { return verb->get_name() == argv[1]; };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
    fmt::print(stderr, "carya: error: there is no verb '{}'; see carya --help\n", argv[1]);
    return kUsage;
  }
  try {
    app.parse(argc, argv);
    carya::cli::flush_output();
    return 0;
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    fmt::print(stderr, "carya: error: {}\n", error.what());
    fmt::print(stderr, "See carya --help.\n");
    return kUsage;
  } catch (const carya::Error& error) {
    fmt::print(stderr, "carya: error: {}\n", error.what());
    if (error.kind() == carya::ErrorKind::kCancelled) return kInterrupted;
    return error.kind() == carya::ErrorKind::kInvalidArgument ? kUsage : kFailed;
  } catch (const carya::cli::ClosedPipe&) {
    return kFailed;  // whoever closed it knows
  } catch (const std::bad_alloc&) {
    fmt::print(stderr, "carya: error: out of memory; --memory bounds what building takes\n");
    return kFailed;
  } catch (const std::exception& error) {
    fmt::print(stderr, "carya: error: {}\n", error.what());
    return kFailed;
  }
}
