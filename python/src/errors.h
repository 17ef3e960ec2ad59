#pragma once

#include <nanobind/nanobind.h>

namespace carya::python {

// Makes carya.CorruptError and carya.Cancelled, and has carya::Error raised as
//   kInvalidArgument  ValueError
//   kNotFound         FileNotFoundError
//   kCorrupt          CorruptError, an OSError
//   kIo               OSError
//   kCancelled        Cancelled
// with the error's message, in which options have their Python names (overwrite=True for --force).
void bind_errors(nanobind::module_& module);

}  // namespace carya::python
