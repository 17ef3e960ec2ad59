#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "carya/core/matrix.h"

namespace carya {

// "sift.hdf5:test" and "sift.h5:test" are a data set in a file; other names are a file alone.
std::pair<std::filesystem::path, std::string> file_and_dataset(const std::filesystem::path& path);

// A 2-D data set of numbers in an HDF5 file, such as those of ann-benchmarks: "train", "test",
// "neighbors", "distances".  An empty name: "train" where there is one, else the only data set of
// two dimensions.  T: float, or int64_t, which does not take fractions.  Files are parsed by
// libhdf5, which is not made for hostile ones: nothing that a server takes comes here.  Throws
// kNotFound, kCorrupt, and kInvalidArgument for a data set that is not there (listing those that
// are), is not 2-D, or in a build without HDF5 (-DCARYA_HDF5=OFF).
template <class T>
Matrix<T> read_hdf5(const std::filesystem::path& path, std::string_view dataset);

}  // namespace carya
