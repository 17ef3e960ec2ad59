#include "carya/io/vectors.h"

#include <algorithm>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/record_reader.h"

namespace carya {
namespace {

[[noreturn]] void corrupt(std::string_view name, const std::string& reason) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", name, reason));
}

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

constexpr size_t kMaxColumns = size_t{1} << 40;  // so that no product of sizes overflows

float half_to_float(uint16_t half) {
  const int exponent = (half >> 10) & 31;
  const auto fraction = static_cast<float>(half & 1023);
  float value = exponent == 0    ? std::ldexp(fraction, -24)
                : exponent == 31 ? (fraction == 0 ? HUGE_VALF : NAN)
                                 : std::ldexp(fraction + 1024, exponent - 25);
  return (half & 0x8000) != 0 ? -value : value;
}

// Number i of an array of T that may be unaligned and in the other byte order.
template <class T>
T element(const std::byte* data, size_t i, bool swapped) {
  std::array<std::byte, sizeof(T)> raw;
  std::memcpy(raw.data(), data + i * sizeof(T), sizeof(T));
  if (swapped) std::ranges::reverse(raw);
  return std::bit_cast<T>(raw);
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

template <class T>
void fill(Matrix<float>& matrix, const NpyHeader& header, const std::byte* data) {
  const size_t rows = matrix.rows(), cols = matrix.cols();
  for (size_t i = 0; i < rows; ++i) {
    for (size_t j = 0; j < cols; ++j) {
      const size_t at = header.fortran_order ? j * rows + i : i * cols + j;
      matrix(i, j) = static_cast<float>(element<T>(data, at, header.swapped));
    }
  }
}

// Rows x the product of the other extents; checked against the bytes there are.
Matrix<float> matrix_of_shape(std::span<const size_t> shape, size_t item_bytes, size_t bytes,
                              std::string_view name) {
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
  return Matrix<float>::uninitialized(shape[0], cols);
}

}  // namespace

Matrix<float> parse_npy(std::span<const std::byte> bytes, std::string_view name) {
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
  Matrix<float> matrix = matrix_of_shape(header.shape, header.item_bytes, data.size(), name);
  switch (header.kind * 16 + static_cast<int>(header.item_bytes)) {
    case 'f' * 16 + 2: {
      fill<uint16_t>(matrix, header, data.data());
      for (float& x : matrix.flat()) x = half_to_float(static_cast<uint16_t>(x));
      break;
    }
    case 'f' * 16 + 4:
      fill<float>(matrix, header, data.data());
      break;
    case 'f' * 16 + 8:
      fill<double>(matrix, header, data.data());
      break;
    case 'b' * 16 + 1:
    case 'u' * 16 + 1:
      fill<uint8_t>(matrix, header, data.data());
      break;
    case 'u' * 16 + 2:
      fill<uint16_t>(matrix, header, data.data());
      break;
    case 'u' * 16 + 4:
      fill<uint32_t>(matrix, header, data.data());
      break;
    case 'u' * 16 + 8:
      fill<uint64_t>(matrix, header, data.data());
      break;
    case 'i' * 16 + 1:
      fill<int8_t>(matrix, header, data.data());
      break;
    case 'i' * 16 + 2:
      fill<int16_t>(matrix, header, data.data());
      break;
    case 'i' * 16 + 4:
      fill<int32_t>(matrix, header, data.data());
      break;
    case 'i' * 16 + 8:
      fill<int64_t>(matrix, header, data.data());
      break;
    default:
      corrupt(name, fmt::format("its type {}{} is not read; save it as float32", header.kind,
                                header.item_bytes));
  }
  return matrix;
}

Matrix<float> parse_fvecs(std::span<const std::byte> bytes, std::string_view name) {
  if (bytes.empty()) return {};
  if (bytes.size() < 4) corrupt(name, "is truncated");
  const auto dim = element<int32_t>(bytes.data(), 0, false);
  if (dim <= 0) corrupt(name, fmt::format("its first vector has dim {}", dim));
  const size_t row_bytes = 4 * (static_cast<size_t>(dim) + 1);
  if (bytes.size() % row_bytes != 0) {
    corrupt(name,
            fmt::format("its {} bytes are no multiple of {}, the size of a vector of dim {}: it is "
                        "truncated, or no .fvecs",
                        bytes.size(), row_bytes, dim));
  }
  const size_t rows = bytes.size() / row_bytes;
  auto matrix = Matrix<float>::uninitialized(rows, static_cast<size_t>(dim));
  for (size_t i = 0; i < rows; ++i) {
    const std::byte* row = bytes.data() + i * row_bytes;
    if (const auto d = element<int32_t>(row, 0, false); d != dim) {
      corrupt(name, fmt::format("vector {} has dim {}, the first has {}", i, d, dim));
    }
    std::memcpy(matrix.row_data(i), row + 4, row_bytes - 4);
  }
  return matrix;
}

Matrix<float> parse_idx(std::span<const std::byte> bytes, std::string_view name) {
  if (bytes.size() < 4 || bytes[0] != std::byte{0} || bytes[1] != std::byte{0}) {
    corrupt(name, "is not an IDX file");
  }
  if (bytes[2] != std::byte{8}) corrupt(name, "its numbers are not unsigned bytes");
  const auto n_dims = static_cast<size_t>(bytes[3]);
  if (n_dims == 0 || bytes.size() < 4 + 4 * n_dims) corrupt(name, "is truncated in its header");
  std::vector<size_t> shape(n_dims);
  for (size_t i = 0; i < n_dims; ++i) shape[i] = element<uint32_t>(bytes.data() + 4, i, true);
  const std::span<const std::byte> data = bytes.subspan(4 + 4 * n_dims);
  Matrix<float> matrix = matrix_of_shape(shape, 1, data.size(), name);
  std::ranges::transform(data.first(matrix.size()), matrix.data(),
                         [](std::byte b) { return static_cast<float>(b); });
  return matrix;
}

Matrix<float> read_npy(const std::filesystem::path& path) {
  return parse_npy(MappedFile::open(path).bytes(), path.string());
}
Matrix<float> read_fvecs(const std::filesystem::path& path) {
  return parse_fvecs(MappedFile::open(path).bytes(), path.string());
}
Matrix<float> read_idx(const std::filesystem::path& path) {
  return parse_idx(MappedFile::open(path).bytes(), path.string());
}

Matrix<float> read_vectors(const std::filesystem::path& path) {
  switch (input_format(path)) {
    case InputFormat::kNpy:
      return read_npy(path);
    case InputFormat::kFvecs:
      return read_fvecs(path);
    case InputFormat::kIdx:
      return read_idx(path);
    default:
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: holds texts, not vectors", path.string()));
  }
}

void write_npy(const std::filesystem::path& path, MatrixView<const float> matrix) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", matrix.rows(),
                  matrix.cols());
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

}  // namespace carya
