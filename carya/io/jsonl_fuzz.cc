// Any bytes are JSON lines or an Error.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/io/record_reader.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const std::string path = (std::filesystem::temp_directory_path() /
                                   ("carya_fuzz_" + std::to_string(::getpid()) + ".jsonl"))
                                      .string();
  carya::write_file(path, {reinterpret_cast<const char*>(data), size});
  try {
    const auto reader = carya::open_records(path);
    carya::Record record;
    while (reader->next(record)) {
    }
  } catch (const carya::Error&) {
  }
  return 0;
}
