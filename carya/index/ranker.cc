#include "carya/index/ranker.h"

#include <limits>

#include "carya/core/error.h"
#include "carya/simd/distance.h"

namespace carya {

Ranker::Ranker(const VectorStore& store, std::span<const float> query,
               MatrixView<const float> exact)
    : store_(store),
      floats_(query),
      exact_(exact),
      is_external_(!store.has_exact() && !exact.empty()),
      is_walked_(!is_external_ && &store.ranked() == &store.walked()),
      rows_(store.ranked().set()) {
  require(!is_external_ || exact.cols() == store.dim(),
          "the exact vectors have {} dims, the index {}", exact.cols(), store.dim());
  if (!is_external_) query_ = store.ranked().query(query);
}

void Ranker::distances(std::span<const uint32_t> slots, std::span<float> out) const {
  if (!is_external_) {
    rows_.distances(query_.bytes.data(), slots, out.data());
    if (!store_.has_exact()) {
      for (float& distance : out.first(slots.size())) distance *= query_.unit;
    }
    return;
  }
  for (size_t i = 0; i < slots.size(); ++i) {
    const ItemId id = store_.id(slots[i]);
    if (id >= exact_.rows()) {  // not the items of this index: they are found last
      out[i] = std::numeric_limits<float>::infinity();
      continue;
    }
    carya::distances(store_.metric(), floats_, exact_.slice(id, 1), out.subspan(i, 1));
    out[i] -= store_.shown(0);
  }
}

}  // namespace carya
