#include "carya/core/error.h"
#include "carya/io/torch_checkpoint.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    carya::parse_torch_checkpoint(std::as_bytes(std::span(data, size)), "fuzz");
  } catch (const carya::Error&) {  // the only way to refuse
  }
  return 0;
}
