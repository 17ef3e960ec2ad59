#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"
#include "carya/graph/csr_graph.h"

namespace carya {

struct Eigenpairs {
  std::vector<double> values;  // [k], largest first
  Matrix<float> vectors;       // [n, k], orthonormal columns; the largest entry of each is positive
};

struct LanczosOptions {
  size_t n_pairs = 10;
  double tolerance = 1e-4;    // of the residual |A v - lambda v|, for |A| about 1
  size_t basis = 0;           // vectors kept, the memory is 4 n basis bytes; 0: 2 n_pairs + 20
  size_t max_restarts = 100;  // after them the pairs are returned as they are
  uint64_t seed = 0;          // of the start vector
  void validate(size_t n) const;
};

// The largest eigenvalues, with sign, of a symmetric operator: multiply(x, y) sets y = A x, both
// [n]. Lanczos with full reorthogonalisation and thick restarts (Wu & Simon 2000).  Float vectors,
// double sums; the result does not depend on the number of threads.  n_pairs <= n; up to n = 3
// basis it is exact up to rounding.  O(n basis^2) a restart beside the products.
Eigenpairs lanczos(
    size_t n, const std::function<void(std::span<const float> x, std::span<float> y)>& multiply,
    const LanczosOptions& options, Progress* progress = nullptr);

struct DiffusionOptions {
  size_t n_dims = 60;
  double time = 4;  // steps of the random walk: eigenvalue lambda counts as lambda^time
  uint64_t seed = 0;
};

// Diffusion coordinates of a graph's nodes [n, n_dims]: eigenvectors of the normalised adjacency
// D^-1/2 A D^-1/2 (Coifman & Lafon 2006) scaled by lambda^time, each row scaled to length 1 (Ng,
// Jordan & Weiss 2001).  Nodes are near if random walks of `time` steps from them meet.  A node
// without edges, or one that no coordinate reaches, has a row of zeros.  n_dims beyond n - 1 are
// zero.  Takes 4 n (2 n_dims + 20) bytes beside the graph.
Matrix<float> diffusion_coordinates(const CsrGraph& graph, const DiffusionOptions& options = {},
                                    Progress* progress = nullptr);

}  // namespace carya
