#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "carya/atlas/atlas.h"
#include "carya/atlas/column_summary.h"

namespace carya {

// What an atlas is called: demo for /data/demo.atlas/.
std::string atlas_name(const std::filesystem::path& folder);

// An atlas with what a server makes of it once and gives many times.  Many threads may share it.
class ServedAtlas {
 public:
  // name: what it is called in addresses.  Throws as Atlas::open.
  ServedAtlas(std::string name, const std::filesystem::path& folder);

  const std::string& name() const noexcept { return name_; }
  const Atlas& atlas() const noexcept { return atlas_; }
  // Made at the first call.  Throws kNotFound listing the columns if there is no such.
  const ColumnSummary& column(std::string_view name) const;
  const DiskLayout& layout() const;
  // All items in an order of which each beginning is a fair sample.
  const std::vector<uint32_t>& sample_order() const;
  // The items below a node (none: all) that meet a condition (empty: all), rising.
  std::vector<uint32_t> select(const std::string& where, std::optional<uint32_t> node) const;
  // Throws kNotFound.
  uint32_t checked_node(size_t node) const;
  uint32_t checked_item(size_t item) const;

 private:
  std::string name_;
  Atlas atlas_;
  mutable std::mutex columns_mutex_;
  mutable std::map<std::string, ColumnSummary, std::less<>> columns_;
  mutable std::once_flag layout_once_, order_once_;
  mutable DiskLayout layout_;
  mutable std::vector<uint32_t> sample_order_;
};

}  // namespace carya
