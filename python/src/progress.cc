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
  explicit Mailbox(bool has_reader) : has_reader_(has_reader) {}

  // Waits until the callback was told, so that one that wants to stop before a stage can.
  void begin(std::string_view stage, size_t total, std::string_view unit) override {
    std::unique_lock lock(mutex_);
    if (changed_) reports_.push_back(current_);  // where the last stage ended
    current_ = {std::string(stage), std::string(unit), 0, total};
    reports_.push_back(current_);
    changed_ = false;
    if (!has_reader_) return;
    const size_t ticket = ++n_begun_;
    wake_.notify_all();
    wake_.wait(lock, [&] { return n_read_ >= ticket || stop_; });
    if (stop_) throw Error(ErrorKind::kCancelled, "stopped on request");
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
    wake_.notify_all();
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    finished_ = true;
    wake_.notify_all();
  }
  // Until the work has ended (then true), a stage begins, or it is time to look for signals.
  bool wait() {
    std::unique_lock lock(mutex_);
    wake_.wait_for(lock, kPollInterval,
                   [&] { return finished_ || (n_begun_ > n_read_ && !stop_); });
    return finished_;
  }
  // Delivers the reports by `send`, then lets those go on who wait for it.
  template <class Send>
  void read(const Send& send) {
    std::vector<Report> reports;
    size_t n_begun = 0;
    {
      const std::lock_guard lock(mutex_);
      if (changed_) reports_.push_back(current_);
      changed_ = false;
      reports = std::exchange(reports_, {});
      n_begun = n_begun_;
    }
    send(reports);
    const std::lock_guard lock(mutex_);
    n_read_ = n_begun;
    wake_.notify_all();
  }

 private:
  const bool has_reader_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  Report current_;
  std::vector<Report> reports_;
  size_t n_begun_ = 0, n_read_ = 0;
  bool changed_ = false, stop_ = false, finished_ = false;
};

void deliver(const std::vector<Report>& reports, nb::handle callback) {
  if (callback.is_none()) return;  // then only signals are looked for
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
  Mailbox mailbox(/*has_reader=*/!callback.is_none());
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
      mailbox.read([&](const std::vector<Report>& reports) { deliver(reports, callback); });
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
