#pragma once

#include <nanobind/nanobind.h>

#include <vector>

#include "carya/index/index.h"
#include "python/src/arrays.h"

namespace carya::python {

// What searches found; ids -1 and distances inf where there are fewer than k.
struct Found {
  Matrix<int64_t> ids;      // [n_queries, k]
  Matrix<float> distances;  // [n_queries, k]
};
Found found_of(const std::vector<std::vector<Hit>>& answers, size_t k);
nb::tuple as_arrays(Found found);  // (ids, distances)

}  // namespace carya::python
