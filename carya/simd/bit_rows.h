#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "carya/core/matrix.h"
#include "carya/simd/row_distance.h"

namespace carya {

// Vectors of numbers 0 and 1 as rows of RowFormat::kBits: a 32nd of the memory of floats.

// Throws kInvalidArgument naming the row and the column of the first number that is neither 0 nor
// 1.  `what` is the noun in the message.  O(rows cols).
void require_binary(MatrixView<const float> matrix, const char* what);

// Number j of vector [dim], 0 or 1, becomes bit j % 8 of byte j / 8 of row
// [row_bytes(kBits, dim)]; the padding becomes 0.
void pack_bits(std::span<const float> vector, std::byte* row);
void unpack_bits(const std::byte* row, std::span<float> vector);

// All rows of a matrix [n, dim], packed one after another: [n, row_bytes(kBits, dim)].
Matrix<std::byte> packed_rows(MatrixView<const float> matrix);

}  // namespace carya
