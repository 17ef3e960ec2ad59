#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "carya/core/progress.h"

namespace carya {

// One checked claim: what the paper says, what was measured here, and whether that passes.
struct ClaimRow {
  std::string metric, paper;
  double measured;
  std::string threshold;
  bool pass;
};

struct ClaimContext {
  std::filesystem::path data;   // the shared data folder
  std::filesystem::path cache;  // what scripts/get-data fetched is in cache/data
  bool quick;                   // smaller sizes where a claim allows it
  Progress* progress;           // may be null
};

// Each throws Error{kNotFound} when its data set is absent.
std::vector<ClaimRow> reproduce_015(const ClaimContext& context);  // HNSW
std::vector<ClaimRow> reproduce_076(const ClaimContext& context);  // HDBSCAN*
std::vector<ClaimRow> reproduce_110(const ClaimContext& context);  // curation
std::vector<ClaimRow> reproduce_121(const ClaimContext& context);  // windows of labels
std::vector<ClaimRow> reproduce_125(const ClaimContext& context);  // recall of HNSW
std::vector<ClaimRow> reproduce_162(const ClaimContext& context);  // SPANN
std::vector<ClaimRow> reproduce_173(const ClaimContext& context);  // product quantisation

}  // namespace carya
