#include "carya/atlas/atlas.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <unordered_map>
#include <utility>

#include "carya/atlas/atlas_files.h"
#include "carya/atlas/representation.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/index/filter.h"
#include "carya/index/index.h"
#include "carya/metrics/clustering.h"
#include "carya/metrics/dendrogram_purity.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
namespace files = atlas_files;
using Json = nlohmann::json;

constexpr size_t kMaxHits = 10'000;
constexpr double kFusionOffset = 60;  // Cormack, Clarke & Buettcher 2009: ranks beyond count little
constexpr size_t kFusionDepth = 100;  // hits of each mode that are fused, at least

Json read_manifest(const fs::path& folder) {
  if (!fs::exists(folder / files::kManifest)) {
    const bool is_partial = fs::exists(folder.string() + ".part");
    throw Error(
        ErrorKind::kNotFound,
        fmt::format("{}: there is no atlas{}", folder.string(),
                    is_partial
                        ? " yet: its building was interrupted; run `carya atlas` again to go on"
                        : "; `carya atlas INPUT -o ATLAS` makes one"));
  }
  const fs::path path = folder / files::kManifest;
  Json manifest = Json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!manifest.is_object() || manifest.value("format", Json()) != "carya-atlas") {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: is damaged, or no manifest of an atlas", path.string()));
  }
  if (manifest.value("version", Json()) != files::kVersion) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: the atlas has version {}, this program reads version {}: build it again",
                    path.string(), manifest.value("version", Json()).dump(), files::kVersion));
  }
  return manifest;
}

// run.json has no checksum and is of no importance: what cannot be read in it is left out.
std::vector<AtlasInfo::Stage> stages_of_run(const fs::path& path) {
  std::vector<AtlasInfo::Stage> stages;
  if (!fs::exists(path)) return stages;
  try {
    const Json run = Json::parse(read_file(path));
    for (const Json& stage : run.at("stages")) {
      stages.push_back({stage.at("stage"), stage.at("seconds"), stage.at("peak_bytes")});
    }
  } catch (const Json::exception&) {
    stages.clear();
  }
  return stages;
}

// Classes 0, 1, ... of a column's values, by their first item.
std::vector<int32_t> classes_of(const std::vector<Value>& values) {
  std::map<Value, int32_t> numbers;
  std::vector<int32_t> classes;
  for (const Value& value : values) {
    classes.push_back(numbers.emplace(value, static_cast<int32_t>(numbers.size())).first->second);
  }
  return classes;
}

}  // namespace

struct Atlas::State {
  fs::path folder;
  Json manifest;
  ItemStore items;
  Organised organised;
  std::vector<NodeName> names;
  files::MappedVectors vectors;
  std::unique_ptr<Index> index;
  mutable std::mutex representation_mutex = {};  // guards the pointer, not what it points to
  mutable std::unique_ptr<Representation> representation =
      nullptr;  // at the first search by meaning

  std::optional<BitmapFilter> filter(const AtlasSearchOptions& options) const {
    if (options.where.empty() && !options.node) return std::nullopt;
    std::vector<bool> accepted(items.size(), options.where.empty());
    if (!options.where.empty()) {
      for (uint32_t item : items.where(options.where)) accepted.at(item) = true;
    }
    if (options.node) {
      std::vector<bool> below(items.size(), false);
      for (uint32_t item : organised.tree.items(*options.node)) below[item] = true;
      for (size_t i = 0; i < accepted.size(); ++i) accepted[i] = accepted[i] && below[i];
    }
    return BitmapFilter(std::move(accepted));
  }

  std::vector<Hit> vector_hits(std::string_view query, size_t k, const Filter* filter) const {
    if (!has_texts()) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("{}: holds vectors without texts, so no text can be searched; `carya show` "
                      "gives an item's neighbours",
                      folder.string()));
    }
    const std::string text(query);
    const Representation& encoder = open_representation();
    std::vector<float> vector(encoder.dim());
    encoder.encode(std::span(&text, 1), MatrixView<float>(vector.data(), 1, vector.size()));
    return index_hits(vector, {.k = k, .filter = filter});
  }

  bool has_texts() const { return fs::exists(folder / files::kRepresentation); }

  const Representation& open_representation() const {
    const std::lock_guard lock(representation_mutex);
    if (!representation)
      representation = std::make_unique<Representation>(Representation::open(folder));
    return *representation;
  }

  std::vector<Hit> index_hits(std::span<const float> vector, const SearchOptions& options) const {
    SearchOptions exact = options;
    exact.exact = vectors.vectors;
    std::vector<Hit> hits = index->search(vector, exact);
    for (const Hit& hit : hits) {
      if (hit.id >= items.size()) {
        throw Error(ErrorKind::kCorrupt,
                    fmt::format("{}: knows an item {}, but there are {}",
                                (folder / files::kIndex).string(), hit.id, items.size()));
      }
    }
    return hits;
  }
};

