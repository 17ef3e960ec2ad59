#include "carya/atlas/atlas_files.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "carya/core/error.h"
#include "carya/core/file.h"

namespace carya::atlas_files {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

struct Shape {
  uint64_t rows = 0, cols = 0;
};

// A Merge without padding.
struct StoredMerge {
  uint32_t left = 0, right = 0;
  double height = 0;
};

template <class T>
MatrixView<const T> matrix_in(const Container& file, std::string_view name) {
  const auto shape = file.value<Shape>("shape");
  const std::span<const T> values = file.array<T>(name);
  if (shape.cols != 0 && shape.rows > values.size() / shape.cols)
    file.fail("the shape does not fit");
  if (shape.rows * shape.cols != values.size()) file.fail("the shape does not fit");
  return {values.data(), shape.rows, shape.cols};
}

constexpr size_t kMaxDepth = 100;  // of the readable tree, which is walked by recursion

}  // namespace

fs::path folder_path(const fs::path& folder) {
  return folder.has_filename() ? folder : folder.parent_path();
}

void save_vectors(const fs::path& path, MatrixView<const float> vectors) {
  CARYA_ASSERT(vectors.is_contiguous());
  ContainerWriter out("vectors", kVersion);
  out.add_value("shape", Shape{vectors.rows(), vectors.cols()});
  out.add<float>("vectors", {vectors.data(), vectors.rows() * vectors.cols()});
  out.save(path);
}

MappedVectors open_vectors(const fs::path& path) {
  MappedVectors mapped{Container::open(path, "vectors", kVersion), {}};
  mapped.vectors = matrix_in<float>(mapped.file, "vectors");
  return mapped;
}

void save_neighbors(const fs::path& path, const Neighbors& neighbors) {
  ContainerWriter out("neighbors", kVersion);
  out.add_value("shape", Shape{neighbors.ids.rows(), neighbors.ids.cols()});
  out.add<uint32_t>("ids", neighbors.ids.flat());
  out.add<float>("distances", neighbors.distances.flat());
  out.save(path);
}

Neighbors open_neighbors(const fs::path& path) {
  const Container file = Container::open(path, "neighbors", kVersion);
  Neighbors neighbors{Matrix<uint32_t>::copy(matrix_in<uint32_t>(file, "ids")),
                      Matrix<float>::copy(matrix_in<float>(file, "distances"))};
  for (uint32_t id : neighbors.ids.flat()) {
    if (id >= neighbors.ids.rows() && id != kNoNeighbor)
      file.fail(fmt::format("neighbour {} is no item", id));
  }
  return neighbors;
}

void save_tree(const fs::path& path, const Organised& organised) {
  std::vector<StoredMerge> merges;
  for (const Merge& merge : organised.hierarchy.merges())
    merges.push_back({merge.left, merge.right, merge.height});
  ContainerWriter out("tree", kVersion);
  out.add<StoredMerge>("merges", merges);
  out.add<uint32_t>("parents", organised.tree.parents());
  out.add<uint32_t>("node_of_item", organised.tree.nodes_of_items());
  out.add<float>("strength", organised.strength);
  out.add<uint8_t>("is_outlier", organised.is_outlier);
  out.save(path);
}

Organised open_tree(const fs::path& path) {
  const Container file = Container::open(path, "tree", kVersion);
  const auto strength = file.array<float>("strength");
  const auto is_outlier = file.array<uint8_t>("is_outlier");
  const auto parents = file.array<uint32_t>("parents");
  const auto node_of_item = file.array<uint32_t>("node_of_item");
  const auto stored = file.array<StoredMerge>("merges");
  const size_t n = node_of_item.size();
  if (n == 0 || stored.size() != n - 1 || strength.size() != n || is_outlier.size() != n) {
    file.fail("its parts are of different sizes");
  }
  std::vector<Merge> merges;
  for (const StoredMerge& merge : stored) {
    if (merge.left >= n + merges.size() || merge.right >= n + merges.size())
      file.fail("a merge is out of order");
    const auto size = [&](uint32_t node) { return node < n ? 1 : merges[node - n].size; };
    merges.push_back({merge.left, merge.right, size(merge.left) + size(merge.right), merge.height});
  }
  try {
    Organised organised{
        Hierarchy(n, std::move(merges)),
        NodeTree({parents.begin(), parents.end()}, {node_of_item.begin(), node_of_item.end()}),
        {strength.begin(), strength.end()},
        {is_outlier.begin(), is_outlier.end()}};
    if (organised.tree.max_depth() > kMaxDepth) file.fail("its nodes are too deep");
    return organised;
  } catch (const Error& error) {
    file.fail(error.what());
  }
}

void save_names(const fs::path& path, std::span<const NodeName> names) {
  Json json = Json::array();
  for (const NodeName& name : names) {
    json.push_back(
        {{"name", name.name}, {"keywords", name.keywords}, {"exemplars", name.exemplars}});
  }
  write_file(path, json.dump(0) + "\n");
}

std::vector<NodeName> open_names(const fs::path& path, size_t n_nodes, size_t n_items) {
  std::vector<NodeName> names;
  try {
    for (const Json& json : Json::parse(read_file(path))) {
      names.push_back({json.at("name"), json.at("keywords"), json.at("exemplars")});
      for (uint32_t item : names.back().exemplars) {
        if (item >= n_items)
          throw Error(ErrorKind::kCorrupt,
                      fmt::format("{}: exemplar {} is no item", path.string(), item));
      }
    }
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: is damaged: {}", path.string(), error.what()));
  }
  if (names.size() != n_nodes) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: names {} nodes, the tree has {}",
                                                 path.string(), names.size(), n_nodes));
  }
  return names;
}

Json file_list(const fs::path& folder) {
  Json list = Json::object();
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == kManifest || name == kRun || name == kState) continue;
    const MappedFile file = MappedFile::open(entry.path());
    list[name] = {{"bytes", file.bytes().size()},
                  {"checksum", fmt::format("{:016x}", checksum(file.bytes()))}};
  }
  return list;
}

void check_files(const fs::path& folder, const Json& list) {
  if (!list.is_object()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: is damaged: it has no list of files",
                                                 (folder / kManifest).string()));
  }
  for (const auto& [name, expected] : list.items()) {
    // No way out of the folder, whatever the manifest says.
    if (fs::path(name).filename() != name) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: the manifest names the file '{}'", folder.string(), name));
    }
    const MappedFile file = MappedFile::open(folder / name);
    if (file.bytes().size() != expected.at("bytes").get<size_t>()) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format(
              "{}: has {} bytes instead of {}: it is truncated or was changed; build the atlas "
              "again",
              (folder / name).string(), file.bytes().size(), expected.at("bytes").get<size_t>()));
    }
    if (fmt::format("{:016x}", checksum(file.bytes())) !=
        expected.at("checksum").get<std::string>()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: is damaged (its checksum differs): build the atlas again",
                              (folder / name).string()));
    }
  }
}

}  // namespace carya::atlas_files
