#include "carya/core/progress.h"

#include "carya/core/error.h"

namespace carya {
namespace {
void throw_if_stopped(const Progress& progress) {
  if (progress.stop_requested()) throw Error(ErrorKind::kCancelled, "stopped on request");
}
}  // namespace

void begin_stage(Progress* progress, std::string_view stage, size_t total, std::string_view unit) {
  if (progress == nullptr) return;
  throw_if_stopped(*progress);
  progress->begin(stage, total, unit);
}

void advance(Progress* progress, size_t steps) {
  if (progress == nullptr) return;
  progress->advance(steps);
  throw_if_stopped(*progress);
}

}  // namespace carya
