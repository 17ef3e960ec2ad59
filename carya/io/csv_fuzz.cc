// Any bytes are a table or an Error.
#include <string>
#include <vector>

#include "carya/core/error.h"
#include "carya/io/csv.h"
#include "carya/io/utf8.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const auto quotes : {carya::CsvQuotes::kAcrossLines, carya::CsvQuotes::kWithinLine}) {
    try {
      carya::CsvParser parser(text, "fuzz", carya::likely_delimiter(text), quotes);
      std::vector<std::string> fields;
      while (parser.next(fields)) {
        for (const std::string& field : fields) {
          if (!carya::is_valid_utf8(carya::to_valid_utf8(field))) __builtin_trap();
        }
      }
    } catch (const carya::Error&) {
    }
  }
  return 0;
}
