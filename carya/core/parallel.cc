#include "carya/core/parallel.h"

#include <tbb/global_control.h>
#include <tbb/parallel_for.h>
#include <tbb/task_arena.h>

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

#include "carya/core/error.h"

namespace carya {

struct ThreadLimit::Control {  // made in place: a copy of a global_control would end it early
  explicit Control(size_t n) : control(tbb::global_control::max_allowed_parallelism, n) {}
  tbb::global_control control;
};

namespace {

#ifdef CARYA_PLAIN_THREADS
// For the thread sanitizer, which cannot look into TBB: it would report its queues as races.
template <class Run>
void run_blocks(size_t n_blocks, const Run& run) {
  std::atomic<size_t> next = 0;
  std::mutex mutex;
  std::exception_ptr error;
  const auto work = [&] {
    for (size_t block; (block = next++) < n_blocks;) {
      try {
        run(block);
      } catch (...) {
        const std::lock_guard lock(mutex);
        error = std::current_exception();
        next = n_blocks;
      }
    }
  };
  std::vector<std::thread> threads;
  for (size_t i = 1; i < std::min(n_threads(), n_blocks); ++i) threads.emplace_back(work);
  work();
  for (std::thread& thread : threads) thread.join();
  if (error) std::rethrow_exception(error);
}
#else
template <class Run>
void run_blocks(size_t n_blocks, const Run& run) {
  tbb::parallel_for(size_t{0}, n_blocks, run);
}
#endif

}  // namespace

void parallel_for(size_t begin, size_t end, size_t grain,
                  const std::function<void(size_t, size_t)>& body) {
  CARYA_ASSERT(grain > 0);
  if (begin >= end) return;
  const size_t n_blocks = (end - begin - 1) / grain + 1;
  const auto run = [&](size_t block) {
    const size_t first = begin + block * grain;
    body(first, std::min(end, first + grain));
  };
  if (n_blocks == 1 || n_threads() == 1) {
    for (size_t block = 0; block < n_blocks; ++block) run(block);
    return;
  }
  run_blocks(n_blocks, run);
}

size_t n_threads() {
  return std::min<size_t>(
      tbb::global_control::active_value(tbb::global_control::max_allowed_parallelism),
      tbb::this_task_arena::max_concurrency());
}

ThreadLimit::ThreadLimit(size_t n) {
  if (n > 0) control_ = std::make_unique<Control>(n);
}
ThreadLimit::~ThreadLimit() = default;

}  // namespace carya
