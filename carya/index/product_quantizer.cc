#include "carya/index/product_quantizer.h"

#include <Eigen/Core>
#include <Eigen/SVD>
#include <algorithm>

#include "carya/core/parallel.h"
#include "carya/core/rng.h"
#include "carya/simd/code_scan.h"
#include "carya/simd/gemm.h"
#include "carya/simd/knn.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr size_t kPointsPerCentroid =
    256;                                // more do not make centroids better (faiss's choice, too)
constexpr size_t kRoundIterations = 6;  // of k-means within a round of the rotation

// `n` rows, chosen without regard to their order; all of them where there are fewer.
Matrix<float> sample(MatrixView<const float> points, size_t n, uint64_t seed) {
  if (points.rows() <= n) return Matrix<float>::copy(points);
  std::vector<uint32_t> rows(points.rows());
  for (uint32_t i = 0; i < rows.size(); ++i) rows[i] = i;
  Rng rng(seed, /*stream=*/0x5a11);
  for (size_t i = 0; i < n; ++i) std::swap(rows[i], rows[i + rng.below(rows.size() - i)]);
  rows.resize(n);
  std::ranges::sort(rows);
  return gather_rows(points, rows);
}

// Columns first .. first + count - 1, contiguous.
Matrix<float> columns(MatrixView<const float> points, size_t first, size_t count) {
  Matrix<float> part = Matrix<float>::uninitialized(points.rows(), count);
  for (size_t i = 0; i < points.rows(); ++i) {
    std::copy_n(points.row_data(i) + first, count, part.row_data(i));
  }
  return part;
}

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
Eigen::Map<const RowMajor> as_eigen(const Matrix<float>& m) {
  return {m.data(), static_cast<Eigen::Index>(m.rows()), static_cast<Eigen::Index>(m.cols())};
}

}  // namespace

void ProductQuantizerOptions::validate(size_t dim) const {
  require(bits == 4 || bits == 8, "codes have {} bits: 4 or 8", bits);
  require(n_parts >= 1 && n_parts <= kMaxParts, "codes have {} parts: 1 to {}", n_parts, kMaxParts);
  require(dim % n_parts == 0,
          "{} dimensions cannot be split into {} equal parts; choose a divisor of {}", dim, n_parts,
          dim);
}

ProductQuantizer::ProductQuantizer(size_t n_parts, Matrix<float> centroids)
    : n_parts_(n_parts), centroids_(std::move(centroids)) {
  CARYA_ASSERT(n_parts_ >= 1 && centroids_.rows() % n_parts_ == 0);
}

ProductQuantizer ProductQuantizer::train(MatrixView<const float> all_points,
                                         const ProductQuantizerOptions& options,
                                         Progress* progress) {
  options.validate(all_points.cols());
  const size_t n_centroids = size_t{1} << options.bits;
  require(all_points.rows() >= n_centroids,
          "{} points cannot give {} centroids: train on more, or use codes of 4 bits",
          all_points.rows(), n_centroids);
  const Matrix<float> points = sample(all_points, kPointsPerCentroid * n_centroids, options.seed);
  const size_t part_dim = points.cols() / options.n_parts;
  Matrix<float> centroids(options.n_parts * n_centroids, part_dim);
  for (size_t part = 0; part < options.n_parts; ++part) {
    const KMeansResult result = kmeans(columns(points, part * part_dim, part_dim),
                                       {.n_clusters = n_centroids,
                                        .n_iterations = options.n_iterations,
                                        .seed = options.seed + part},
                                       progress);
    std::ranges::copy(result.centroids.flat(), centroids.row_data(part * n_centroids));
  }
  return ProductQuantizer(options.n_parts, std::move(centroids));
}

Matrix<uint8_t> ProductQuantizer::encode(MatrixView<const float> points) const {
  require(points.cols() == dim(), "points have {} dimensions, the codes are for {}", points.cols(),
          dim());
  Matrix<uint8_t> numbers(points.rows(), n_parts_);
  for (size_t part = 0; part < n_parts_; ++part) {
    const Matrix<float> pieces = columns(points, part * part_dim(), part_dim());
    const Neighbors nearest = exact_knn(pieces, centroids(part), 1);
    for (size_t i = 0; i < points.rows(); ++i) {
      numbers(i, part) = static_cast<uint8_t>(nearest.ids(i, 0));
    }
  }
  return numbers;
}

Matrix<float> ProductQuantizer::decode(MatrixView<const uint8_t> numbers) const {
  Matrix<float> points(numbers.rows(), dim());
  for (size_t i = 0; i < numbers.rows(); ++i) {
    for (size_t part = 0; part < n_parts_; ++part) {
      std::ranges::copy(centroids(part).row(numbers(i, part)),
                        points.row_data(i) + part * part_dim());
    }
  }
  return points;
}

void ProductQuantizer::products(std::span<const float> x, std::span<float> products) const {
  const size_t d = part_dim();
  for (size_t row = 0; row < centroids_.rows(); ++row) {
    const float* const piece = x.data() + row / n_centroids() * d;
    const float* const centroid = centroids_.row_data(row);
    float sum = 0;
    for (size_t i = 0; i < d; ++i) sum += piece[i] * centroid[i];
    products[row] = sum;
  }
}

Matrix<float> optimized_rotation(MatrixView<const float> all_points,
                                 const ProductQuantizerOptions& options, size_t n_rounds,
                                 Progress* progress) {
  options.validate(all_points.cols());
  const size_t dim = all_points.cols();
  const Matrix<float> points =
      sample(all_points, kPointsPerCentroid * (size_t{1} << options.bits), options.seed);
  Matrix<float> rotation(dim, dim), rotated(points.rows(), dim);
  // From the principal axes, dealt out so that each part gets a like share of the variance.
  const RowMajor centred = as_eigen(points).rowwise() - as_eigen(points).colwise().mean();
  const Eigen::BDCSVD<Eigen::MatrixXf> axes(centred.transpose() * centred, Eigen::ComputeThinU);
  const size_t part_dim = dim / options.n_parts;
  for (size_t rank = 0; rank < dim; ++rank) {
    const size_t round = rank / options.n_parts, turn = rank % options.n_parts;
    const size_t part = round % 2 == 0 ? turn : options.n_parts - 1 - turn;
    for (size_t i = 0; i < dim; ++i) {
      rotation(part * part_dim + round, i) =
          axes.matrixU()(static_cast<Eigen::Index>(i), static_cast<Eigen::Index>(rank));
    }
  }
  ProductQuantizerOptions quick = options;
  quick.n_iterations = kRoundIterations;
  for (size_t round = 0; round < n_rounds; ++round) {
    gemm(points, PackedWeights::pack(rotation, WeightFormat::kF32), {}, rotated);
    const ProductQuantizer quantizer = ProductQuantizer::train(rotated, quick, progress);
    const Matrix<float> decoded = quantizer.decode(quantizer.encode(rotated));
    // The rotation R of least |X R^T - Y|: with X^T Y = U S V^T it is V U^T (Schoenemann 1966).
    const Eigen::MatrixXf product = as_eigen(points).transpose() * as_eigen(decoded);
    const Eigen::BDCSVD<Eigen::MatrixXf> svd(product, Eigen::ComputeThinU | Eigen::ComputeThinV);
    Eigen::Map<RowMajor>(rotation.data(), static_cast<Eigen::Index>(dim),
                         static_cast<Eigen::Index>(dim)) =
        svd.matrixV() * svd.matrixU().transpose();
  }
  return rotation;
}

}  // namespace carya
