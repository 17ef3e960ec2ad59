#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "carya/core/matrix.h"

namespace carya {

// Readers of vector files; each checks every size against the file's, throws kCorrupt with the
// file's name and what is wrong, and gives a float matrix.  NaN and infinities pass: whoever
// measures distances refuses them.

// NumPy's .npy, versions 1 to 3: float16/32/64, (u)int8..64, bool, either byte order; C or Fortran
// order; 2-D, or 1-D as one column, or more dimensions as rows of the rest.
Matrix<float> read_npy(const std::filesystem::path& path);
Matrix<float> parse_npy(std::span<const std::byte> bytes, std::string_view name);

// .fvecs: for each vector its dim as int32, then the floats.
Matrix<float> read_fvecs(const std::filesystem::path& path);
Matrix<float> parse_fvecs(std::span<const std::byte> bytes, std::string_view name);

// IDX (MNIST): unsigned bytes; the first dimension are the rows, the others are flattened; values
// as they are, 0 .. 255.
Matrix<float> read_idx(const std::filesystem::path& path);
Matrix<float> parse_idx(std::span<const std::byte> bytes, std::string_view name);

// Any of them, by input_format().  Throws kInvalidArgument for a text format.
Matrix<float> read_vectors(const std::filesystem::path& path);

// Writers of 2-D .npy (version 1, C order), atomic.
void write_npy(const std::filesystem::path& path, MatrixView<const float> matrix);

}  // namespace carya
