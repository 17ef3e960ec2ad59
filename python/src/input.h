#pragma once

#include <nanobind/nanobind.h>

#include <memory>
#include <utility>

#include "carya/atlas/input.h"

namespace carya::python {

// An AtlasInput with what keeps its memory alive, a Python object's array.  It is read once.
class Input {
 public:
  explicit Input(std::unique_ptr<AtlasInput> input, std::shared_ptr<void> owner = {})
      : input_(std::move(input)), owner_(std::move(owner)) {}
  // Throws kInvalidArgument the second time.
  AtlasInput& take();

 private:
  std::unique_ptr<AtlasInput> input_;
  std::shared_ptr<void> owner_;
  bool taken_ = false;
};

void bind_input(nanobind::module_& module);

}  // namespace carya::python
