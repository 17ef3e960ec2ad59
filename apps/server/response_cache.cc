#include "apps/server/response_cache.h"

namespace carya {

constexpr size_t kEntryBytes = 512;  // of the lists, the map and the headers, about

std::optional<HttpResponse> ResponseCache::find(std::string_view key) {
  const std::lock_guard lock(mutex_);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return std::nullopt;
  entries_.splice(entries_.begin(), entries_, found->second);
  return found->second->response;
}

void ResponseCache::keep(std::string_view key, const HttpResponse& response) {
  const size_t bytes = kEntryBytes + key.size() + (response.body ? response.body->size() : 0);
  const std::lock_guard lock(mutex_);
  if (bytes > max_bytes_ / 4 || by_key_.contains(key)) return;
  entries_.push_front({std::string(key), response, bytes});
  by_key_.emplace(entries_.front().key, entries_.begin());
  bytes_ += bytes;
  while (bytes_ > max_bytes_) {
    bytes_ -= entries_.back().bytes;
    by_key_.erase(entries_.back().key);
    entries_.pop_back();
  }
}

size_t ResponseCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

}  // namespace carya
