// add_to_atlas(): new items for an atlas, without building it again.
#include <algorithm>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "carya/atlas/atlas.h"
#include "carya/atlas/atlas_files.h"
#include "carya/atlas/folder_lock.h"
#include "carya/atlas/input.h"
#include "carya/atlas/representation.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/index/hnsw.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
namespace files = atlas_files;
using Json = nlohmann::json;

constexpr size_t kVoters = 15;  // nearest items that decide where a new one hangs

// A folder that is removed unless it was moved away.
struct TemporaryFolder {
  explicit TemporaryFolder(fs::path folder) : path(std::move(folder)) {
    std::error_code error;
    fs::remove_all(path, error);
    fs::create_directory(path, error);
    if (error)
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: cannot make the folder: {}", path.string(), error.message()));
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  fs::path path;
};

void copy_whole(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::copy_file(from, to, error);
  if (error) {
    throw Error(ErrorKind::kIo, fmt::format("{}: cannot copy to {}: {}", from.string(), to.string(),
                                            error.message()));
  }
}

// As a link where the file system can, for files that never change.
void share_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::create_hard_link(from, to, error);
  if (error) copy_whole(from, to);
}

// The hierarchy with new items, each merged at height 0 with the old item that it is nearest to.
Hierarchy with_new_items(const Hierarchy& old, std::span<const uint32_t> nearest_old) {
  const auto n_old = static_cast<uint32_t>(old.n_items());
  const auto n = static_cast<uint32_t>(n_old + nearest_old.size());
  std::vector<Merge> merges;
  merges.reserve(n - 1);
  std::vector<uint32_t> node_of(n_old);  // of an old item, with the new ones at it
  std::iota(node_of.begin(), node_of.end(), 0u);
  const auto size_of = [&](uint32_t node) { return node < n ? 1 : merges[node - n].size; };
  const auto merge = [&](uint32_t a, uint32_t b, double height) {
    merges.push_back({std::min(a, b), std::max(a, b), size_of(a) + size_of(b), height});
    return static_cast<uint32_t>(n + merges.size() - 1);
  };
  for (uint32_t i = 0; i < nearest_old.size(); ++i) {
    uint32_t& node = node_of[nearest_old[i]];
    node = merge(node, n_old + i, 0);
  }
  for (const Merge& m : old.merges())
    node_of.push_back(merge(node_of[m.left], node_of[m.right], m.height));
  return Hierarchy(n, std::move(merges));
}

Matrix<float> append_rows(MatrixView<const float> a, MatrixView<const float> b) {
  auto both = Matrix<float>::uninitialized(a.rows() + b.rows(), a.cols());
  for (size_t i = 0; i < a.rows(); ++i) std::ranges::copy(a.row(i), both.row_data(i));
  for (size_t i = 0; i < b.rows(); ++i) std::ranges::copy(b.row(i), both.row_data(a.rows() + i));
  return both;
}

// What the nearest items say of a new one.
struct Place {
  uint32_t node, nearest;
  float strength;
  uint8_t is_outlier;
};

Place place(const Organised& organised, std::span<const Hit> nearest, float reach) {
  std::map<uint32_t, double> votes;
  std::vector<float> strengths;
  double weight = 1;
  for (const Hit& hit : nearest) {
    const auto item = static_cast<uint32_t>(hit.id);
    votes[organised.tree.node_of(item)] += weight;
    strengths.push_back(organised.strength[item]);
    weight *= 0.9;
  }
  const uint32_t node =
      std::ranges::max_element(votes, {}, [](const auto& v) { return v.second; })->first;
  std::ranges::sort(strengths);
  const float distance = nearest.front().distance;
  return {node, static_cast<uint32_t>(nearest.front().id), strengths[strengths.size() / 2],
          static_cast<uint8_t>(distance > reach)};
}

// Beyond this squared distance to its nearest item hardly any old item is: 99 % are nearer.
float usual_reach(const Neighbors& neighbors) {
  std::vector<float> nearest;
  for (size_t i = 0; i < neighbors.distances.rows() && neighbors.distances.cols() > 0; ++i) {
    nearest.push_back(neighbors.distances(i, 0));
  }
  if (nearest.empty()) return 0;
  const auto at =
      nearest.begin() + static_cast<ptrdiff_t>(static_cast<double>(nearest.size()) * 0.99);
  std::nth_element(nearest.begin(), at, nearest.end());
  return *at;
}

}  // namespace

