#include "carya/index/index.h"

#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/index/ivf_pq.h"
#include "carya/index/spann.h"
#include "carya/index/window.h"

namespace carya {
namespace {

// The kind that stands after a container's magic; what is no container has none.
std::string_view kind_of(const MappedFile& file) {
  constexpr size_t kBegin = 8, kLength = 24;
  if (file.bytes().size() < kBegin + kLength) return {};
  const std::string_view kind = file.text().substr(kBegin, kLength);
  return kind.substr(0, kind.find(char{0}));
}

}  // namespace

std::unique_ptr<Index> open_index(const std::filesystem::path& path) {
  const MappedFile file = MappedFile::open(path);
  const std::string_view kind = kind_of(file);
  if (kind == FlatIndex::kFileKind) return std::make_unique<FlatIndex>(FlatIndex::open(path));
  if (kind == Hnsw::kFileKind) return std::make_unique<Hnsw>(Hnsw::open(path));
  if (kind == IvfPq::kFileKind) return std::make_unique<IvfPq>(IvfPq::open(path));
  if (kind == WindowIndex::kFileKind) return std::make_unique<WindowIndex>(WindowIndex::open(path));
  if (kind == Spann::kFileKind) return std::make_unique<Spann>(Spann::open(path));
  throw Error(ErrorKind::kCorrupt,
              fmt::format("{}: it is no index that this program knows", path.string()));
}

}  // namespace carya
