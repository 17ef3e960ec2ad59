// .npy: NumPy's own format.
#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <type_traits>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/binary_numbers.h"
#include "carya/io/vectors.h"

namespace carya {
namespace {

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

float half_to_float(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const auto fraction = static_cast<float>(half & 1023);
  float value = exponent == 0    ? std::ldexp(fraction, -24)
                : exponent == 31 ? (fraction == 0 ? HUGE_VALF : NAN)
                                 : std::ldexp(fraction + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -value : value;
}

struct NpyHeader {
  char kind = 0;          // of the type: f, i, u, b
  size_t item_bytes = 0;  // of one number
  bool swapped = false;
  bool fortran_order = false;
  std::vector<size_t> shape;
};

// The value of a key in the header's Python dictionary, from its colon on.
std::string_view value_of(std::string_view dictionary, std::string_view key,
                          std::string_view name) {
  const size_t at = dictionary.find(fmt::format("'{}'", key));
  const size_t colon = at == std::string_view::npos ? at : dictionary.find(':', at);
  if (colon == std::string_view::npos) corrupt(name, fmt::format("the header has no '{}'", key));
  std::string_view value = dictionary.substr(colon + 1);
  value.remove_prefix(std::min(value.find_first_not_of(' '), value.size()));
  return value;
}

NpyHeader parse_npy_dictionary(std::string_view dictionary, std::string_view name) {
  NpyHeader header;
  const std::string_view type = value_of(dictionary, "descr", name);
  // '<f4': quote, byte order, kind, bytes, quote
  if (type.size() < 5 || type[0] != '\'' || type[4] != '\'') {
    corrupt(name, "its numbers are not of a plain type (structured arrays are not read)");
  }
  header.swapped = type[1] == '>';
  header.kind = type[2];
  header.item_bytes = static_cast<size_t>(type[3] - '0');
  header.fortran_order = value_of(dictionary, "fortran_order", name).starts_with("True");
  std::string_view shape = value_of(dictionary, "shape", name);
  const size_t close = shape.find(')');
  if (!shape.starts_with('(') || close == std::string_view::npos)
    corrupt(name, "the shape is no tuple");
  shape = shape.substr(1, close - 1);
  while (!shape.empty()) {
    size_t extent = 0;
    const size_t digit = shape.find_first_of("0123456789");
    if (digit == std::string_view::npos) break;
    const auto [end, error] =
        std::from_chars(shape.data() + digit, shape.data() + shape.size(), extent);
    if (error != std::errc()) corrupt(name, "the shape has an impossible number");
    header.shape.push_back(extent);
    shape.remove_prefix(static_cast<size_t>(end - shape.data()));
  }
  if (header.shape.empty()) corrupt(name, "is a single number, not a matrix");
  return header;
}

template <class T, class To, class Convert>
void fill(Matrix<To>& matrix, const NpyHeader& header, const std::byte* data,
          const Convert& convert) {
  const size_t rows = matrix.rows(), cols = matrix.cols();
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < cols; ++j) {
      const size_t at = header.fortran_order ? j * rows + i : i * cols + j;
      matrix(i, j) = convert(element<T>(data, at, header.swapped));
    }
  }
}

// Fills the matrix from numbers of any type; false if the type is not read.
template <class To>
bool fill_any(Matrix<To>& matrix, const NpyHeader& header, const std::byte* data) {
  const auto as = [&]<class T>(T /*type*/) {
    fill<T>(matrix, header, data, [](T x) { return static_cast<To>(x); });
    return true;
  };
  switch (header.kind * 16 + static_cast<int>(header.item_bytes)) {
    case 'b' * 16 + 1:
    case 'u' * 16 + 1:
      return as(uint8_t{});
    case 'u' * 16 + 2:
      return as(uint16_t{});
    case 'u' * 16 + 4:
      return as(uint32_t{});
    case 'u' * 16 + 8:
      return as(uint64_t{});
    case 'i' * 16 + 1:
      return as(int8_t{});
    case 'i' * 16 + 2:
      return as(int16_t{});
    case 'i' * 16 + 4:
      return as(int32_t{});
    case 'i' * 16 + 8:
      return as(int64_t{});
    default:
      break;
  }
  if constexpr (std::is_floating_point_v<To>) {  // ids are whole numbers
    switch (header.kind * 16 + static_cast<int>(header.item_bytes)) {
      case 'f' * 16 + 2:
        fill<uint16_t>(matrix, header, data, half_to_float);
        return true;
      case 'f' * 16 + 4:
        return as(float{});
      case 'f' * 16 + 8:
        return as(double{});
      default:
        break;
    }
  }
  return false;
}

}  // namespace

template <class T>
Matrix<T> parse_npy(std::span<const std::byte> bytes, std::string_view name) {
  const std::string_view text = as_text(bytes);
  if (!text.starts_with("\x93NUMPY") || text.size() < 10) corrupt(name, "is not a .npy file");
  const auto major = static_cast<unsigned>(bytes[6]);
  if (major < 1 || major > 3) corrupt(name, fmt::format("has .npy version {}, not 1 to 3", major));
  const size_t length_bytes = major == 1 ? 2 : 4;
  size_t length = 0;
  if (text.size() < 8 + length_bytes) corrupt(name, "is truncated in its header");
  for (size_t i = 0; i < length_bytes; ++i) length |= static_cast<size_t>(bytes[8 + i]) << (8 * i);
  const size_t start = 8 + length_bytes;
  if (length > bytes.size() - start) corrupt(name, "is truncated in its header");
  NpyHeader header = parse_npy_dictionary(text.substr(start, length), name);
  const std::span<const std::byte> data = bytes.subspan(start + length);
  if (header.shape.size() == 1) header.shape.push_back(1);
  if (header.shape.size() > 2 && header.fortran_order) {
    corrupt(name, "has more than 2 dimensions in Fortran order; save it with order='C'");
  }
  Matrix<T> matrix = matrix_of_shape<T>(header.shape, header.item_bytes, data.size(), name);
  if (!fill_any(matrix, header, data.data())) {
    corrupt(name,
            fmt::format("its type {}{} is not read; save it as {}", header.kind, header.item_bytes,
                        std::is_floating_point_v<T> ? "float32" : "int64, ids are whole numbers"));
  }
  return matrix;
}
template Matrix<float> parse_npy(std::span<const std::byte>, std::string_view);
template Matrix<int64_t> parse_npy(std::span<const std::byte>, std::string_view);

namespace {

template <class T>
void write(const std::filesystem::path& path, std::string_view type, MatrixView<const T> matrix) {
  std::string header = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                                   type, matrix.rows(), matrix.cols());
  constexpr size_t kPrefix = 10, kAlign = 64;
  header.resize((kPrefix + header.size() + 1 + kAlign - 1) / kAlign * kAlign - kPrefix - 1, ' ');
  header += '\n';
  AtomicFile file(path);
  file.write(std::string_view("\x93NUMPY\x01\x00", 8));
  const auto length = static_cast<uint16_t>(header.size());
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(header);
  for (size_t i = 0; i < matrix.rows(); ++i) file.write(std::as_bytes(matrix.row(i)));
  file.commit();
}

}  // namespace

void write_npy(const std::filesystem::path& path, MatrixView<const float> matrix) {
  write(path, "<f4", matrix);
}
void write_npy(const std::filesystem::path& path, MatrixView<const int64_t> matrix) {
  write(path, "<i8", matrix);
}

}  // namespace carya
