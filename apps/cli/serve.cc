#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "apps/cli/arguments.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"
#include "apps/server/api.h"
#include "apps/server/pages.h"
#include "apps/server/site.h"

namespace carya::cli {
namespace {

namespace fs = std::filesystem;

struct ServeArguments {
  std::vector<std::string> atlases, allowed_hosts;
  std::string host = "127.0.0.1", token, access_log;
  uint16_t port = 8765;
  size_t n_threads = 0;
  bool open = false;
};

// A line a request: when, from where, what, status, bytes, milliseconds.
class AccessLog {
 public:
  explicit AccessLog(const std::string& path) {
    if (path == "-") return;
    file_.open(path, std::ios::app);
    if (!file_) throw Error(ErrorKind::kIo, fmt::format("cannot write to {}", path));
  }
  void add(const HttpRequest& request, const HttpResponse& response, double seconds) {
    const std::time_t now = std::time(nullptr);
    std::tm utc{};
    gmtime_r(&now, &utc);
    char when[32];
    std::strftime(when, sizeof when, "%Y-%m-%dT%H:%M:%SZ", &utc);
    const std::string line =
        fmt::format("{} {} {} {} {} {} {:.1f}\n", when, request.peer, printable(request.method),
                    one_line(request.target, kMaxTarget), response.status,
                    response.body ? response.body->size() : 0, seconds * 1000);
    const std::lock_guard lock(mutex_);
    if (file_.is_open()) {
      file_ << line << std::flush;
    } else {
      fmt::print(stderr, "{}", line);
    }
  }

 private:
  static constexpr size_t kMaxTarget = 1000;
  std::mutex mutex_;
  std::ofstream file_;
};

bool is_loopback(const std::string& host) {
  return host == "127.0.0.1" || host == "localhost" || host == "::1";
}
bool is_wildcard(const std::string& host) { return host == "0.0.0.0" || host == "::"; }

std::string random_token() {
  std::random_device random;
  std::string token;
  for (int i = 0; i < 6; ++i) token += fmt::format("{:08x}", random());
  return token;
}

// demo.atlas -> demo; a second one becomes demo-2.
std::string name_of(const fs::path& folder,
                    const std::vector<std::unique_ptr<ServedAtlas>>& others) {
  const std::string stem = atlas_name(folder);
  std::string name = stem;
  const auto is_taken = [&](const auto& other) { return other->name() == name; };
  for (size_t i = 2; std::ranges::any_of(others, is_taken); ++i)
    name = fmt::format("{}-{}", stem, i);
  return name;
}

void open_browser(const std::string& address) {
  std::string program = "xdg-open", argument = address;
  char* argv[] = {program.data(), argument.data(), nullptr};
  pid_t pid = 0;
  if (::posix_spawnp(&pid, argv[0], nullptr, nullptr, argv, environ) != 0) {
    fmt::print(stderr, "carya: xdg-open cannot be started: open the address yourself\n");
    return;
  }
  std::thread([pid] { ::waitpid(pid, nullptr, 0); }).detach();
}

void run(const ServeArguments& args) {
  SiteOptions site_options;
  site_options.token = args.token;
  if (const char* token = std::getenv("CARYA_TOKEN"); token != nullptr && args.token.empty()) {
    site_options.token = token;
  }
  if (!is_loopback(args.host) && site_options.token.empty()) site_options.token = random_token();
  site_options.allowed_hosts = args.allowed_hosts;
  site_options.allowed_hosts.push_back(args.host);
  site_options.any_host = is_wildcard(args.host) && args.allowed_hosts.empty();

  std::vector<std::unique_ptr<ServedAtlas>> atlases;
  for (const std::string& folder : args.atlases) {
    atlases.push_back(std::make_unique<ServedAtlas>(name_of(folder, atlases), folder));
  }
  std::vector<const ServedAtlas*> served;
  for (const auto& atlas : atlases) served.push_back(atlas.get());
  const Api api(std::move(atlases), CARYA_VERSION);
  const Site site(api, site_options);
  HttpServer::Log log;
  if (!args.access_log.empty()) {
    auto file = std::make_shared<AccessLog>(args.access_log);
    log = [file](const auto&... answered) { file->add(answered...); };
  }
  HttpServer server(
      {.host = args.host, .port = args.port, .n_threads = args.n_threads},
      [&](const HttpRequest& request) { return site.answer(request); }, log);

  const std::string host =
      args.host.find(':') == args.host.npos ? args.host : "[" + args.host + "]";
  std::string address =
      fmt::format("http://{}:{}/", is_wildcard(args.host) ? "localhost" : host, server.port());
  if (!site_options.token.empty()) address += "#token=" + site_options.token;
  print_line(fmt::format("Open {}  (Ctrl-C ends)", address));
  flush_output();
  if (args.open) open_browser(address);
  // What the first visitor would wait for.
  std::thread warm_up([&] {
    try {
      for (const ServedAtlas* atlas : served) {
        atlas->layout();
        atlas->sample_order();
        info_page(*atlas);
      }
    } catch (const std::exception&) {  // whoever asks gets to read it
    }
  });
  server.run();
  warm_up.join();
}

}  // namespace

void add_serve(CLI::App& app) {
  auto args = std::make_shared<ServeArguments>();
  CLI::App* verb =
      app.add_subcommand("serve", "Browse, search and filter in the browser; HTTP API");
  verb->add_option("atlas", args->atlases, "one atlas or several")->required();
  verb->add_option("--host", args->host,
                   "address to listen at; beyond this machine a token is asked for")
      ->capture_default_str();
  verb->add_option("--port", args->port, "0 takes one that is free")->capture_default_str();
  verb->add_option("--token", args->token,
                   "what the API asks for; CARYA_TOKEN in the environment says it unseen")
      ->type_name("TEXT");
  verb->add_option("--allow-host", args->allowed_hosts,
                   "a name by which the server is called, behind a proxy")
      ->type_name("NAME");
  verb->add_option("--threads", args->n_threads, "that answer; 0: two a core")
      ->check(whole_number())
      ->capture_default_str();
  verb->add_option("--access-log", args->access_log,
                   "a file for a line a request; - is standard error")
      ->type_name("FILE");
  verb->add_flag("--open", args->open, "open the browser");
  verb->footer(
      "Examples:\n"
      "  carya serve demo.atlas --open\n"
      "  carya serve demo.atlas reviews.atlas --port 9000\n"
      "  CARYA_TOKEN=secret carya serve demo.atlas --host 0.0.0.0\n"
      "The API is described at /api/v1/openapi.json.");
  verb->callback([args] { run(*args); });
}

}  // namespace carya::cli