size_t add_to_atlas(const fs::path& atlas, AtlasInput& input, Progress* progress) {
  const fs::path folder = files::folder_path(atlas);
  const FolderLock lock(folder);
  Json manifest;
  size_t n_old = 0;
  {
    const Atlas checked = Atlas::open(folder);  // every file is whole
    n_old = checked.n_items();
    manifest = Json::parse(read_file(folder / files::kManifest));
  }
  const TemporaryFolder next(folder.string() + ".add");
  for (const auto& [name, unused] : manifest.at("files").items()) {
    const bool changes = name == files::kItems || name == files::kVectors ||
                         name == files::kNeighbors || name == files::kTree || name == files::kIndex;
    if (changes) continue;
    share_file(folder / name, next.path / name);
  }
  if (fs::exists(folder / files::kRun)) copy_whole(folder / files::kRun, next.path / files::kRun);

  copy_whole(folder / files::kItems, next.path / files::kItems);
  Matrix<float> added;
  size_t n_new = 0;
  const bool has_texts = fs::exists(folder / files::kRepresentation);
  {
    ItemStore items = ItemStore::open_for_adding(next.path / files::kItems);
    if (has_texts) {
      require(!input.holds_vectors(), "{}: holds vectors, the atlas texts", input.name());
      const auto records = input.open_records();
      n_new = items.append(*records, progress);
      if (n_new == 0) return 0;
      const Representation representation = Representation::open(folder);
      const std::vector<std::string> texts = items.texts(n_old, n_new);
      added = Matrix<float>(n_new, representation.dim());
      begin_stage(progress, "encoding", n_new, "texts");
      representation.encode(texts, added, progress);
    } else {
      require(input.holds_vectors(), "{}: holds texts, the atlas vectors", input.name());
      Matrix<float> memory;
      added = Matrix<float>::copy(input.open_vectors(memory));
      require_finite(added, "vector");
      n_new = added.rows();
      if (n_new == 0) return 0;
      items.append_empty_texts(n_new);
    }
  }
  const files::MappedVectors old = files::open_vectors(folder / files::kVectors);
  require(added.cols() == old.vectors.cols(), "{}: has vectors of {} dims, the atlas of {}",
          input.name(), added.cols(), old.vectors.cols());
  const Organised organised = files::open_tree(folder / files::kTree);
  const Neighbors neighbors = files::open_neighbors(folder / files::kNeighbors);
  Hnsw index = Hnsw::open(folder / files::kIndex);

  const float reach = usual_reach(neighbors);
  const size_t k = neighbors.ids.cols();
  std::vector<uint32_t> nodes(organised.tree.nodes_of_items().begin(),
                              organised.tree.nodes_of_items().end());
  std::vector<float> strength = organised.strength;
  std::vector<uint8_t> is_outlier = organised.is_outlier;
  std::vector<uint32_t> nearest_old;
  Neighbors all{Matrix<uint32_t>(n_old + n_new, k), Matrix<float>(n_old + n_new, k)};
  std::ranges::copy(neighbors.ids.flat(), all.ids.data());
  std::ranges::copy(neighbors.distances.flat(), all.distances.data());
  for (size_t i = 0; i < n_new; ++i) {
    const std::vector<Hit> hits =
        index.search(added.row(i), {.k = std::max(k, kVoters), .exact = old.vectors});
    const Place where =
        place(organised, std::span(hits).first(std::min(kVoters, hits.size())), reach);
    nodes.push_back(where.node);
    nearest_old.push_back(where.nearest);
    strength.push_back(where.strength);
    is_outlier.push_back(where.is_outlier);
    for (size_t j = 0; j < k; ++j) {
      const bool found = j < hits.size();
      all.ids(n_old + i, j) = found ? static_cast<uint32_t>(hits[j].id) : kNoNeighbor;
      all.distances(n_old + i, j) =
          found ? hits[j].distance : std::numeric_limits<float>::infinity();
    }
  }
  std::vector<ItemId> ids(n_new);
  std::iota(ids.begin(), ids.end(), ItemId{n_old});
  index.add(ids, added, progress);
  index.save(next.path / files::kIndex);
  files::save_vectors(next.path / files::kVectors, append_rows(old.vectors, added));
  files::save_neighbors(next.path / files::kNeighbors, all);
  files::save_tree(next.path / files::kTree,
                   {with_new_items(organised.hierarchy, nearest_old),
                    NodeTree({organised.tree.parents().begin(), organised.tree.parents().end()},
                             std::move(nodes)),
                    std::move(strength), std::move(is_outlier)});
  manifest["n_items"] = n_old + n_new;
  manifest["files"] = files::file_list(next.path);
  write_file(next.path / files::kManifest, manifest.dump(1) + "\n");
  replace_folder(next.path, folder);
  return n_new;
}

size_t add_to_atlas(const fs::path& atlas, const fs::path& input, const ReadOptions& options,
                    Progress* progress) {
  return add_to_atlas(atlas, *file_input(input, options), progress);
}

}  // namespace carya
