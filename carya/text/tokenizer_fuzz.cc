#include "carya/core/error.h"
#include "carya/text/wordpiece.h"

// The first byte chooses the reader; what can be read then tokenizes the whole input.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  try {
    const carya::WordPiece tokenizer = data[0] % 2 == 0
                                           ? carya::WordPiece::from_tokenizer_json(text, "fuzz")
                                           : carya::WordPiece::from_vocab(text, "fuzz");
    std::vector<int32_t> ids;
    tokenizer.encode(text, 64, ids);
  } catch (const carya::Error&) {  // the only way to refuse
  }
  return 0;
}
