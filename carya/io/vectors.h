#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "carya/core/matrix.h"

namespace carya {

// Readers of vector files; each checks every size against the file's, throws kCorrupt with the
// file's name and what is wrong, and gives a matrix of float, or of int64 for ids.  NaN and
// infinities pass: whoever measures distances refuses them.

// Any of them, by input_format(): .npy, .fvecs, .bvecs, .ivecs, IDX and HDF5, where
// "sift.hdf5:test" is one data set of a file (hdf5.h).  Throws kInvalidArgument for a text format.
Matrix<float> read_vectors(const std::filesystem::path& path);
// Whole numbers, such as the true neighbours of queries: .ivecs, .npy, HDF5.
Matrix<int64_t> read_ids(const std::filesystem::path& path);

// NumPy's .npy, versions 1 to 3: float16/32/64, (u)int8..64, bool, either byte order; C or Fortran
// order; 2-D, or 1-D as one column, or more dimensions as rows of the rest.  T: float or int64_t,
// which does not take fractions.
Matrix<float> read_npy(const std::filesystem::path& path);
template <class T>
Matrix<T> parse_npy(std::span<const std::byte> bytes, std::string_view name);

// For each vector its dim as int32, then the numbers: floats in .fvecs, unsigned bytes in .bvecs,
// int32 in .ivecs (T: float or int64_t).
Matrix<float> parse_fvecs(std::span<const std::byte> bytes, std::string_view name);
Matrix<float> parse_bvecs(std::span<const std::byte> bytes, std::string_view name);
template <class T>
Matrix<T> parse_ivecs(std::span<const std::byte> bytes, std::string_view name);

// IDX (MNIST): unsigned bytes; the first dimension are the rows, the others are flattened; values
// as they are, 0 .. 255.
Matrix<float> read_idx(const std::filesystem::path& path);
Matrix<float> parse_idx(std::span<const std::byte> bytes, std::string_view name);

// Writers, atomic.  Throw kIo.
// 2-D .npy (version 1, C order).
void write_npy(const std::filesystem::path& path, MatrixView<const float> matrix);
void write_npy(const std::filesystem::path& path, MatrixView<const int64_t> matrix);
// Throws kInvalidArgument for an id of more than 32 bits.
void write_ivecs(const std::filesystem::path& path, MatrixView<const int64_t> ids);

}  // namespace carya
