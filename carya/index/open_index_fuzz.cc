// Damaged index files: open_index either throws Error or gives an index that can be searched.  The
// bytes are the content of a container's sections, so that what lies behind the checksums is tried.
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <numeric>

#include "carya/core/rng.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/spann.h"
#include "carya/index/window.h"

namespace carya {
namespace {

std::filesystem::path file(const char* name) {
  return std::filesystem::temp_directory_path() /
         ("open_index_fuzz_" + std::to_string(::getpid()) + name);
}

// A small index of each kind, as the file that save() writes.
enum class Kind { kFlat, kGraph, kCodes, kCodesAlone, kBits, kLists, kWindow };
std::string saved(Kind kind) {
  const bool coded = kind == Kind::kCodes || kind == Kind::kCodesAlone;
  // Codes begin with that many items.
  const size_t kItems = coded ? VectorStore::kMinTraining : 40, kDim = 3;
  Matrix<float> vectors(kItems, kDim);
  Rng rng(1);
  // Few numbers, so that there are twins.
  const uint64_t n_numbers = coded ? 16 : kind == Kind::kBits ? 2 : 4;
  for (float& x : vectors.flat()) x = static_cast<float>(rng.below(n_numbers));
  std::vector<ItemId> ids(kItems);
  std::iota(ids.begin(), ids.end(), ItemId{0});
  const std::filesystem::path path = file("_seed");
  if (kind == Kind::kLists) {
    Spann index = Spann::build(path, ids, vectors, Metric::kSquaredL2);
    index.remove(3);
    index.update(std::span(ids).subspan(7, 2), vectors.view().slice(0, 2));
    index.save(path);
  } else if (kind == Kind::kWindow) {
    WindowIndex index(
        kDim, Metric::kSquaredL2,
        {.cutoff = 9,
         .shifted = true,
         .hnsw = {
             .m = 2, .ef_construction = 4, .storage = {.exact = {}, .codes = RowFormat::kInt8}}});
    std::vector<double> labels(ids.begin(), ids.end());
    index.add(ids, labels, vectors);
    index.save(path);
  } else if (kind != Kind::kFlat) {
    VectorStorage storage{.exact = RowFormat::kF32, .codes = RowFormat::kInt8};
    if (kind == Kind::kCodesAlone) storage = {.exact = {}, .codes = RowFormat::kInt4};
    const bool bits = kind == Kind::kBits;
    if (bits) storage = VectorStorage::exact_for(Metric::kHamming);
    Hnsw index(kDim, bits ? Metric::kHamming : Metric::kSquaredL2,
               {.m = 2, .ef_construction = 4, .storage = storage});
    index.add(ids, vectors);
    index.save(path);
  } else {
    FlatIndex index(kDim, Metric::kSquaredL2);
    index.add(ids, vectors);
    index.save(path);
  }
  std::string bytes = read_file(path);
  std::filesystem::remove(path);
  return bytes;
}

// Sets the checksums of a container right again (see core/container.h for the layout).
void repair(std::string& bytes) {
  constexpr size_t kHeader = 48, kEntry = 48, kCount = 36, kTableSum = 40;
  uint32_t n = 0;
  std::memcpy(&n, bytes.data() + kCount, sizeof(n));
  if (bytes.size() < kHeader || n > (bytes.size() - kHeader) / kEntry) return;
  for (uint32_t i = 0; i < n; ++i) {
    char* const entry = bytes.data() + kHeader + i * kEntry;
    uint64_t at[2];  // offset, bytes
    std::memcpy(at, entry + 24, sizeof(at));
    if (at[0] > bytes.size() || at[1] > bytes.size() - at[0]) return;
    const uint64_t sum = checksum(std::as_bytes(std::span(bytes.data() + at[0], at[1])));
    std::memcpy(entry + 40, &sum, sizeof(sum));
  }
  const uint64_t sum = checksum(std::as_bytes(std::span(bytes.data() + kHeader, n * kEntry)));
  std::memcpy(bytes.data() + kTableSum, &sum, sizeof(sum));
}

}  // namespace
}  // namespace carya

// data: one byte that chooses the index, then changes: position (3 bytes), value.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace carya;
  static const std::string seeds[] = {
      saved(Kind::kGraph), saved(Kind::kFlat),  saved(Kind::kCodes), saved(Kind::kCodesAlone),
      saved(Kind::kBits),  saved(Kind::kLists), saved(Kind::kWindow)};
  if (size == 0) return 0;
  std::string bytes = seeds[data[0] % std::size(seeds)];
  for (size_t i = 1; i + 4 <= size; i += 4) {
    const size_t at =
        (data[i] | size_t{data[i + 1]} << 8 | size_t{data[i + 2]} << 16) % bytes.size();
    bytes[at] = static_cast<char>(data[i + 3]);
  }
  repair(bytes);
  const std::filesystem::path path = file("");
  std::ofstream(path, std::ios::binary) << bytes;  // write_file() would wait for the disk
  try {
    const auto index = open_index(path);
    const std::vector<float> query(index->dim(), 1.0f);
    index->search(query, {.k = 3, .effort = 3});
    index->search(query, {.k = 100});
    if (const auto* windows = dynamic_cast<const WindowIndex*>(index.get())) {
      for (int strategy = 0; strategy <= static_cast<int>(WindowStrategy::kRoot); ++strategy) {
        if (!windows->options().shifted) break;
        windows->search(query, {5, 30}, {.k = 3}, static_cast<WindowStrategy>(strategy));
      }
    }
    const std::vector<ItemId> ids = {1000};
    index->remove(5);
    index->add(ids, MatrixView<const float>(query.data(), 1, query.size()));
    index->search(query, {.k = 3, .effort = 3});
  } catch (const Error&) {
  }
  std::filesystem::remove(path);
  return 0;
}
