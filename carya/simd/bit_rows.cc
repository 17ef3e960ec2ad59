#include "carya/simd/bit_rows.h"

#include <algorithm>

#include "carya/core/error.h"
#include "carya/core/parallel.h"

namespace carya {

void require_binary(MatrixView<const float> matrix, const char* what) {
  for (size_t i = 0; i < matrix.rows(); ++i) {
    const std::span<const float> row = matrix.row(i);
    for (size_t j = 0; j < row.size(); ++j) {
      if (row[j] == 0 || row[j] == 1) continue;
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("{} {}: column {} is {}: hamming and jaccard compare numbers that are "
                      "0 or 1; use l2, ip or cosine for others",
                      what, i, j, row[j]));
    }
  }
}

void pack_bits(std::span<const float> vector, std::byte* row) {
  const size_t n_bytes = row_bytes(RowFormat::kBits, vector.size()), n_full = vector.size() / 8;
  for (size_t b = 0; b < n_full; ++b) {
    unsigned byte = 0;
    for (size_t j = 0; j < 8; ++j) byte |= unsigned{vector[8 * b + j] != 0} << j;
    row[b] = static_cast<std::byte>(byte);
  }
  std::fill(row + n_full, row + n_bytes, std::byte{0});
  for (size_t j = 8 * n_full; j < vector.size(); ++j) {
    row[n_full] |= static_cast<std::byte>(unsigned{vector[j] != 0} << (j % 8));
  }
}

void unpack_bits(const std::byte* row, std::span<float> vector) {
  for (size_t j = 0; j < vector.size(); ++j) {
    vector[j] = static_cast<float>(static_cast<unsigned>(row[j / 8]) >> (j % 8) & 1);
  }
}

Matrix<std::byte> packed_rows(MatrixView<const float> matrix) {
  auto packed =
      Matrix<std::byte>::uninitialized(matrix.rows(), row_bytes(RowFormat::kBits, matrix.cols()));
  parallel_for(0, matrix.rows(), 1024, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) pack_bits(matrix.row(i), packed.row_data(i));
  });
  return packed;
}

}  // namespace carya
