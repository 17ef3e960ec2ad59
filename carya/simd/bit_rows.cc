#include "carya/simd/bit_rows.h"

#include <algorithm>

#include "carya/core/error.h"
#include "carya/core/parallel.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/bit_rows.cc"
#include <hwy/foreach_target.h>
// clang-format off: this must follow foreach_target.h
#include <hwy/highway.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Packs the first numbers, a multiple of 8, and tells how many.
size_t pack_whole_bytes(const float* vector, size_t dim, uint8_t* row) {
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  size_t i = 0;
  if (lanes < 8) return i;  // part of a byte
  // It may write 8 bytes at once: they are there, since rows are whole cache lines.
  for (; i + 64 <= dim; i += lanes) {
    hn::StoreMaskBits(d, hn::Ne(hn::LoadU(d, vector + i), hn::Zero(d)), row + i / 8);
  }
  return i;
}

bool is_binary_row(const float* row, size_t dim) {
  const hn::CappedTag<float, 16> d;
  const size_t lanes = hn::Lanes(d);
  const auto one = hn::Set(d, 1.0f), zero = hn::Zero(d);
  auto is_right = hn::Eq(zero, zero);
  size_t i = 0;
  for (; i + lanes <= dim; i += lanes) {
    const auto x = hn::LoadU(d, row + i);
    is_right = hn::And(is_right, hn::Or(hn::Eq(x, zero), hn::Eq(x, one)));
  }
  bool right = hn::AllTrue(d, is_right);
  for (; i < dim; ++i) right = right && (row[i] == 0 || row[i] == 1);
  return right;
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(pack_whole_bytes);
HWY_EXPORT(is_binary_row);

void require_binary(MatrixView<const float> matrix, const char* what) {
  for (size_t i = 0; i < matrix.rows(); ++i) {
    const std::span<const float> row = matrix.row(i);
    if (HWY_DYNAMIC_DISPATCH(is_binary_row)(row.data(), row.size())) continue;
    for (size_t j = 0; j < row.size(); ++j) {
      require(
          row[j] == 0 || row[j] == 1,
          "{} {}: column {} is {}: hamming and jaccard compare numbers that are 0 or 1; use l2, "
          "ip or cosine for others",
          what, i, j, row[j]);
    }
  }
}

void pack_bits(std::span<const float> vector, std::byte* row) {
  const size_t n_bytes = row_bytes(RowFormat::kBits, vector.size());
  const size_t n_packed = HWY_DYNAMIC_DISPATCH(pack_whole_bytes)(vector.data(), vector.size(),
                                                                 reinterpret_cast<uint8_t*>(row));
  std::fill(row + n_packed / 8, row + n_bytes, std::byte{0});
  for (size_t j = n_packed; j < vector.size(); ++j) {
    row[j / 8] |= static_cast<std::byte>(unsigned{vector[j] != 0} << (j % 8));
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
#endif
