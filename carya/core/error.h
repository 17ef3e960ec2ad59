#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace carya {

enum class ErrorKind {
  kInvalidArgument,  // an option or an array that cannot be: the caller's to fix
  kNotFound,         // a file, a column or an item that is not there
  kCorrupt,          // a file that is truncated, damaged, foreign or of another version
  kIo,               // the system refused: permissions, disk full, closed pipe
  kCancelled,        // Progress asked to stop; what was complete is kept
};

// The only exception that Carya throws on purpose.  The message says what is wrong, where (file,
// line, column, item), what was found and allowed, and the way out.
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const noexcept { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws Error{kInvalidArgument} with a formatted message unless `condition` holds.
template <class... Args>
void require(bool condition, fmt::format_string<Args...> message, Args&&... args) {
  if (!condition) {
    throw Error(ErrorKind::kInvalidArgument, fmt::format(message, std::forward<Args>(args)...));
  }
}

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line);

}  // namespace carya

// A bug of ours if it fails: aborts with the place.  Never for input; never with side effects.
#define CARYA_ASSERT(condition) \
  ((condition) ? void(0) : ::carya::assertion_failed(#condition, __FILE__, __LINE__))