void AtlasSearchOptions::validate() const {
  require(k >= 1, "-k is 0: ask for at least one hit");
  require(k <= kMaxHits, "-k is {}: at most {} hits are given; `carya export` lists all items", k,
          kMaxHits);
}

Atlas::Atlas() = default;
Atlas::~Atlas() = default;
Atlas::Atlas(Atlas&&) noexcept = default;
Atlas& Atlas::operator=(Atlas&&) noexcept = default;

Atlas Atlas::open(const fs::path& path) {
  const fs::path folder = files::folder_path(path);
  Json manifest = read_manifest(folder);
  try {
    files::check_files(folder, manifest.at("files"));
    Organised organised = files::open_tree(folder / files::kTree);
    const size_t n = organised.tree.n_items();
    std::vector<NodeName> names =
        files::open_names(folder / files::kNames, organised.tree.n_nodes(), n);
    for (uint32_t node = 0; node < names.size(); ++node) {
      for (const uint32_t item : names[node].exemplars) {
        if (!organised.tree.is_below(organised.tree.node_of(item), node)) {
          throw Error(ErrorKind::kCorrupt,
                      fmt::format("{}: exemplar {} is not in topic {}: these are the names of "
                                  "another tree; build the atlas again",
                                  (folder / files::kNames).string(), item, node));
        }
      }
    }
    Atlas atlas;
    atlas.state_.reset(new State{folder, std::move(manifest),
                                 ItemStore::open(folder / files::kItems), std::move(organised),
                                 std::move(names), files::open_vectors(folder / files::kVectors),
                                 open_index(folder / files::kIndex)});
    const State& state = *atlas.state_;
    if (state.items.size() != n || state.vectors.vectors.rows() != n || state.index->size() != n ||
        state.index->dim() != state.vectors.vectors.cols() ||
        state.index->metric() != Metric::kSquaredL2 ||
        state.manifest.at("n_items").get<size_t>() != n) {
      throw Error(
          ErrorKind::kCorrupt,
          fmt::format("{}: its files do not fit together: build the atlas again", folder.string()));
    }
    return atlas;
  } catch (const Json::exception& error) {
    throw Error(
        ErrorKind::kCorrupt,
        fmt::format("{}: is damaged: {}", (folder / files::kManifest).string(), error.what()));
  }
}

size_t Atlas::n_items() const noexcept { return state_->organised.tree.n_items(); }
const ItemStore& Atlas::items() const noexcept { return state_->items; }
const NodeTree& Atlas::tree() const noexcept { return state_->organised.tree; }
const Hierarchy& Atlas::hierarchy() const noexcept { return state_->organised.hierarchy; }
const NodeName& Atlas::name(uint32_t node) const {
  require(node < tree().n_nodes(), "there is no node {}: they are 0 to {}", node,
          tree().n_nodes() - 1);
  return state_->names[node];
}
float Atlas::strength(uint32_t item) const { return state_->organised.strength.at(item); }
bool Atlas::is_outlier(uint32_t item) const { return state_->organised.is_outlier.at(item) != 0; }

MatrixView<const float> Atlas::vectors() const noexcept { return state_->vectors.vectors; }

AtlasInfo Atlas::info() const {
  const auto text = [&](const char* key) {
    const Json value = state_->manifest.value(key, Json());
    return value.is_string() ? value.get<std::string>() : std::string();
  };
  return {
      n_items(),           state_->vectors.vectors.cols(),
      tree().n_nodes(),    tree().n_leaves(),
      tree().max_depth(),  static_cast<size_t>(std::ranges::count(state_->organised.is_outlier, 1)),
      text("encoder"),     text("method"),
      state_->has_texts(), stages_of_run(state_->folder / files::kRun)};
}

