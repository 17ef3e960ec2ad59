#pragma once

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/index/recall_curve.h"

namespace carya::cli {

// The verbs below `carya index`; a verb's file is cli/index_NAME.cc, build and change are index.cc.
void add_index_search(CLI::App& index);
void add_index_tune(CLI::App& index);
void add_index_bench(CLI::App& index);

// What they share.

// Whole numbers of a file: one a line, .npy, .ivecs or HDF5.
std::vector<ItemId> ids_in(const std::string& path);
// [n]: of such a file; 0, 1, 2 ... if the name is empty.  Throws kInvalidArgument if the file has
// not n ids.
std::vector<ItemId> ids_for(const std::string& path, size_t n);
// By the name: whether carya can read vectors from it (else it should be an index).
bool names_vectors(const std::string& path);
std::string bytes_text(double bytes);      // "12.3 MB"
std::string seconds_text(double seconds);  // "3.2 s", "12 min"
nlohmann::json point_json(const RecallPoint& point);
// A point of a curve as columns below point_header().
std::string point_header();
std::string point_text(const RecallPoint& point);

}  // namespace carya::cli
