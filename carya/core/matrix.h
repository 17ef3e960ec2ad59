#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <new>
#include <span>
#include <type_traits>
#include <utility>

#include "carya/core/error.h"

namespace carya {

// Rows x cols numbers, row after row, `stride` elements from one row to the next.  Owns nothing.
template <class T>
class MatrixView {
 public:
  MatrixView() = default;
  MatrixView(T* data, size_t rows, size_t cols) : MatrixView(data, rows, cols, cols) {}
  MatrixView(T* data, size_t rows, size_t cols, size_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
  // A view of mutable elements is a view of const ones.
  template <class U>
    requires(std::is_same_v<const U, T>)
  MatrixView(MatrixView<U> other)  // NOLINT: implicit as span's
      : MatrixView(other.data(), other.rows(), other.cols(), other.stride()) {}

  T* data() const noexcept { return data_; }
  size_t rows() const noexcept { return rows_; }
  size_t cols() const noexcept { return cols_; }
  size_t stride() const noexcept { return stride_; }
  bool empty() const noexcept { return rows_ == 0 || cols_ == 0; }
  bool is_contiguous() const noexcept { return stride_ == cols_; }
  T* row_data(size_t i) const noexcept { return data_ + i * stride_; }
  std::span<T> row(size_t i) const noexcept { return {row_data(i), cols_}; }
  T& operator()(size_t i, size_t j) const noexcept { return data_[i * stride_ + j]; }
  // Rows first .. first + count - 1.
  MatrixView slice(size_t first, size_t count) const noexcept {
    return {row_data(first), count, cols_, stride_};
  }

 private:
  T* data_ = nullptr;
  size_t rows_ = 0, cols_ = 0, stride_ = 0;
};

constexpr size_t kMatrixAlignment = 64;  // a cache line, and the widest vector register

// A contiguous matrix that owns its numbers: zeros at first, 64-byte aligned, movable, copied only
// by copy().
template <class T>
class Matrix {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  Matrix() = default;
  Matrix(size_t rows, size_t cols) : Matrix(rows, cols, Uninitialized{}) {
    std::fill_n(data_.get(), rows * cols, T{});
  }
  // Not filled: for results that are written whole.
  static Matrix uninitialized(size_t rows, size_t cols) { return {rows, cols, Uninitialized{}}; }
  static Matrix copy(MatrixView<const T> from) {
    Matrix to = uninitialized(from.rows(), from.cols());
    for (size_t i = 0; i < from.rows(); ++i) std::ranges::copy(from.row(i), to.row_data(i));
    return to;
  }
  Matrix copy() const { return copy(view()); }

  T* data() noexcept { return data_.get(); }
  const T* data() const noexcept { return data_.get(); }
  size_t rows() const noexcept { return rows_; }
  size_t cols() const noexcept { return cols_; }
  size_t size() const noexcept { return rows_ * cols_; }
  bool empty() const noexcept { return size() == 0; }
  T* row_data(size_t i) noexcept { return data() + i * cols_; }
  const T* row_data(size_t i) const noexcept { return data() + i * cols_; }
  std::span<T> row(size_t i) noexcept { return {row_data(i), cols_}; }
  std::span<const T> row(size_t i) const noexcept { return {row_data(i), cols_}; }
  T& operator()(size_t i, size_t j) noexcept { return row_data(i)[j]; }
  const T& operator()(size_t i, size_t j) const noexcept { return row_data(i)[j]; }
  std::span<T> flat() noexcept { return {data(), size()}; }
  std::span<const T> flat() const noexcept { return {data(), size()}; }
  MatrixView<T> view() noexcept { return {data(), rows_, cols_}; }
  MatrixView<const T> view() const noexcept { return {data(), rows_, cols_}; }
  operator MatrixView<T>() noexcept { return view(); }              // NOLINT: implicit as span's
  operator MatrixView<const T>() const noexcept { return view(); }  // NOLINT

 private:
  struct Uninitialized {};
  struct Free {
    void operator()(T* p) const noexcept {
      ::operator delete(p, std::align_val_t{kMatrixAlignment});
    }
  };
  Matrix(size_t rows, size_t cols, Uninitialized) : rows_(rows), cols_(cols) {
    require(cols == 0 || rows <= static_cast<size_t>(-1) / 2 / sizeof(T) / cols,
            "a matrix of {} x {} does not fit into memory", rows, cols);
    data_.reset(static_cast<T*>(::operator new(std::max<size_t>(rows * cols, 1) * sizeof(T),
                                               std::align_val_t{kMatrixAlignment})));
  }
  std::unique_ptr<T, Free> data_;
  size_t rows_ = 0, cols_ = 0;
};

// Throws kInvalidArgument naming the first row with a NaN or an infinite value.  `what` is the
// noun in the message.  O(rows cols).
void require_finite(MatrixView<const float> matrix, const char* what);

}  // namespace carya
