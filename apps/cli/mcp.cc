#include <iostream>
#include <memory>
#include <string>

#include "apps/cli/mcp_server.h"
#include "apps/cli/terminal.h"
#include "apps/cli/verbs.h"

namespace carya::cli {
namespace {

// A line without its end, of which no more than `max` + 1 bytes are kept. False at the end.
bool read_line(std::istream& in, std::string& line, size_t max) {
  line.clear();
  for (int c = in.get(); c != std::istream::traits_type::eof(); c = in.get()) {
    if (c == '\n') return true;
    if (line.size() <= max) line += static_cast<char>(c);
  }
  return !line.empty();
}

void run(const std::string& folder) {
  const Atlas atlas = Atlas::open(folder);
  const McpServer server(atlas, CARYA_VERSION);
  std::string line;
  while (read_line(std::cin, line, McpServer::kMaxMessage)) {
    if (line.find_first_not_of(" \t\r") == line.npos) continue;
    if (const auto answer = server.answer(line)) {
      print_line(*answer);
      flush_output();
    }
  }
}

}  // namespace

void add_mcp(CLI::App& app) {
  auto folder = std::make_shared<std::string>();
  CLI::App* verb = app.add_subcommand(
      "mcp", "Answer a language model's agent (Model Context Protocol) on standard input");
  verb->add_option("atlas", *folder)->required();
  verb->footer(
      "An agent starts it as a server over stdio; in its configuration, for example:\n"
      "  {\"mcpServers\": {\"demo\": {\"command\": \"carya\", \"args\": [\"mcp\", "
      "\"/data/demo.atlas\"]}}}\n"
      "Tools: list_topics, get_topic, search, get_item, neighbors, compare_topics.");
  verb->callback([folder] { run(*folder); });
}

}  // namespace carya::cli
