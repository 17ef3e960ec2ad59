#pragma once

#include <chrono>
#include <mutex>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "carya/core/progress.h"

namespace carya::cli {

// Progress on standard error: a line that is rewritten, with rate and time left, on a terminal; a
// plain line a stage elsewhere.  Ctrl-C (SIGINT) or SIGTERM asks the work to stop; a second one
// ends the program at once.
class TerminalProgress final : public Progress {
 public:
  TerminalProgress();
  ~TerminalProgress() override;
  void begin(std::string_view stage, size_t total, std::string_view unit) override;
  void advance(size_t steps) override;
  bool stop_requested() const override;
  // Something to say between stages, on a line of its own.
  void notice(const std::string& text);

 private:
  using Clock = std::chrono::steady_clock;
  void draw();
  void finish_stage();
  std::mutex mutex_;
  bool is_terminal_;
  std::string stage_, unit_;
  size_t total_ = 0, done_ = 0;
  Clock::time_point stage_start_, last_draw_;
};

bool color_wanted();                     // standard output is a terminal, and NO_COLOR unset
std::string dim(std::string_view text);  // as color_wanted()
std::string bold(std::string_view text);
// These throw kIo if standard output cannot be written (a full disk), ClosedPipe if nobody reads it
// any more, as in `carya export a.atlas | head -1`.
struct ClosedPipe {};
void print_text(std::string_view text);
void print_line(std::string_view text);
void flush_output();
void print_json(const nlohmann::json& json);
// Texts as terminals may have them: control characters, which could command it, become blanks; line
// ends and tabs stay.
std::string printable(std::string_view text);
std::string one_line(std::string_view text, size_t max_width);  // control characters become blanks

}  // namespace carya::cli
