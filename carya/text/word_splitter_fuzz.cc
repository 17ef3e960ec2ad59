#include "carya/text/word_splitter.h"

// The first byte has the four options as bits.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  carya::WordSplitter words(
      {reinterpret_cast<const char*>(data) + 1, size - 1},
      {(data[0] & 1) != 0, (data[0] & 2) != 0, (data[0] & 4) != 0, (data[0] & 8) != 0});
  while (words.next()) {
    if (words.word().empty()) __builtin_trap();
  }
  return 0;
}
