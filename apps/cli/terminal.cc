#include "apps/cli/terminal.h"

#include <fmt/core.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "carya/core/error.h"

namespace carya::cli {
namespace {

constexpr auto kRedraw = std::chrono::milliseconds(100);
constexpr size_t kStageWidth = 22;
constexpr double kBrief = 0.1;  // seconds: hundreds of such stages would hide the others
constexpr const char* kClearLine = "\r\033[K";

volatile std::sig_atomic_t stop_signal = 0;

void on_signal(int signal) {
  if (stop_signal != 0) std::_Exit(128 + signal);
  stop_signal = signal;
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  if (s < 60) return fmt::format("{} s", s);
  if (s < 3600) return fmt::format("{}:{:02} min", s / 60, s % 60);
  return fmt::format("{}:{:02} h", s / 3600, s / 60 % 60);
}

std::string quantity(double x) {
  return x >= 1e6   ? fmt::format("{:.1f}M", x / 1e6)
         : x >= 1e4 ? fmt::format("{:.0f}k", x / 1e3)
                    : fmt::format("{:.0f}", x);
}

[[noreturn]] void fail_to_write() {
  if (errno == EPIPE) throw ClosedPipe{};
  throw Error(ErrorKind::kIo,
              fmt::format("cannot write to standard output: {}", std::strerror(errno)));
}

}  // namespace

TerminalProgress::TerminalProgress() : is_terminal_(::isatty(STDERR_FILENO) != 0) {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

TerminalProgress::~TerminalProgress() {
  const std::lock_guard lock(mutex_);
  finish_stage();
}

void TerminalProgress::begin(std::string_view stage, size_t total, std::string_view unit) {
  const std::lock_guard lock(mutex_);
  finish_stage();
  stage_ = stage;
  unit_ = unit;
  total_ = total;
  done_ = 0;
  stage_start_ = last_draw_ = Clock::now();
  if (is_terminal_) draw();
}

void TerminalProgress::advance(size_t steps) {
  const std::lock_guard lock(mutex_);
  done_ += steps;
  if (is_terminal_ && Clock::now() - last_draw_ > kRedraw) draw();
}

void TerminalProgress::draw() {
  last_draw_ = Clock::now();
  const double seconds = std::chrono::duration<double>(last_draw_ - stage_start_).count();
  const double rate = seconds > 0.2 ? static_cast<double>(done_) / seconds : 0;
  std::string line = fmt::format("{:<{}} ", stage_, kStageWidth);
  if (total_ > 0 && done_ > 0) {
    line += fmt::format(
        "{:3.0f} %  {} of {} {}", 100.0 * static_cast<double>(done_) / static_cast<double>(total_),
        quantity(static_cast<double>(done_)), quantity(static_cast<double>(total_)), unit_);
  }
  if (rate > 0) line += fmt::format(", {}/s", quantity(rate));
  if (rate > 0 && total_ > done_) {
    line += fmt::format(", {} left", duration(static_cast<double>(total_ - done_) / rate));
  }
  fmt::print(stderr, "{}{}", kClearLine, line);
  std::fflush(stderr);
}

void TerminalProgress::finish_stage() {
  if (stage_.empty()) return;
  const double seconds = std::chrono::duration<double>(Clock::now() - stage_start_).count();
  if (seconds < kBrief) {
    if (is_terminal_) fmt::print(stderr, kClearLine);
  } else {
    fmt::print(stderr, "{}{:<{}} {}{:.1f} s\n", is_terminal_ ? kClearLine : "", stage_, kStageWidth,
               done_ > 0 ? fmt::format("{} {}, ", done_, unit_) : "", seconds);
  }
  stage_.clear();
}

bool TerminalProgress::stop_requested() const { return stop_signal != 0; }

void TerminalProgress::notice(const std::string& text) {
  const std::lock_guard lock(mutex_);
  finish_stage();
  fmt::print(stderr, "carya: {}\n", text);
}

bool color_wanted() {
  static const bool wanted = ::isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr;
  return wanted;
}
std::string dim(std::string_view text) {
  return color_wanted() ? fmt::format("\033[2m{}\033[0m", text) : std::string(text);
}
std::string bold(std::string_view text) {
  return color_wanted() ? fmt::format("\033[1m{}\033[0m", text) : std::string(text);
}

void print_text(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size()) fail_to_write();
}

void print_line(std::string_view text) {
  print_text(text);
  print_text("\n");
}

void flush_output() {
  if (std::fflush(stdout) != 0) fail_to_write();
}

void print_json(const nlohmann::json& json) {
  print_line(json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
}

std::string printable(std::string_view text) {
  std::string result;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    result += (byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F ? ' ' : c;
  }
  return result;
}

std::string one_line(std::string_view text, size_t max_width) {
  std::string line;
  size_t width = 0;
  for (char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte & 0xC0) != 0x80 && ++width > max_width) {  // a new character that would not fit
      return line + "…";
    }
    line += byte < 0x20 || byte == 0x7F ? ' ' : c;
  }
  return line;
}

}  // namespace carya::cli
