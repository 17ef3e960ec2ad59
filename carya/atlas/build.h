#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>

#include "carya/atlas/input.h"
#include "carya/atlas/organise.h"
#include "carya/atlas/representation.h"
#include "carya/core/progress.h"
#include "carya/io/record_reader.h"

namespace carya {

struct AtlasOptions {
  ReadOptions read = {};  // of the build_atlas() of a file; another input has its own
  EncoderOptions encoder = {};
  OrganiseOptions organise = {};
  size_t max_memory = 0;   // bytes; 0: no limit.  An estimate beyond it is an error before the work
  bool resume = true;      // go on from what an interrupted run of the same input and options left
  bool overwrite = false;  // replace an atlas that is there, once the new one is whole
  // Told what the user should know ("no sentence encoder ..."); may be empty.
  std::function<void(const std::string&)> notice = {};
};

// Turns an input (see input_format(); "-" is standard input) into an atlas folder: represent,
// organise, name, index, store.  Works in OUT.part beside it and renames that when all is whole, so
// an atlas is there or not; a stage that is complete is not repeated after an interruption
// (standard input cannot be read twice: such a run starts again).  The same input, options and
// machine give the same bytes in all files but run.json, whatever the number of threads. Throws
// kInvalidArgument (options; an input without items; OUT exists), kNotFound, kCorrupt, kIo,
// kCancelled.
void build_atlas(const std::filesystem::path& input, const std::filesystem::path& output,
                 const AtlasOptions& options, Progress* progress = nullptr);
// The same of any input: records and vectors that a program has (input.h).
void build_atlas(AtlasInput& input, const std::filesystem::path& output,
                 const AtlasOptions& options, Progress* progress = nullptr);

// Bytes that building needs at its peak, beside what the encoder's batches take.
size_t estimate_build_memory(size_t n_items, size_t dim);

}  // namespace carya
