#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <optional>
#include <utility>

#include "carya/core/progress.h"

namespace carya::python {

// Runs `work` in a thread of its own, without the GIL, while the calling thread looks for signals
// 20 times a second and calls `callback(stage, done, total, unit)` as often and when a stage
// begins, which waits for it; or nothing if it is None.  So Ctrl-C is noticed while all cores
// compute, and the callback always runs in the caller's thread. What a signal handler or the
// callback raises is raised here once the work has stopped, which it does at its next report; a
// callback that returns False stops it with carya.Cancelled.  For what takes longer than starting a
// thread, 20 microseconds.
void run_in_thread(nanobind::handle callback, const std::function<void(Progress*)>& work);

// The same for work with a result.
template <class Work>
auto long_work(nanobind::handle callback, Work&& work) {
  using Result = decltype(work(static_cast<Progress*>(nullptr)));
  std::optional<Result> result;
  run_in_thread(callback, [&](Progress* progress) { result.emplace(work(progress)); });
  return std::move(*result);
}

// For short work in the caller's thread.
template <class Work>
auto without_gil(Work&& work) {
  const nanobind::gil_scoped_release release;
  return work();
}

}  // namespace carya::python
