#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "carya/io/tensor_file.h"

namespace carya {

// Reads the header of a safetensors file: u64 length, JSON, then the numbers.
// https://github.com/huggingface/safetensors#format.  All offsets and shapes are checked against
// `file`, into which the tensors then point.  Throws kCorrupt, with `name` in front.
Tensors parse_safetensors(std::span<const std::byte> file, const std::string& name);

}  // namespace carya
