#include "carya/io/vectors.h"

#include <algorithm>
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/binary_numbers.h"
#include "carya/io/hdf5.h"
#include "carya/io/record_reader.h"

namespace carya {
namespace {

namespace fs = std::filesystem;

// Vectors one after another, each with its dim before it, an int32.
template <class From, class T>
Matrix<T> parse_vecs(std::span<const std::byte> bytes, std::string_view name) {
  constexpr size_t kHead = sizeof(int32_t);
  if (bytes.empty()) return {};
  if (bytes.size() < kHead) corrupt(name, "is truncated");
  const auto dim = element<int32_t>(bytes.data(), 0, false);
  if (dim <= 0) corrupt(name, fmt::format("its first vector has dim {}", dim));
  const size_t row_bytes = kHead + sizeof(From) * static_cast<size_t>(dim);
  if (bytes.size() % row_bytes != 0) {
    corrupt(name,
            fmt::format("its {} bytes are no multiple of {}, the size of a vector of dim {}: it is "
                        "truncated, or of another format",
                        bytes.size(), row_bytes, dim));
  }
  const size_t rows = bytes.size() / row_bytes;
  auto matrix = Matrix<T>::uninitialized(rows, static_cast<size_t>(dim));
  for (size_t i = 0; i < rows; ++i) {
    const std::byte* row = bytes.data() + i * row_bytes;
    if (const auto d = element<int32_t>(row, 0, false); d != dim) {
      corrupt(name, fmt::format("vector {} has dim {}, the first has {}", i, d, dim));
    }
    for (size_t j = 0; j < matrix.cols(); ++j) {
      matrix(i, j) = static_cast<T>(element<From>(row + kHead, j, false));
    }
  }
  return matrix;
}

}  // namespace

template <class T>
Matrix<T> parse_ivecs(std::span<const std::byte> bytes, std::string_view name) {
  return parse_vecs<int32_t, T>(bytes, name);
}
template Matrix<float> parse_ivecs(std::span<const std::byte>, std::string_view);
template Matrix<int64_t> parse_ivecs(std::span<const std::byte>, std::string_view);

Matrix<float> parse_fvecs(std::span<const std::byte> bytes, std::string_view name) {
  return parse_vecs<float, float>(bytes, name);
}

Matrix<float> parse_bvecs(std::span<const std::byte> bytes, std::string_view name) {
  return parse_vecs<uint8_t, float>(bytes, name);
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
  Matrix<float> matrix = matrix_of_shape<float>(shape, 1, data.size(), name);
  std::ranges::transform(data.first(matrix.size()), matrix.data(),
                         [](std::byte b) { return static_cast<float>(b); });
  return matrix;
}

Matrix<float> read_vectors(const fs::path& path) {
  const auto [file, dataset] = file_and_dataset(path);
  const InputFormat format = input_format(file);
  if (format == InputFormat::kHdf5) return read_hdf5<float>(file, dataset);
  const std::string name = file.string();
  const auto parsed = [&](auto parse) { return parse(MappedFile::open(file).bytes(), name); };
  switch (format) {
    case InputFormat::kNpy:
      return parsed(parse_npy<float>);
    case InputFormat::kFvecs:
      return parsed(parse_fvecs);
    case InputFormat::kBvecs:
      return parsed(parse_bvecs);
    case InputFormat::kIvecs:
      return parsed(parse_ivecs<float>);
    case InputFormat::kIdx:
      return parsed(parse_idx);
    default:
      throw Error(ErrorKind::kInvalidArgument, fmt::format("{}: holds texts, not vectors", name));
  }
}

Matrix<int64_t> read_ids(const fs::path& path) {
  const auto [file, dataset] = file_and_dataset(path);
  const InputFormat format = input_format(file);
  if (format == InputFormat::kHdf5) return read_hdf5<int64_t>(file, dataset);
  const std::string name = file.string();
  require(format == InputFormat::kNpy || format == InputFormat::kIvecs,
          "{}: ids are read from .ivecs, .npy and HDF5", name);
  const MappedFile mapped = MappedFile::open(file);
  return format == InputFormat::kNpy ? parse_npy<int64_t>(mapped.bytes(), name)
                                     : parse_ivecs<int64_t>(mapped.bytes(), name);
}

Matrix<float> read_npy(const fs::path& path) {
  return parse_npy<float>(MappedFile::open(path).bytes(), path.string());
}
Matrix<float> read_idx(const fs::path& path) {
  return parse_idx(MappedFile::open(path).bytes(), path.string());
}

void write_ivecs(const fs::path& path, MatrixView<const int64_t> ids) {
  AtomicFile file(path);
  const auto dim = static_cast<int32_t>(ids.cols());
  std::vector<int32_t> row(ids.cols() + 1, dim);
  for (size_t i = 0; i < ids.rows(); ++i) {
    for (size_t j = 0; j < ids.cols(); ++j) {
      require(ids(i, j) >= INT32_MIN && ids(i, j) <= INT32_MAX,
              "{}: id {} does not fit the 32 bits of .ivecs; write .npy", path.string(), ids(i, j));
      row[j + 1] = static_cast<int32_t>(ids(i, j));
    }
    file.write(std::as_bytes(std::span(row)));
  }
  file.commit();
}

}  // namespace carya
