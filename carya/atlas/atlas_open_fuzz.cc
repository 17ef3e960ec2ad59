// Any bytes in the place of a file of an atlas, with a manifest that matches them, are an atlas
// that can be used or an Error.  Containers get right checksums too, so that what reads them is
// reached. The first byte chooses the file, the second what is done to it.
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "carya/atlas/atlas.h"
#include "carya/atlas/atlas_files.h"
#include "carya/atlas/build.h"
#include "carya/atlas/export.h"
#include "carya/core/container.h"
#include "carya/core/error.h"
#include "carya/core/file.h"

namespace {

namespace fs = std::filesystem;
namespace files = carya::atlas_files;

constexpr const char* kFiles[] = {files::kItems, files::kVectors,        files::kNeighbors,
                                  files::kTree,  files::kNames,          files::kIndex,
                                  "words.lsa",   files::kRepresentation, files::kManifest};

struct Whole {
  fs::path folder = fs::temp_directory_path() / ("carya_open_fuzz_" + std::to_string(::getpid()));
  fs::path atlas = folder / "a.atlas";
  std::map<std::string, std::string> files;

  Whole() {
    fs::remove_all(folder);
    fs::create_directories(folder);
    std::string csv = "id,text,n\n";
    for (int i = 0; i < 24; ++i) {
      csv += "i" + std::to_string(i) + (i % 2 == 0 ? ",a chess board " : ",an image viewer ") +
             std::to_string(i) + "," + std::to_string(i) + "\n";
    }
    carya::write_file(folder / "in.csv", csv);
    carya::AtlasOptions options;
    options.encoder.encoder = "lsa";
    options.organise.min_cluster_size = 4;
    carya::build_atlas(folder / "in.csv", atlas, options);
    for (const char* name : kFiles) files[name] = carya::read_file(atlas / name);
  }
};

template <class T>
T read_at(const std::string& bytes, size_t at) {
  T value{};
  if (at + sizeof(T) <= bytes.size()) std::memcpy(&value, bytes.data() + at, sizeof(T));
  return value;
}
template <class T>
void write_at(std::string& bytes, size_t at, T value) {
  if (at + sizeof(T) <= bytes.size()) std::memcpy(bytes.data() + at, &value, sizeof(T));
}

// The layout of container.h: a header of 48 bytes, then 48 bytes a section.
void repair_checksums(std::string& bytes) {
  constexpr size_t kHeader = 48, kEntry = 48;
  if (!bytes.starts_with("CARYABIN") || bytes.size() < kHeader) return;
  const size_t n =
      std::min<size_t>(read_at<uint32_t>(bytes, 36), (bytes.size() - kHeader) / kEntry);
  const auto sum = [&](size_t first, size_t count) {
    return carya::checksum(std::as_bytes(std::span(bytes).subspan(first, count)));
  };
  for (size_t i = 0; i < n; ++i) {
    const size_t entry = kHeader + i * kEntry;
    const auto offset = read_at<uint64_t>(bytes, entry + 24),
               size = read_at<uint64_t>(bytes, entry + 32);
    if (offset > bytes.size() || size > bytes.size() - offset) continue;
    write_at(bytes, entry + 40, sum(offset, size));
  }
  write_at(bytes, 40, sum(kHeader, n * kEntry));
}

// Either the input's bytes alone, or the right ones with some of them replaced: pairs of a place
// (three bytes) and a value.
std::string changed(const std::string& right, std::string_view input, bool replace) {
  if (replace) return std::string(input);
  std::string bytes = right;
  for (; input.size() >= 4 && !bytes.empty(); input.remove_prefix(4)) {
    size_t at = 0;
    std::memcpy(&at, input.data(), 3);
    bytes[at % bytes.size()] = input[3];
  }
  return bytes;
}

void use(const fs::path& folder) {
  const carya::Atlas atlas = carya::Atlas::open(folder);
  atlas.info();
  const auto ignored = [](std::string_view) {};
  for (const auto mode : {carya::SearchMode::kHybrid, carya::SearchMode::kLexical}) {
    atlas.search("chess board", {.k = 5, .mode = mode});
    atlas.search("chess board", {.k = 5, .mode = mode, .where = "n > 3", .node = 0});
  }
  atlas.neighbors(3, 4);
  atlas.evaluate("n");
  carya::export_atlas(atlas, carya::ExportFormat::kNewick, ignored);
  carya::export_atlas(atlas, carya::ExportFormat::kCsv, ignored);
  carya::export_atlas(atlas, carya::ExportFormat::kLinkage, ignored);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Whole whole;
  if (size < 2) return 0;
  const std::string name = kFiles[data[0] % std::size(kFiles)];
  const std::string_view input(reinterpret_cast<const char*>(data) + 2, size - 2);
  std::string bytes = changed(whole.files.at(name), input, /*replace=*/(data[1] & 1) != 0);
  if ((data[1] & 2) == 0) repair_checksums(bytes);
  std::string manifest = whole.files.at(files::kManifest);
  if (name == files::kManifest) {
    manifest = bytes;
  } else {
    auto json = nlohmann::json::parse(manifest);
    json["files"][name] = {
        {"bytes", bytes.size()},
        {"checksum", fmt::format("{:016x}", carya::checksum(std::as_bytes(std::span(bytes))))}};
    manifest = json.dump();
  }
  carya::write_file(whole.atlas / name, bytes);
  carya::write_file(whole.atlas / files::kManifest, manifest);
  try {
    use(whole.atlas);
  } catch (const carya::Error&) {
  }
  carya::write_file(whole.atlas / name, whole.files.at(name));
  return 0;
}
