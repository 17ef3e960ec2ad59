#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <vector>

#include "carya/atlas/naming.h"
#include "carya/atlas/organise.h"
#include "carya/core/container.h"
#include "carya/core/matrix.h"
#include "carya/simd/knn.h"

namespace carya {

// The files of an atlas folder: what is in them is defined here and in docs/atlas.md only.
namespace atlas_files {

constexpr uint32_t kVersion = 1;
constexpr const char* kManifest = "manifest.json";
constexpr const char* kItems = "items.sqlite";
constexpr const char* kVectors = "vectors.bin";
constexpr const char* kNeighbors = "neighbors.bin";
constexpr const char* kTree = "tree.bin";
constexpr const char* kNames = "names.json";
constexpr const char* kIndex = "index.bin";
constexpr const char* kRun = "run.json";
constexpr const char* kRepresentation = "representation.json";  // where there are texts
constexpr const char* kState = "state.json";                    // while it is built

// "a.atlas" for "a.atlas/", so that names can be made of it.
std::filesystem::path folder_path(const std::filesystem::path& folder);

void save_vectors(const std::filesystem::path& path, MatrixView<const float> vectors);
// Vectors that lie in the mapped file.
struct MappedVectors {
  Container file;
  MatrixView<const float> vectors;
};
MappedVectors open_vectors(const std::filesystem::path& path);

void save_neighbors(const std::filesystem::path& path, const Neighbors& neighbors);
Neighbors open_neighbors(
    const std::filesystem::path& path);  // ids are within the rows, or kNoNeighbor

void save_tree(const std::filesystem::path& path, const Organised& organised);
Organised open_tree(const std::filesystem::path& path);

void save_names(const std::filesystem::path& path, std::span<const NodeName> names);
// Throws kCorrupt unless there are n_nodes names with exemplars below n_items.
std::vector<NodeName> open_names(const std::filesystem::path& path, size_t n_nodes, size_t n_items);

// {file: {bytes, checksum}} of all files in a folder but the manifest and run.json, and the check
// of it, which throws kCorrupt naming the first file that is missing or differs.
nlohmann::json file_list(const std::filesystem::path& folder);
void check_files(const std::filesystem::path& folder, const nlohmann::json& list);

}  // namespace atlas_files
}  // namespace carya
