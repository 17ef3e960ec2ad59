// Any bytes are a condition that SQLite takes, or an Error.
#include <unistd.h>

#include <filesystem>
#include <string>

#include "carya/atlas/item_store.h"
#include "carya/core/error.h"
#include "carya/core/file.h"

namespace {

carya::ItemStore small_store() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / ("carya_where_fuzz_" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  carya::write_file(folder / "in.csv",
                    "text,size,section\na chess board,1,games\nan image,2.5,x\n");
  const auto records = carya::open_records(folder / "in.csv");
  return carya::ItemStore::create(folder / "items.sqlite", *records);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const carya::ItemStore items = small_store();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    items.where(text);
  } catch (const carya::Error& error) {
    // kCorrupt would be SQLite's refusal of what the parser let through.
    if (error.kind() != carya::ErrorKind::kInvalidArgument) __builtin_trap();
  }
  items.search(text, 3);
  return 0;
}
