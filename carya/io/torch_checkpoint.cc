#include "carya/io/torch_checkpoint.h"

#include "carya/core/error.h"

namespace carya {

Tensors parse_torch_checkpoint(std::span<const std::byte>, const std::string& name) {
  throw Error(ErrorKind::kCorrupt, name + ": torch checkpoints are not read yet");
}

}  // namespace carya
