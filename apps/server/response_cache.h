#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "apps/server/http_server.h"

namespace carya {

// Answers that were given already, the latest used ones, in at most max_bytes.  An atlas does not
// change while it is served, so they stay right.  Many threads may share it.
class ResponseCache {
 public:
  explicit ResponseCache(size_t max_bytes) : max_bytes_(max_bytes) {}
  std::optional<HttpResponse> find(std::string_view key);
  // Keeps it unless it alone would take a quarter of the cache.
  void keep(std::string_view key, const HttpResponse& response);
  size_t bytes() const;

 private:
  struct Entry {
    std::string key;
    HttpResponse response;
    size_t bytes;
  };
  mutable std::mutex mutex_;
  size_t max_bytes_, bytes_ = 0;
  std::list<Entry> entries_;  // the latest used first
  std::unordered_map<std::string_view, std::list<Entry>::iterator> by_key_;
};

}  // namespace carya
