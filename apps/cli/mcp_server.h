#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "carya/atlas/atlas.h"

namespace carya::cli {

// The Model Context Protocol (JSON-RPC 2.0, versions 2024-11-05 to 2025-06-18) over an atlas: tools
// to look at topics and items and to search. Nothing is changed.
//
//   McpServer server(atlas, "1.0");
//   if (auto answer = server.answer(line)) write_line(*answer);
class McpServer {
 public:
  static constexpr size_t kMaxMessage = 1 << 20;  // bytes of a message

  McpServer(const Atlas& atlas, std::string version)
      : atlas_(atlas), version_(std::move(version)) {}
  // The answer to one message, without a line end; none to a notification. Whatever the message
  // is, it does not throw: what is wrong is in the answer.
  std::optional<std::string> answer(std::string_view message) const;

 private:
  nlohmann::json result_of(const std::string& method, const nlohmann::json& params) const;
  nlohmann::json call(const nlohmann::json& params) const;
  const Atlas& atlas_;
  const std::string version_;
};

}  // namespace carya::cli
