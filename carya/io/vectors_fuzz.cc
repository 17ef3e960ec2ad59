// Any bytes are a matrix or an Error, for each format.
#include "carya/core/error.h"
#include "carya/io/vectors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  for (const auto parse : {carya::parse_npy<float>, carya::parse_fvecs, carya::parse_bvecs,
                           carya::parse_ivecs<float>, carya::parse_idx}) {
    try {
      parse(bytes, "fuzz");
    } catch (const carya::Error&) {
    }
  }
  return 0;
}
