#pragma once

#include <nanobind/nanobind.h>

namespace carya::python {

// Each adds what its file wraps to the module.
void bind_atlas(nanobind::module_& module);
void bind_cluster(nanobind::module_& module);
void bind_multi_vector(nanobind::module_& module);
void bind_neighbors(nanobind::module_& module);
void bind_text(nanobind::module_& module);

}  // namespace carya::python
