#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace carya {

// Calls body(first, last) for the blocks [begin, begin + grain), [begin + grain, ...), ... on all
// threads.  The blocks do not depend on the number of threads, so neither does a result that each
// block writes to its own place.  An exception of a block is rethrown here (of the others, some may
// then never run).  May be nested.
void parallel_for(size_t begin, size_t end, size_t grain,
                  const std::function<void(size_t first, size_t last)>& body);

// The number of threads that parallel_for uses: the machine's, or less under a ThreadLimit.
size_t n_threads();

// While it lives, parallel_for uses at most n threads; 0 leaves the machine's number.
class ThreadLimit {
 public:
  explicit ThreadLimit(size_t n);
  ~ThreadLimit();
  ThreadLimit(const ThreadLimit&) = delete;
  ThreadLimit& operator=(const ThreadLimit&) = delete;

 private:
  struct Control;
  std::unique_ptr<Control> control_;
};

}  // namespace carya