std::vector<AtlasHit> Atlas::search(std::string_view query,
                                    const AtlasSearchOptions& options) const {
  options.validate();
  require(query.find_first_not_of(" \t\r\n") != std::string_view::npos,
          "the query is empty: say what to look for");
  if (options.node) name(*options.node);
  const std::optional<BitmapFilter> filter = state_->filter(options);
  if (filter && filter->n_accepted() == 0) return {};
  const size_t depth =
      options.mode == SearchMode::kHybrid ? std::max(options.k, kFusionDepth) : options.k;
  std::vector<Hit> near;
  if (options.mode != SearchMode::kLexical) {
    near = state_->vector_hits(query, depth, filter ? &*filter : nullptr);
  }
  std::vector<LexicalHit> matching;
  if (options.mode != SearchMode::kVector) {
    std::function<bool(uint32_t)> accepts;
    if (filter) accepts = [&](uint32_t item) { return filter->accepts(item); };
    matching = state_->items.search(query, depth, accepts);
  }
  for (const LexicalHit& hit : matching) {
    if (hit.item >= n_items()) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: the index of words knows an item {}",
                              (state_->folder / files::kItems).string(), hit.item));
    }
  }
  // The vectors have length 1: |a - b|^2 = 2 - 2 cos.
  const auto cosine = [](float squared) { return 1.0 - squared / 2.0; };
  std::unordered_map<uint32_t, AtlasHit> fused;
  const auto at = [&](uint32_t item) -> AtlasHit& {
    return fused.try_emplace(item, AtlasHit{item, 0, std::nullopt}).first->second;
  };
  const bool is_hybrid = options.mode == SearchMode::kHybrid;
  for (size_t rank = 0; rank < near.size(); ++rank) {
    AtlasHit& hit = at(static_cast<uint32_t>(near[rank].id));
    hit.similarity = cosine(near[rank].distance);
    hit.score += is_hybrid ? 1 / (kFusionOffset + static_cast<double>(rank) + 1) : *hit.similarity;
  }
  for (size_t rank = 0; rank < matching.size(); ++rank) {
    at(matching[rank].item).score +=
        is_hybrid ? 1 / (kFusionOffset + static_cast<double>(rank) + 1) : matching[rank].score;
  }
  std::vector<AtlasHit> hits;
  for (const auto& [item, hit] : fused) hits.push_back(hit);
  std::ranges::sort(hits, [](const AtlasHit& a, const AtlasHit& b) {
    return a.score != b.score ? a.score > b.score : a.item < b.item;
  });
  if (hits.size() > options.k) hits.resize(options.k);
  return hits;
}

std::vector<Neighbor> Atlas::neighbors(uint32_t item, size_t k) const {
  require(item < n_items(), "there is no item number {}: they are 0 to {}", item, n_items() - 1);
  AtlasSearchOptions{.k = k}.validate();
  std::vector<Neighbor> result;
  for (const Hit& hit : state_->index_hits(state_->vectors.vectors.row(item), {.k = k + 1})) {
    if (hit.id != item && result.size() < k) {
      result.push_back({static_cast<uint32_t>(hit.id), std::sqrt(std::max(hit.distance, 0.0f))});
    }
  }
  return result;
}

Matrix<uint32_t> Atlas::neighbor_lists() const {
  return files::open_neighbors(state_->folder / files::kNeighbors).ids;
}

DiskLayout Atlas::layout() const {
  const Organised& organised = state_->organised;
  return layout_disk(organised.tree, state_->vectors.vectors, neighbor_lists(), organised.strength,
                     organised.is_outlier);
}

AtlasEvaluation Atlas::evaluate(std::string_view column) const {
  const std::vector<int32_t> classes = classes_of(items().values(column));
  const size_t n = n_items();
  // All numbers of clusters that people would cut into, then steps of 5 %.
  std::vector<size_t> cuts;
  for (size_t k = 1; k <= std::min<size_t>(n, 4096); k = std::max(k + 1, k + k / 20))
    cuts.push_back(k);
  std::vector<double> ami(cuts.size());
  parallel_for(0, cuts.size(), 1, [&](size_t i, size_t) {
    ami[i] = adjusted_mutual_information(hierarchy().cut_into(cuts[i]), classes);
  });
  const auto best = static_cast<size_t>(std::ranges::max_element(ami) - ami.begin());
  AtlasEvaluation result{};
  result.ami = ami[best];
  result.cut_nodes = cuts[best];
  result.purity = purity(hierarchy().cut_into(cuts[best]), classes);
  result.dendrogram_purity = dendrogram_purity(hierarchy().parents(), classes);
  const size_t at_root = tree().n_nodes() == 1 ? 0 : tree().own_items(NodeTree::kRoot).size();
  result.placed = 1 - static_cast<double>(at_root) / static_cast<double>(n);
  return result;
}

uint32_t Atlas::find(std::string_view id) const {
  if (const auto item = items().find(id)) return *item;
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("there is no item '{}'; `carya search` finds items and shows their ids", id));
}

}  // namespace carya
