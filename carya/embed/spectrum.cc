#include "carya/embed/spectrum.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

constexpr size_t kBlock =
    4096;  // entries of a vector summed at once: 16 kB, in L1, fixed for all threads

// The basis: row j is vector j, [basis + 1, n].
class Basis {
 public:
  Basis(size_t n, size_t n_vectors) : n_(n), vectors_(Matrix<float>::uninitialized(n_vectors, n)) {}
  std::span<float> operator[](size_t j) { return vectors_.row(j); }
  std::span<const float> operator[](size_t j) const { return vectors_.row(j); }

  // Products of x with vectors 0 .. count - 1.
  std::vector<double> dot(std::span<const float> x, size_t count) const {
    const size_t n_blocks = (n_ + kBlock - 1) / kBlock;
    Matrix<double> partial(n_blocks, count);
    parallel_for(0, n_, kBlock, [&](size_t first, size_t last) {
      double* out = partial.row_data(first / kBlock);
      for (size_t j = 0; j < count; ++j) {
        // Eight float chains of at most 512 terms each, then double: fast, and exact to 1e-6 |x|.
        const float* v = vectors_.row_data(j);
        float lanes[8] = {};
        size_t i = first;
        for (; i + 8 <= last; i += 8) {
          for (size_t l = 0; l < 8; ++l) lanes[l] += x[i + l] * v[i + l];
        }
        double sum = 0;
        for (float lane : lanes) sum += lane;
        for (; i < last; ++i) sum += x[i] * v[i];
        out[j] = sum;
      }
    });
    std::vector<double> sums(count, 0.0);
    for (size_t b = 0; b < n_blocks; ++b) {
      for (size_t j = 0; j < count; ++j) sums[j] += partial(b, j);
    }
    return sums;
  }

  // x -= sum_j c[j] vector j.
  void subtract(std::span<float> x, std::span<const double> c) const {
    parallel_for(0, n_, kBlock, [&](size_t first, size_t last) {
      for (size_t j = 0; j < c.size(); ++j) {
        const auto factor = static_cast<float>(c[j]);
        const float* v = vectors_.row_data(j);
        for (size_t i = first; i < last; ++i) x[i] -= factor * v[i];
      }
    });
  }

  // Vectors 0 .. kept - 1 become the combinations in the columns of c [m, kept].
  void rotate(const Eigen::MatrixXd& c) {
    const Eigen::MatrixXf factors = c.cast<float>();
    parallel_for(0, n_, kBlock, [&](size_t first, size_t last) {
      using Map = Eigen::Map<Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>,
                             0, Eigen::OuterStride<>>;
      const auto width = static_cast<Eigen::Index>(last - first);
      const Eigen::OuterStride<> stride(static_cast<Eigen::Index>(n_));
      Map from(vectors_.data() + first, c.rows(), width, stride);
      Map to(vectors_.data() + first, c.cols(), width, stride);
      to = (factors.transpose() * from).eval();
    });
  }

 private:
  size_t n_;
  Matrix<float> vectors_;
};

double norm(const Basis& basis, size_t j) {
  double sum = 0;
  for (float x : basis[j]) sum += static_cast<double>(x) * x;
  return std::sqrt(sum);
}

void scale(std::span<float> x, double factor) {
  for (float& value : x) value = static_cast<float>(value * factor);
}

void set_random(std::span<float> x, uint64_t seed, uint64_t stream) {
  Rng rng(seed, stream);
  for (float& value : x) value = static_cast<float>(rng.normal());
}

// Makes vector j orthogonal to those before it, twice (Kahan & Parlett: twice is enough), and
// returns the products taken out.
std::vector<double> orthogonalize(Basis& basis, size_t j) {
  std::vector<double> taken = basis.dot(basis[j], j);
  basis.subtract(basis[j], taken);
  const std::vector<double> rest = basis.dot(basis[j], j);
  basis.subtract(basis[j], rest);
  for (size_t i = 0; i < j; ++i) taken[i] += rest[i];
  return taken;
}

}  // namespace

void LanczosOptions::validate(size_t n) const {
  require(n_pairs >= 1 && n_pairs <= n, "n_pairs is {}, but a matrix of size {} has 1 to {} pairs",
          n_pairs, n, n);
  require(tolerance > 0, "tolerance is {}: it must be positive", tolerance);
  require(basis == 0 || basis > n_pairs, "basis is {}: it must be more than n_pairs ({}), or 0",
          basis, n_pairs);
}

