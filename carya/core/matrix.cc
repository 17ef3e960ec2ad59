#include "carya/core/matrix.h"

#include <cmath>

namespace carya {

void require_finite(MatrixView<const float> matrix, const char* what) {
  for (size_t i = 0; i < matrix.rows(); ++i) {
    const std::span<const float> row = matrix.row(i);
    float sum = 0;  // x * 0 is NaN for NaN and for infinities, and one check a row is enough
    for (float x : row) sum += x * 0.0f;
    if (sum == 0) continue;
    for (size_t j = 0; j < row.size(); ++j) {
      require(std::isfinite(row[j]),
              "{} {}: column {} is {}: only finite numbers have distances; "
              "drop or impute such rows",
              what, i, j, row[j]);
    }
  }
}

}  // namespace carya
