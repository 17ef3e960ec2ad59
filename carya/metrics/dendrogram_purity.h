#pragma once

#include <cstdint>
#include <span>

namespace carya {

constexpr uint32_t kNoParent = 0xffffffffu;

// How well a tree keeps classes together: draw two items of one class, go to their lowest common
// ancestor, and take the share of its items that are of that class; the mean over all such pairs,
// exactly.  1 if each class is a subtree, the mean share of an item's class for a star.
//
// classes [n]; parents [n_nodes]: nodes 0 .. n-1 are the items (leaves), the others inner nodes
// with any number of children, in any order; one node has kNoParent.  1 if no class has two items.
// O(n log n) by merging class counts from small to large.  Throws kInvalidArgument if `parents` is
// no such tree.  Heller & Ghahramani 2005; Kobren et al. 2017.
double dendrogram_purity(std::span<const uint32_t> parents, std::span<const int32_t> classes);

}  // namespace carya
