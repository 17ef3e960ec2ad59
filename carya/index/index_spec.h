#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "carya/core/progress.h"
#include "carya/index/index.h"

namespace carya {

// Which index to build, as people type it: a type, then its parameters.
//
//   "hnsw"   "hnsw:m=32,ef_construction=400,codes=int4"   "ivf_pq:lists=1024,bits=8"
struct IndexSpec {
  std::string type = "hnsw";
  std::map<std::string, std::string, std::less<>> parameters = {};  // those named

  // Throws kInvalidArgument listing the types, or what is no name=value.
  static IndexSpec parse(std::string_view text);
  std::string text() const;
};

// The types with their parameters and what these are when not named: one line each, for help.
std::string index_types_help();

// What an index needs, before it is built; within a tenth or so for more than 10,000 vectors.
struct IndexEstimate {
  size_t build_bytes;  // of memory while it is built, beside the vectors that are given
  size_t file_bytes;
  size_t open_bytes;  // of memory once all of the opened file was read
};
// Throws kInvalidArgument as build_index() does.
IndexEstimate estimate_index(const IndexSpec& spec, Metric metric, size_t n, size_t dim);

// What an index is built from.
struct IndexInput {
  std::span<const ItemId> ids = {};  // [n], as for Index::add()
  MatrixView<const float> vectors = {};
  std::span<const double> labels = {};  // [n], of the type "window" and only of it
  // Where the index is to be saved.  A type that works in its file builds it there, atomically;
  // if the path is empty, in a file without a name.
  std::filesystem::path path = {};
};

// Builds and fills an index of any type, and saves it if there is a path.  Throws kInvalidArgument
// for a parameter that the type does not have (listing those it has), or a value that cannot be.
std::unique_ptr<Index> build_index(const IndexSpec& spec, Metric metric, const IndexInput& input,
                                   Progress* progress = nullptr);

// An empty one, to be added to: what an IndexFactory makes.  Not of the type "ivf_pq", which learns
// from vectors first (kInvalidArgument).
std::unique_ptr<Index> empty_index(const IndexSpec& spec, Metric metric, size_t dim);

// Seconds that build_index() will take about, from building it on two samples, a fortieth and a
// twentieth of the vectors.
double estimate_build_seconds(const IndexSpec& spec, Metric metric,
                              MatrixView<const float> vectors);

// Its type and parameters, "m" -> "16": what can be told of any index.
std::vector<std::pair<std::string, std::string>> index_facts(const Index& index);

}  // namespace carya
