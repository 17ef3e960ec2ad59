#include "carya/io/tensor_file.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "carya/core/error.h"
#include "carya/io/safetensors.h"
#include "carya/io/torch_checkpoint.h"

namespace carya {

namespace {

float half_to_float(uint16_t half) {
  const uint32_t sign = static_cast<uint32_t>(half & 0x8000u) << 16;
  const uint32_t exponent = half >> 10 & 31u, mantissa = half & 1023u;
  if (exponent == 0) {
    const float value = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -value : value;
  }
  const uint32_t wide = exponent == 31 ? 255u : exponent + 112u;
  return std::bit_cast<float>(sign | wide << 23 | mantissa << 13);
}

float to_float(uint16_t bits, TensorType type) {
  return type == TensorType::kF16 ? half_to_float(bits)
                                  : std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
}

std::string to_string(std::span<const size_t> shape) {
  std::string text;
  for (const size_t size : shape) text += fmt::format("{}{}", text.empty() ? "" : " x ", size);
  return "[" + text + "]";
}

}  // namespace

size_t tensor_bytes(std::span<const size_t> shape, size_t element_bytes, const std::string& what) {
  size_t bytes = element_bytes;
  for (const size_t size : shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: shape {} is too large", what, to_string(shape)));
    }
  }
  return bytes;
}

TensorFile TensorFile::open(const std::filesystem::path& path) {
  TensorFile file;
  file.file_ = MappedFile::open(path);
  const std::string_view text = file.file_.text();
  if (text.starts_with("\x80\x02")) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: a checkpoint in torch's form before 1.6; torch.save(torch.load(f), f) "
                    "writes the present one",
                    path.string()));
  }
  file.tensors_ = text.starts_with("PK\x03\x04")
                      ? parse_torch_checkpoint(file.file_.bytes(), path.string())
                      : parse_safetensors(file.file_.bytes(), path.string());
  return file;
}

void TensorFile::read_into(std::string_view name, std::span<const size_t> shape,
                           std::span<float> to) const {
  const auto fail = [&](const std::string& reason) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: tensor {} {}", path().string(), name, reason));
  };
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    fail(fmt::format("is missing (the file has {} tensors)", tensors_.size()));
  }
  const Tensor& tensor = found->second;
  if (!std::ranges::equal(tensor.shape, shape)) {
    fail(fmt::format("has shape {}, expected {}", to_string(tensor.shape), to_string(shape)));
  }
  if (tensor.type == TensorType::kOther) fail("is not of type f32, f16 or bf16");
  if (tensor.type == TensorType::kF32) {
    std::memcpy(to.data(), tensor.bytes.data(), to.size_bytes());
  } else {
    for (size_t i = 0; i < to.size(); ++i) {
      uint16_t bits;
      std::memcpy(&bits, tensor.bytes.data() + 2 * i, 2);
      to[i] = to_float(bits, tensor.type);
    }
  }
  for (const float value : to) {
    if (!std::isfinite(value)) fail("holds NaN or infinity");
  }
}

Matrix<float> TensorFile::read(std::string_view name, size_t rows, size_t cols) const {
  auto matrix = Matrix<float>::uninitialized(rows, cols);
  const size_t shape[] = {rows, cols};
  read_into(name, shape, matrix.flat());
  return matrix;
}

std::vector<float> TensorFile::read(std::string_view name, size_t size) const {
  std::vector<float> values(size);
  const size_t shape[] = {size};
  read_into(name, shape, values);
  return values;
}

}  // namespace carya
