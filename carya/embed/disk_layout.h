#pragma once

#include <complex>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/tree/node_tree.h"

namespace carya {

// A point of the hyperbolic plane in polar coordinates. Unlike x and y in the Poincare disk, which
// come within rounding of its rim at distance 37 (17 in float), they keep their precision.
struct DiskPoint {
  double angle = 0;     // radians
  double distance = 0;  // hyperbolic, from the origin, >= 0
};
// x + iy in the open unit disk; its length is tanh(distance / 2).
std::complex<double> to_poincare(const DiskPoint& point);
double hyperbolic_distance(const DiskPoint& a, const DiskPoint& b);

// z -> (a z + b) / (conj(b) z + conj(a)) with |a|^2 - |b|^2 = 1: a motion of the hyperbolic plane
// that keeps its orientation. m * n moves by n first.
class DiskMotion {
 public:
  DiskMotion() = default;  // rests
  // Takes the origin to `point`, and the direction of angle 0 away from the origin.
  static DiskMotion to(const DiskPoint& point);
  DiskMotion inverse() const;
  DiskMotion operator*(const DiskMotion& other) const;
  DiskPoint origin() const;  // where it takes the origin

 private:
  DiskMotion(std::complex<double> a, std::complex<double> b) : a_(a), b_(b) {}
  std::complex<double> a_ = 1, b_ = 0;
};

// Places of a tree's nodes and items, each in the frame of what it hangs at, so that they are exact
// at any depth. A node's frame has the node at the origin and its parent straight behind (at angle
// pi).
struct DiskLayout {
  std::vector<DiskPoint> node_in_parent;  // [n_nodes]; the root is at its own origin
  std::vector<double> half_arc;     // [n_nodes] of the sky that is the node's, seen from its parent
  std::vector<double> item_radius;  // [n_nodes] of the disk around a node that its own items fill
  std::vector<DiskPoint> item_in_node;  // [n_items]
};

// The combinatorial construction of Sarkar (2011; card 014) for a tree that is to be looked at. A
// node shares out the sky ahead of it (the root all of it, others 45 degrees to each side or more)
// among its children by the square roots of their sizes, so that areas go with sizes. A child
// stands so far away that its share fills its own sky in turn. What is below a node stays between
// the rays from its parent to the ends of its arc, so subtrees never overlap.
//
// Siblings: along the shortest path through their mean vectors (nearest neighbour, then 2-opt) that
// begins and ends beside those of the adjacent branches, so that neighbours on the rim are near in
// meaning. Own items: in a disk around their node that meets no other node's; by falling
// strength from the middle outwards, outliers last; around it in the order of the two slow modes of
// a walk on their neighbour lists, turned so that what is near an adjacent branch is on its side.
//
// vectors [n_items, dim] and neighbors [n_items, k] (kNoNeighbor allowed); strength [n_items], a
// NaN counts as 0; is_outlier [n_items]. Throws kInvalidArgument if they do not fit the tree. O(n
// (dim + k) + n log n) time and, for c siblings, c^2 dim; 4 n_nodes dim + 8 c^2 bytes beside the
// result. The same for every number of threads.
DiskLayout layout_disk(const NodeTree& tree, MatrixView<const float> vectors,
                       MatrixView<const uint32_t> neighbors, std::span<const float> strength,
                       std::span<const uint8_t> is_outlier);

// The layout as one sees it from a node, with that node's frame.
struct DiskView {
  std::vector<DiskPoint> nodes;  // [n_nodes]
  std::vector<DiskPoint> items;  // [n_items]
};
// O(n_nodes + n_items). Throws kInvalidArgument if there is no node `focus`, or the layout is of
// another tree.
DiskView view_from(const DiskLayout& layout, const NodeTree& tree,
                   uint32_t focus = NodeTree::kRoot);

// How many of the points share x and y as floats with another one: what a float renderer cannot
// tell apart. From a focus nearer to them it can. O(n log n).
size_t count_coincident(std::span<const DiskPoint> points);

}  // namespace carya
