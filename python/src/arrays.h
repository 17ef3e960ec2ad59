#pragma once

#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "carya/core/matrix.h"

namespace carya::python {

namespace nb = nanobind;

// Arrays that come in are read where they lie: anything with the buffer protocol or DLPack, on the
// CPU, of this type and in C order; the Python side converts what is not (carya/_arrays.py).
template <class T>
using MatrixIn = nb::ndarray<const T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
template <class T>
using VectorIn = nb::ndarray<const T, nb::ndim<1>, nb::c_contig, nb::device::cpu>;

template <class T>
MatrixView<const T> view_of(const MatrixIn<T>& array) {
  return {array.data(), array.shape(0), array.shape(1)};
}
template <class T>
std::span<const T> view_of(const VectorIn<T>& array) {
  return {array.data(), array.shape(0)};
}

// Arrays that go out are numpy's, and own the memory that C++ filled.
template <class T>
using MatrixOut = nb::ndarray<nb::numpy, T, nb::ndim<2>>;
template <class T>
using VectorOut = nb::ndarray<nb::numpy, T, nb::ndim<1>>;

template <class T>
nb::capsule owner_of(T* object) {
  return nb::capsule(object, [](void* p) noexcept { delete static_cast<T*>(p); });
}
template <class T>
MatrixOut<T> to_numpy(Matrix<T> matrix) {
  auto* kept = new Matrix<T>(std::move(matrix));
  return MatrixOut<T>(kept->data(), {kept->rows(), kept->cols()}, owner_of(kept));
}
template <class T>
VectorOut<T> to_numpy(std::vector<T> values) {
  auto* kept = new std::vector<T>(std::move(values));
  return VectorOut<T>(kept->data(), {kept->size()}, owner_of(kept));
}
template <class T>
VectorOut<T> to_numpy(std::span<const T> values) {
  return to_numpy(std::vector<T>(values.begin(), values.end()));
}

// The texts of any iterable of str.  Lone surrogates become "?".  Raises ValueError with the place
// of what is no str.
std::vector<std::string> to_texts(nb::handle iterable);

}  // namespace carya::python
