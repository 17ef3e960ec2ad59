#include "python/src/progress.h"

#include <chrono>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "carya/core/error.h"

namespace carya::python {
namespace {

namespace nb = nanobind;

constexpr auto kPollInterval = std::chrono::milliseconds(50);  // a keystroke waits no longer

struct Report {
  std::string stage, unit;
  size_t done = 0, total = 0;
};

// Gathers what the working threads report until the waiting one takes it.
class Mailbox final : public Progress {
 public:
  void begin(std::string_view stage, size_t total, std::string_view unit) override {
    const std::lock_guard lock(mutex_);
    if (changed_) reports_.push_back(current_);  // where the last stage ended
    current_ = {std::string(stage), std::string(unit), 0, total};
    reports_.push_back(current_);
    changed_ = false;
  }
  void advance(size_t steps) override {
    const std::lock_guard lock(mutex_);
    current_.done += steps;
    changed_ = true;
  }
  bool stop_requested() const override {
    const std::lock_guard lock(mutex_);
    return stop_;
  }

  void stop() {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    finish_.notify_one();
  }
  // True once the work has ended.
  bool wait() {
    std::unique_lock lock(mutex_);
    return finish_.wait_for(lock, kPollInterval, [&] { return finished_; });
  }
  std::vector<Report> take() {
    const std::lock_guard lock(mutex_);
    if (changed_) reports_.push_back(current_);
    changed_ = false;
    return std::exchange(reports_, {});
  }

 private:
  mutable std::mutex mutex_;
  std::condition_variable finish_;
  Report current_;
  std::vector<Report> reports_;
  bool changed_ = false, stop_ = false, finished_ = false;
};

void deliver(const std::vector<Report>& reports, nb::handle callback) {
  if (callback.is_none()) return;
  for (const Report& report : reports) {
    const nb::object answer =
        callback(report.stage.c_str(), report.done, report.total, report.unit.c_str());
    if (answer.ptr() == Py_False) {
      throw Error(ErrorKind::kCancelled, "the progress callback returned False");
    }
  }
}

}  // namespace

void run_in_thread(nb::handle callback, const std::function<void(Progress*)>& work) {
  Mailbox mailbox;
  std::exception_ptr failure, from_python;
  std::thread thread([&] {
    try {
      work(&mailbox);
    } catch (...) {
      failure = std::current_exception();
    }
    mailbox.finish();
  });
  for (bool finished = false; !finished;) {
    finished = without_gil([&] { return mailbox.wait(); });
    if (from_python) continue;
    try {
      if (PyErr_CheckSignals() != 0) throw nb::python_error();
      deliver(mailbox.take(), callback);
    } catch (...) {
      from_python = std::current_exception();
      mailbox.stop();
    }
  }
  without_gil([&] {
    thread.join();
    return true;
  });
  if (from_python) std::rethrow_exception(from_python);
  if (failure) std::rethrow_exception(failure);
}

}  // namespace carya::python
