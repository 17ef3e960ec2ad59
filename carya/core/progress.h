#pragma once

#include <cstddef>
#include <string_view>

namespace carya {

// What long work reports to, and asks whether to go on.  Calls come from any thread.  A library
// function takes a Progress* that may be null.
class Progress {
 public:
  virtual ~Progress() = default;
  // A stage of `total` steps of `unit` ("texts", "rows") begins; total 0: not known.
  virtual void begin(std::string_view stage, size_t total, std::string_view unit) = 0;
  virtual void advance(size_t steps) = 0;
  virtual bool stop_requested() const { return false; }
};

// begin and advance for a Progress that may be null; both throw Error{kCancelled} when asked to
// stop.  Call advance between blocks, where the work can be left.
void begin_stage(Progress* progress, std::string_view stage, size_t total, std::string_view unit);
void advance(Progress* progress, size_t steps);

}  // namespace carya
