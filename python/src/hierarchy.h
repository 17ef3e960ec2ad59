#pragma once

#include "carya/core/matrix.h"
#include "carya/tree/hierarchy.h"

namespace carya::python {

// scipy's linkage matrix [n_items - 1, 4]: left, right, height, size.
inline Matrix<double> linkage_matrix(const Hierarchy& hierarchy) {
  const auto merges = hierarchy.merges();
  Matrix<double> linkage(merges.size(), 4);
  for (size_t i = 0; i < merges.size(); ++i) {
    linkage(i, 0) = merges[i].left;
    linkage(i, 1) = merges[i].right;
    linkage(i, 2) = merges[i].height;
    linkage(i, 3) = merges[i].size;
  }
  return linkage;
}

}  // namespace carya::python
