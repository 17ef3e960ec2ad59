#pragma once

#include <atomic>
#include <mutex>

#include "carya/index/hnsw.h"
#include "carya/index/hnsw_search.h"
#include "carya/index/readers.h"

namespace carya {

// What threads meet at.
struct Hnsw::Shared {
  std::mutex writing;  // held by whoever changes or saves
  std::atomic<size_t> n_live = 0;
  Readers<HnswState, SearchScratch> readers;
  ScratchPool builders;
};

}  // namespace carya
