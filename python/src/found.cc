#include "python/src/found.h"

#include <limits>
#include <utility>

namespace carya::python {

Found found_of(const std::vector<std::vector<Hit>>& answers, size_t k) {
  Found found{Matrix<int64_t>(answers.size(), k), Matrix<float>(answers.size(), k)};
  for (size_t i = 0; i < answers.size(); ++i) {
    for (size_t j = 0; j < k; ++j) {
      const bool is_there = j < answers[i].size();
      found.ids(i, j) = is_there ? static_cast<int64_t>(answers[i][j].id) : -1;
      found.distances(i, j) =
          is_there ? answers[i][j].distance : std::numeric_limits<float>::infinity();
    }
  }
  return found;
}

nb::tuple as_arrays(Found found) {
  return nb::make_tuple(to_numpy(std::move(found.ids)), to_numpy(std::move(found.distances)));
}

}  // namespace carya::python
