#include "apps/server/served_atlas.h"

#include <algorithm>
#include <numeric>

#include "carya/core/error.h"
#include "carya/core/rng.h"

namespace carya {

std::string atlas_name(const std::filesystem::path& folder) {
  const std::filesystem::path path = std::filesystem::absolute(folder).lexically_normal();
  return (path.has_filename() ? path : path.parent_path()).stem().string();
}

ServedAtlas::ServedAtlas(std::string name, const std::filesystem::path& folder)
    : name_(std::move(name)), atlas_(Atlas::open(folder)) {}

const ColumnSummary& ServedAtlas::column(std::string_view name) const {
  const std::lock_guard lock(columns_mutex_);  // held while it is made: others would make it again
  const auto found = columns_.find(name);
  if (found != columns_.end()) return found->second;
  const auto columns = atlas_.items().columns();
  if (std::ranges::find(columns, name, &MetadataColumn::name) == columns.end()) {
    std::string known;
    for (const MetadataColumn& column : columns) known += (known.empty() ? "" : ", ") + column.name;
    throw Error(ErrorKind::kNotFound, fmt::format("there is no column '{}'; there are: {}", name,
                                                  known.empty() ? "none" : known));
  }
  return columns_.emplace(name, ColumnSummary::of(atlas_.items(), name)).first->second;
}

const DiskLayout& ServedAtlas::layout() const {
  std::call_once(layout_once_, [&] { layout_ = atlas_.layout(); });
  return layout_;
}

const std::vector<uint32_t>& ServedAtlas::sample_order() const {
  std::call_once(order_once_, [&] {
    std::vector<std::pair<uint64_t, uint32_t>> keys(atlas_.n_items());
    for (uint32_t item = 0; item < keys.size(); ++item) {
      keys[item] = {Rng(/*seed=*/0, /*stream=*/item).next(), item};
    }
    std::ranges::sort(keys);
    for (const auto& [key, item] : keys) sample_order_.push_back(item);
  });
  return sample_order_;
}

std::vector<uint32_t> ServedAtlas::select(const std::string& where,
                                          std::optional<uint32_t> node) const {
  std::vector<uint32_t> items;
  if (where.empty() && node) {
    const auto below = atlas_.tree().items(*node);
    items.assign(below.begin(), below.end());
    std::ranges::sort(items);
  } else if (where.empty()) {
    items.resize(atlas_.n_items());
    std::iota(items.begin(), items.end(), 0u);
  } else {
    items = atlas_.items().where(where);
    if (node) {
      std::erase_if(items, [&](uint32_t item) {
        return !atlas_.tree().is_below(atlas_.tree().node_of(item), *node);
      });
    }
  }
  return items;
}

uint32_t ServedAtlas::checked_node(size_t node) const {
  const size_t n = atlas_.tree().n_nodes();
  if (node >= n) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no topic {}: they are 0 to {}", node, n - 1));
  }
  return static_cast<uint32_t>(node);
}

uint32_t ServedAtlas::checked_item(size_t item) const {
  const size_t n = atlas_.n_items();
  if (item >= n) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("there is no item {}: they are 0 to {}", item, n - 1));
  }
  return static_cast<uint32_t>(item);
}

}  // namespace carya
