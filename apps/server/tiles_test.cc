#include "apps/server/tiles.h"

#include <cmath>
#include <cstring>
#include <set>

#include "apps/server/test_atlas.h"
#include "carya/io/safetensors.h"

namespace carya {
namespace {

template <class T>
std::vector<T> array(const std::string& file, const char* name) {
  const Tensors tensors = parse_safetensors(std::as_bytes(std::span(file)), "tile");
  const Tensor& tensor = tensors.find(name)->second;
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return values;
}

using TilesTest = WithAtlas;

TEST_F(TilesTest, NodesStandWhereTheLayoutSays) {
  const std::string file = layout_nodes_file(*served_);
  const auto& tree = served_->atlas().tree();
  EXPECT_EQ(array<uint32_t>(file, "parent").size(), tree.n_nodes());
  EXPECT_EQ(array<uint32_t>(file, "parent")[0], kNoNode);
  EXPECT_EQ(array<uint32_t>(file, "size")[0], kItems + 1);
  const auto angle = array<double>(file, "angle");
  for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
    EXPECT_EQ(angle[node], served_->layout().node_in_parent[node].angle);
  }
}

TEST_F(TilesTest, TilesOfANodeHoldEachItemOnce) {
  const auto& tree = served_->atlas().tree();
  for (uint32_t node = 0; node < tree.n_nodes(); ++node) {
    std::multiset<uint32_t> seen;
    for (size_t zoom = 0; zoom <= 2; ++zoom) {
      const std::string file = layout_items_file(*served_, node, zoom);
      for (const uint32_t item : array<uint32_t>(file, "item")) seen.insert(item);
      EXPECT_EQ(array<uint32_t>(file, "item").size(), array<float>(file, "angle").size());
    }
    const auto items = tree.items(node);
    EXPECT_EQ(seen, std::multiset<uint32_t>(items.begin(), items.end()));
  }
  EXPECT_THAT(array<uint32_t>(layout_items_file(*served_, 0, kMaxZoom), "item"),
              testing::IsEmpty());
}

TEST_F(TilesTest, ValuesOfColumnsAreThoseOfTheItems) {
  const auto numbers = array<double>(column_values_file(served_->column("size")), "values");
  ASSERT_EQ(numbers.size(), kItems + 1);
  EXPECT_EQ(numbers[7], 7);
  const auto codes = array<uint32_t>(column_values_file(served_->column("theme")), "codes");
  EXPECT_EQ(served_->column("theme").categories[codes[0]], "chess");
}

}  // namespace
}  // namespace carya
