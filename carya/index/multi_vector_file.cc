#include <unistd.h>

#include <algorithm>

#include "carya/core/container.h"
#include "carya/index/multi_vector.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 1;
constexpr std::string_view kItemsFile = "items", kIndexFile = "vectors.index";
struct MultiVectorHeader {
  uint64_t dim, metric;
  uint64_t index_checksum;  // of the other file: the two belong together
};

// A folder beside `folder` that is gone at the end, unless it has taken its place.
class NewFolder {
 public:
  explicit NewFolder(const std::filesystem::path& folder)
      : path_(folder.string() + ".tmp" + std::to_string(::getpid())) {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
    if (!std::filesystem::create_directories(path_, error)) {
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: it cannot be made: {}", path_.string(), error.message()));
    }
  }
  ~NewFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  NewFolder(const NewFolder&) = delete;
  NewFolder& operator=(const NewFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

uint64_t checksum_of(const std::filesystem::path& path) {
  return checksum(MappedFile::open(path).bytes());
}

}  // namespace

void MultiVectorIndex::save(const std::filesystem::path& folder) const {
  const NewFolder made(folder);
  index_->save(made.path() / kIndexFile);
  // Items by rising id, so that the same items make the same bytes.
  std::vector<ItemId> ids;
  for (const auto& [id, first] : first_) ids.push_back(id);
  std::ranges::sort(ids);
  std::vector<uint64_t> offsets = {0};
  std::vector<uint32_t> slots;
  for (ItemId id : ids) {
    const std::vector<uint32_t> own = slots_of(first_.at(id));
    slots.insert(slots.end(), own.begin(), own.end());
    offsets.push_back(slots.size());
  }
  ContainerWriter out(std::string(kFileKind), kVersion);
  out.add_value("header",
                MultiVectorHeader{.dim = dim(),
                                  .metric = static_cast<uint64_t>(metric()),
                                  .index_checksum = checksum_of(made.path() / kIndexFile)});
  out.add<ItemId>("item_ids", ids);
  out.add<uint64_t>("item_offsets", offsets);
  out.add<uint32_t>("item_slots", slots);
  store_.save(out);
  out.save(made.path() / kItemsFile);
  replace_folder(made.path(), folder);
}

MultiVectorIndex MultiVectorIndex::open(const std::filesystem::path& folder,
                                        const IndexOpener& opener,
                                        const DistanceFunction& distance) {
  Container file = Container::open(folder / kItemsFile, kFileKind, kVersion);
  const auto header = file.value<MultiVectorHeader>("header");
  if (header.dim == 0 || header.dim > kMaxDim || header.metric > kLastMetric) {
    file.fail("the header is not one of items with several vectors");
  }
  const auto metric = static_cast<Metric>(header.metric);
  require_distance(file.path(), metric, distance);
  if (checksum_of(folder / kIndexFile) != header.index_checksum) {
    file.fail(fmt::format("{} beside it is damaged, or was saved with other items", kIndexFile));
  }
  std::unique_ptr<Index> index = opener(folder / kIndexFile);
  MultiVectorIndex items(
      VectorStore::open(file, header.dim, metric, VectorStorage::exact_for(metric), distance),
      std::move(index));
  const size_t n_slots = items.store_.n_slots();
  const auto ids = file.array<ItemId>("item_ids");
  const auto offsets = file.array<uint64_t>("item_offsets");
  const auto slots = file.array<uint32_t>("item_slots");
  if (offsets.size() != ids.size() + 1 || offsets.front() != 0 || offsets.back() != slots.size() ||
      slots.size() != items.store_.n_live() || items.index_ == nullptr ||
      items.index_->dim() != header.dim || items.index_->metric() != metric ||
      items.index_->size() != slots.size()) {
    file.fail("the items do not match the vectors");
  }
  items.owner_.resize(n_slots);
  items.next_.resize(n_slots, kNoSlot);
  std::vector<uint8_t> is_owned(n_slots);
  for (size_t i = 0; i < ids.size(); ++i) {
    if (offsets[i] >= offsets[i + 1] || offsets[i + 1] > slots.size() ||
        items.first_.contains(ids[i])) {
      file.fail(fmt::format("item {} has no vector, or is there twice", ids[i]));
    }
    const auto own = slots.subspan(offsets[i], offsets[i + 1] - offsets[i]);
    for (uint32_t slot : own) {
      if (slot >= n_slots || !items.store_.is_live(slot) || items.store_.id(slot) != slot ||
          is_owned[slot]++ != 0) {
        file.fail(fmt::format("item {} has a vector that is not there, or another's", ids[i]));
      }
    }
    items.own_slots(ids[i], own);
  }
  for (size_t slot = n_slots; slot-- > 0;) {
    if (is_owned[slot] == 0) items.free_.push_back(static_cast<uint32_t>(slot));
  }
  items.file_ = std::move(file);
  return items;
}

}  // namespace carya
