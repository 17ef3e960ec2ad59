#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "carya/io/tensor_file.h"

namespace carya {

// Reads the header of a safetensors file: u64 length, JSON, then the numbers.
// https://github.com/huggingface/safetensors#format.  All offsets and shapes are checked against
// `file`, into which the tensors then point.  Throws kCorrupt, with `name` in front.
Tensors parse_safetensors(std::span<const std::byte> file, const std::string& name);

// Numbers that are to be written: row-major.
struct NamedArray {
  std::string name;
  std::string_view type;  // "F32", "F64", "U8", "U32"
  std::vector<size_t> shape;
  std::span<const std::byte> bytes;

  // A vector; `values` must outlive it.
  template <class T>
  static NamedArray of(std::string name, const std::vector<T>& values);
};

// The whole file.  Arrays lie in the order of `arrays`; give those of wide numbers first, and each
// number is aligned.  `metadata` becomes __metadata__.
std::string to_safetensors(std::span<const NamedArray> arrays,
                           const std::map<std::string, std::string>& metadata = {});

template <class T>
NamedArray NamedArray::of(std::string name, const std::vector<T>& values) {
  constexpr std::string_view kType = std::is_same_v<T, float>      ? "F32"
                                     : std::is_same_v<T, double>   ? "F64"
                                     : std::is_same_v<T, uint8_t>  ? "U8"
                                     : std::is_same_v<T, uint32_t> ? "U32"
                                                                   : "";
  static_assert(!kType.empty(), "no type of safetensors");
  return {std::move(name), kType, {values.size()}, std::as_bytes(std::span(values))};
}

}  // namespace carya