Eigenpairs lanczos(size_t n,
                   const std::function<void(std::span<const float>, std::span<float>)>& multiply,
                   const LanczosOptions& options, Progress* progress) {
  options.validate(n);
  const size_t wanted = options.n_pairs;
  const size_t m = std::min(n, options.basis == 0 ? 2 * wanted + 20 : options.basis);
  Basis basis(n, m + 1);
  Eigen::MatrixXd projected =
      Eigen::MatrixXd::Zero(static_cast<Eigen::Index>(m), static_cast<Eigen::Index>(m));
  set_random(basis[0], options.seed, 0);
  scale(basis[0], 1 / norm(basis, 0));
  begin_stage(progress, "eigenvectors", 0, "restarts");
  size_t kept = 0;
  double residual_norm = 0;
  Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver;
  for (size_t restart = 0;; ++restart) {
    for (size_t j = kept; j < m; ++j) {
      multiply(basis[j], basis[j + 1]);
      const std::vector<double> products = orthogonalize(basis, j + 1);
      for (size_t i = 0; i <= j; ++i) {
        const auto row = static_cast<Eigen::Index>(i), column = static_cast<Eigen::Index>(j);
        projected(row, column) = projected(column, row) = products[i];
      }
      residual_norm = norm(basis, j + 1);
      if (residual_norm < 1e-6 && j + 1 < m) {  // an invariant subspace: go on with a new direction
        set_random(basis[j + 1], options.seed, restart * m + j + 1);
        orthogonalize(basis, j + 1);
        scale(basis[j + 1], 1 / norm(basis, j + 1));
        residual_norm = 0;
      } else if (residual_norm > 0) {
        scale(basis[j + 1], 1 / residual_norm);
      }
    }
    solver.compute(projected);  // eigenvalues rise
    const auto size = static_cast<Eigen::Index>(m);
    double worst = 0;
    for (size_t i = 0; i < wanted; ++i) {
      worst = std::max(
          worst, std::abs(residual_norm * solver.eigenvectors()(
                                              size - 1, size - 1 - static_cast<Eigen::Index>(i))));
    }
    advance(progress, 1);
    const bool done = worst <= options.tolerance || m == n || restart == options.max_restarts;
    kept = done ? wanted : std::min(wanted + (m - wanted) / 2, m - 1);
    const auto columns = static_cast<Eigen::Index>(kept);
    const Eigen::MatrixXd best = solver.eigenvectors().rightCols(columns).rowwise().reverse();
    const Eigen::VectorXd last_row = best.row(size - 1);
    basis.rotate(best);
    if (done) break;
    std::ranges::copy(basis[m], basis[kept].begin());
    projected.setZero();
    for (Eigen::Index i = 0; i < columns; ++i) projected(i, i) = solver.eigenvalues()(size - 1 - i);
    // Column `kept` of the projection, the products of the residual vector with the kept ones,
    // comes from orthogonalize() in the next round; it equals residual_norm * last_row.
  }
  Eigenpairs pairs{std::vector<double>(wanted), Matrix<float>::uninitialized(n, wanted)};
  for (size_t k = 0; k < wanted; ++k) {
    pairs.values[k] = solver.eigenvalues()(static_cast<Eigen::Index>(m - 1 - k));
    const std::span<const float> v = basis[k];
    const auto largest = std::ranges::max_element(v, {}, [](float x) { return std::abs(x); });
    const float sign = *largest < 0 ? -1.0f : 1.0f;
    for (size_t i = 0; i < n; ++i) pairs.vectors(i, k) = sign * v[i];
  }
  return pairs;
}

Matrix<float> diffusion_coordinates(const CsrGraph& graph, const DiffusionOptions& options,
                                    Progress* progress) {
  require(options.n_dims >= 1, "n_dims is 0: at least one coordinate is needed");
  require(options.time >= 0, "time is {}: a walk has no negative number of steps", options.time);
  const size_t n = graph.n_nodes();
  Matrix<float> coordinates(n, options.n_dims);
  if (n == 0) return coordinates;
  std::vector<float> inverse_root(n);
  for (size_t i = 0; i < n; ++i) {
    const double degree = graph.degree(i);
    inverse_root[i] = degree > 0 ? static_cast<float>(1 / std::sqrt(degree)) : 0.0f;
  }
  const auto multiply = [&](std::span<const float> x, std::span<float> y) {
    parallel_for(0, n, 1024, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) {
        const auto neighbors = graph.neighbors(i);
        const auto weights = graph.weights(i);
        float sum = 0;
        for (size_t j = 0; j < neighbors.size(); ++j) {
          sum += weights[j] * inverse_root[neighbors[j]] * x[neighbors[j]];
        }
        y[i] = inverse_root[i] * sum;
      }
    });
  };
  const size_t n_pairs = std::min(options.n_dims, n);
  const Eigenpairs pairs =
      lanczos(n, multiply, {.n_pairs = n_pairs, .tolerance = 1e-3, .seed = options.seed}, progress);
  parallel_for(0, n, 1024, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      if (inverse_root[i] == 0) continue;
      double squares = 0;
      for (size_t k = 0; k < n_pairs; ++k) {
        const double weight = std::pow(std::max(pairs.values[k], 0.0), options.time);
        coordinates(i, k) = static_cast<float>(weight * pairs.vectors(i, k));
        squares += static_cast<double>(coordinates(i, k)) * coordinates(i, k);
      }
      const double length = std::sqrt(squares);
      for (float& x : coordinates.row(i)) x = length > 0 ? static_cast<float>(x / length) : 0.0f;
    }
  });
  return coordinates;
}

}  // namespace carya
