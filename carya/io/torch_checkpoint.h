#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "carya/io/tensor_file.h"

namespace carya {

// Reads what torch.save wrote of a state dict: a zip file of uncompressed entries, with a pickle
// that names the tensors.  The pickle is read as data: of its instructions only those that build
// dicts, tuples, numbers and strings are known, of its functions only torch's constructor of a
// tensor and OrderedDict; nothing of it is run.  Tensors that are not contiguous are refused.
// Throws kCorrupt, with `name` in front.
Tensors parse_torch_checkpoint(std::span<const std::byte> file, const std::string& name);

}  // namespace carya
