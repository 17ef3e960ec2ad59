#include "carya/io/hdf5.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include "carya/core/error.h"
#include "carya/io/binary_numbers.h"
#include "carya/io/record_source.h"

#ifdef CARYA_HAS_HDF5
#include <hdf5.h>
#endif

namespace carya {

std::pair<std::filesystem::path, std::string> file_and_dataset(const std::filesystem::path& path) {
  const std::string text = path.string();
  const size_t colon = text.rfind(':');
  if (colon == std::string::npos || std::filesystem::exists(path)) return {path, ""};
  const std::filesystem::path file = text.substr(0, colon);
  if (file.extension() != ".hdf5" && file.extension() != ".h5") return {path, ""};
  return {file, text.substr(colon + 1)};
}

#ifdef CARYA_HAS_HDF5
namespace {

// An id of the library, closed at the end.
template <herr_t (*Close)(hid_t)>
class Handle {
 public:
  explicit Handle(hid_t id) : id_(id) {}
  ~Handle() {
    if (id_ >= 0) Close(id_);
  }
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;
  operator hid_t() const { return id_; }  // NOLINT: the library takes ids
  bool is_open() const { return id_ >= 0; }

 private:
  hid_t id_;
};
using File = Handle<H5Fclose>;
using Dataset = Handle<H5Dclose>;
using Space = Handle<H5Sclose>;
using Type = Handle<H5Tclose>;

// Of a data set of two dimensions; empty for others.
std::vector<hsize_t> shape_of(hid_t dataset) {
  const Space space(H5Dget_space(dataset));
  if (!space.is_open() || H5Sget_simple_extent_ndims(space) != 2) return {};
  std::vector<hsize_t> shape(2);
  H5Sget_simple_extent_dims(space, shape.data(), nullptr);
  return shape;
}

herr_t add_name(hid_t, const char* name, const H5L_info_t*, void* names) {
  static_cast<std::vector<std::string>*>(names)->emplace_back(name);
  return 0;
}

// The 2-D data sets at the top of the file, by name.
std::vector<std::string> matrices_in(hid_t file) {
  std::vector<std::string> names;
  H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, add_name, &names);
  std::erase_if(names, [&](const std::string& name) {
    const Dataset dataset(H5Dopen2(file, name.c_str(), H5P_DEFAULT));
    return !dataset.is_open() || shape_of(dataset).empty();
  });
  return names;
}

std::string chosen(const std::vector<std::string>& names, std::string_view asked,
                   const std::string& path) {
  if (!asked.empty()) return std::string(asked);
  if (std::ranges::find(names, "train") != names.end()) return "train";
  require(names.size() == 1, "{}: say which data set, as in {}:NAME; there are: {}", path, path,
          list_of(names));
  return names[0];
}

}  // namespace

template <class T>
Matrix<T> read_hdf5(const std::filesystem::path& path, std::string_view asked) {
  const std::string name = path.string();
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);  // it would print to stderr
  const File file(H5Fopen(name.c_str(), H5F_ACC_RDONLY, H5P_DEFAULT));
  if (!file.is_open()) corrupt(name, "is no HDF5 file, or is truncated");
  const std::vector<std::string> names = matrices_in(file);
  const std::string dataset_name = chosen(names, asked, name);
  const Dataset dataset(H5Dopen2(file, dataset_name.c_str(), H5P_DEFAULT));
  const std::vector<hsize_t> shape = dataset.is_open() ? shape_of(dataset) : std::vector<hsize_t>{};
  require(!shape.empty(), "{}: has no 2-D data set '{}'; there are: {}", name, dataset_name,
          list_of(names));
  const Type type(H5Dget_type(dataset));
  const H5T_class_t kind = H5Tget_class(type);
  const bool is_whole = kind == H5T_INTEGER || kind == H5T_ENUM;  // NumPy's bool is an enum
  require(is_whole || (std::is_floating_point_v<T> && kind == H5T_FLOAT),
          "{}: data set '{}' does not hold {}", name, dataset_name,
          std::is_floating_point_v<T> ? "numbers" : "whole numbers, as ids are");
  // A damaged header must not make us ask for all memory; compression shrinks by less than this.
  constexpr size_t kMaxRatio = 1 << 12;
  const size_t item = std::max<size_t>(H5Tget_size(type), 1);
  const size_t bytes = static_cast<size_t>(H5Dget_storage_size(dataset)) * kMaxRatio;
  const size_t extents[] = {shape[0], shape[1]};
  Matrix<T> matrix = matrix_of_shape<T>(extents, item, bytes, name);
  const hid_t target = std::is_floating_point_v<T> ? H5T_NATIVE_FLOAT : H5T_NATIVE_INT64;
  if (matrix.size() > 0 &&
      H5Dread(dataset, target, H5S_ALL, H5S_ALL, H5P_DEFAULT, matrix.data()) < 0) {
    corrupt(name, fmt::format("data set '{}' cannot be read: it is damaged or of an unknown filter",
                              dataset_name));
  }
  return matrix;
}
#else
template <class T>
Matrix<T> read_hdf5(const std::filesystem::path& path, std::string_view) {
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{}: this build reads no HDF5; save the data as .npy", path.string()));
}
#endif

template Matrix<float> read_hdf5(const std::filesystem::path&, std::string_view);
template Matrix<int64_t> read_hdf5(const std::filesystem::path&, std::string_view);

}  // namespace carya
