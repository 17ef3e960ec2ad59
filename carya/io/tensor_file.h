#pragma once

#include <cstddef>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "carya/core/file.h"
#include "carya/core/matrix.h"

namespace carya {

enum class TensorType {
  kF32,
  kF16,
  kBf16,
  kOther
};  // kOther: integers, f64, ... are not converted

// A tensor where it lies in its file: row-major, little-endian.
struct Tensor {
  TensorType type = TensorType::kOther;
  std::vector<size_t> shape;
  std::span<const std::byte> bytes;
};
using Tensors = std::map<std::string, Tensor, std::less<>>;

// The named weights of a network, in a mapped file: safetensors, or a checkpoint of torch.save.
//
//   TensorFile file = TensorFile::open("model.safetensors");
//   Matrix<float> weights = file.read("encoder.layer.0.output.dense.weight", 384, 1536);
class TensorFile {
 public:
  // The content tells the format.  Throws kNotFound, kIo, or kCorrupt with the file's name.
  static TensorFile open(const std::filesystem::path& path);
  const Tensors& tensors() const noexcept { return tensors_; }
  bool has(std::string_view name) const { return tensors_.contains(name); }
  // As f32.  Throws kCorrupt, naming file and tensor, if it is missing, has another shape or is of
  // no floating-point type that can be converted, or holds NaN or infinity.
  Matrix<float> read(std::string_view name, size_t rows, size_t cols) const;
  std::vector<float> read(std::string_view name, size_t size) const;
  const std::filesystem::path& path() const noexcept { return file_.path(); }

 private:
  void read_into(std::string_view name, std::span<const size_t> shape, std::span<float> to) const;
  MappedFile file_;
  Tensors tensors_;
};

// The number of bytes of `shape` numbers of `element_bytes`; throws kCorrupt (with `what`) if it
// overflows.
size_t tensor_bytes(std::span<const size_t> shape, size_t element_bytes, const std::string& what);

}  // namespace carya
