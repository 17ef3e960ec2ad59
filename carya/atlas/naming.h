#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/text/terms.h"
#include "carya/tree/node_tree.h"

namespace carya {

struct NodeName {
  std::string name;                   // the first keywords; "unnamed" if there are none
  std::vector<std::string> keywords;  // best first
  std::vector<uint32_t> exemplars;    // items, the most typical first
};

struct NamingOptions {
  size_t n_keywords = 8;
  size_t n_exemplars = 3;
  size_t n_name_words = 3;  // keywords in a name
};

// Names every node.  Keywords by class-based TF-IDF (Grootendorst 2022) on the share of a node's
// texts that have a term, against its share among the siblings: what is common here, rare beside it
// and rare in all.  No two keywords of a node share a stem, and no two siblings a name.  Exemplars
// are medoids: the items nearest to the mean vector, of different texts (terms).
// terms: of the items' texts; vectors [n, dim].  O(depth * (terms + n dim)).
std::vector<NodeName> name_nodes(const NodeTree& tree, const TermTable& terms,
                                 MatrixView<const float> vectors, const NamingOptions& options = {},
                                 Progress* progress = nullptr);

}  // namespace carya
