#pragma once

// What the readers of binary vector files share; not for other modules.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "carya/core/error.h"
#include "carya/core/matrix.h"

namespace carya {

[[noreturn]] inline void corrupt(std::string_view name, const std::string& reason) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", name, reason));
}

// Number i of an array of T that may be unaligned and in the other byte order.
template <class T>
T element(const std::byte* data, size_t i, bool swapped) {
  std::array<std::byte, sizeof(T)> raw;
  std::memcpy(raw.data(), data + i * sizeof(T), sizeof(T));
  if (swapped) std::ranges::reverse(raw);
  return std::bit_cast<T>(raw);
}

// A matrix for `bytes` of data: rows x the product of the other extents.  Throws kCorrupt if the
// shape announces more numbers of item_bytes than there are.
template <class T>
Matrix<T> matrix_of_shape(std::span<const size_t> shape, size_t item_bytes, size_t bytes,
                          std::string_view name) {
  constexpr size_t kMaxColumns = size_t{1} << 40;  // so that no product of sizes overflows
  size_t cols = 1;
  for (size_t extent : shape.subspan(1)) {
    if (extent != 0 && cols > kMaxColumns / extent)
      corrupt(name, "the shape is larger than the file");
    cols *= extent;
  }
  const size_t row_bytes = cols * item_bytes;
  if (row_bytes != 0 && shape[0] > bytes / row_bytes) {
    corrupt(name, fmt::format("is truncated: {} rows of {} bytes are announced, {} bytes are there",
                              shape[0], row_bytes, bytes));
  }
  if (row_bytes == 0 && shape[0] > 0) corrupt(name, "its rows have no columns");
  return Matrix<T>::uninitialized(shape[0], cols);
}

}  // namespace carya
