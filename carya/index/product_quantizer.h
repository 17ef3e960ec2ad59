#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "carya/core/matrix.h"
#include "carya/core/progress.h"

namespace carya {

struct ProductQuantizerOptions {
  size_t n_parts = 16;       // divides the dim; <= kMaxParts of code_scan.h
  size_t bits = 8;           // of a number: 4 or 8
  size_t n_iterations = 25;  // of each k-means
  uint64_t seed = 0;
  void validate(size_t dim) const;  // throws kInvalidArgument
};

// Short codes for vectors: each of n_parts pieces of a vector is replaced by the number of the
// nearest of 2^bits centroids of such pieces (Jegou, Douze & Schmid 2011; card 173).  Immutable, so
// many threads may share it.
class ProductQuantizer {
 public:
  ProductQuantizer() = default;
  // points [n, dim], finite, n >= 2^bits; of more than 256 a centroid a sample is learnt from.
  // Throws kInvalidArgument.
  static ProductQuantizer train(MatrixView<const float> points,
                                const ProductQuantizerOptions& options,
                                Progress* progress = nullptr);
  // centroids [n_parts * n_centroids, dim / n_parts], part after part.
  ProductQuantizer(size_t n_parts, Matrix<float> centroids);

  size_t n_parts() const noexcept { return n_parts_; }
  size_t n_centroids() const noexcept { return n_parts_ == 0 ? 0 : centroids_.rows() / n_parts_; }
  size_t part_dim() const noexcept { return centroids_.cols(); }
  size_t dim() const noexcept { return n_parts_ * part_dim(); }
  // [n_centroids, part_dim]
  MatrixView<const float> centroids(size_t part) const {
    return centroids_.view().slice(part * n_centroids(), n_centroids());
  }
  MatrixView<const float> all_centroids() const noexcept { return centroids_; }
  // Numbers [n, n_parts], a byte each, of points [n, dim].
  Matrix<uint8_t> encode(MatrixView<const float> points) const;
  // The points that numbers stand for, [n, dim].
  Matrix<float> decode(MatrixView<const uint8_t> numbers) const;
  // products [n_parts, n_centroids] of x [dim] with the centroids, piece by piece.
  void products(std::span<const float> x, std::span<float> products) const;

 private:
  size_t n_parts_ = 0;
  Matrix<float> centroids_;
};

// A rotation [dim, dim] (row i is the new axis i) after which a product quantiser loses less:
// alternately codes and rotation are chosen (Ge et al. 2013, OPQ).  points as for train().
// O(n dim^2 + dim^3) a round.
Matrix<float> optimized_rotation(MatrixView<const float> points,
                                 const ProductQuantizerOptions& options, size_t n_rounds = 8,
                                 Progress* progress = nullptr);

}  // namespace carya
