// Automatic data curation (Vo et al. 2024), card 110: samples of hierarchical k-means with
// resampling are nearer to uniform over the data's support than those of plain k-means, and those
// than random.
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <map>
#include <numbers>
#include <set>

#include "carya/core/rng.h"
#include "carya/io/vectors.h"
#include "carya/tree/balanced_sample.h"
#include "carya/tree/kmeans.h"
#include "carya/tree/kmeans_tree.h"
#include "reproduce/claims.h"

namespace carya {
namespace {

constexpr size_t kSampleSize = 1000;

std::vector<uint32_t> random_sample(size_t n, uint64_t seed) {
  std::vector<uint32_t> items(n);
  for (uint32_t i = 0; i < n; ++i) items[i] = i;
  Rng rng(seed, /*stream=*/99);
  for (size_t i = 0; i < kSampleSize; ++i) std::swap(items[i], items[i + rng.below(n - i)]);
  items.resize(kSampleSize);
  return items;
}

struct Rings {
  Matrix<float> points;
  size_t small_begin = 0, small_end = 0;  // the ring of 200
};

Rings five_rings(uint64_t seed) {
  constexpr size_t kSizes[] = {20000, 200, 1000, 500, 8000};
  Rings rings{Matrix<float>(29700, 2)};
  Rng rng(seed);
  size_t i = 0;
  for (size_t ring = 0; ring < 5; ++ring) {
    if (ring == 1) rings.small_begin = i;
    for (size_t count = 0; count < kSizes[ring]; ++count, ++i) {
      const double radius = 1 + 0.1 * rng.normal();
      const double angle = 2 * std::numbers::pi * rng.uniform();
      rings.points(i, 0) =
          static_cast<float>(3.0 * static_cast<double>(ring) + radius * std::cos(angle));
      rings.points(i, 1) = static_cast<float>(radius * std::sin(angle));
    }
    if (ring == 1) rings.small_end = i;
  }
  return rings;
}

using Cell = std::pair<int, int>;
Cell cell_of(MatrixView<const float> points, size_t i) {
  return {static_cast<int>(std::floor(points(i, 0) / 0.1f)),
          static_cast<int>(std::floor(points(i, 1) / 0.1f))};
}

// Kullback-Leibler divergence of the sample to the uniform distribution over the cells of side 0.1
// that hold data; nats.
double divergence_to_uniform(MatrixView<const float> points, std::span<const uint32_t> sample) {
  std::set<Cell> support;
  for (size_t i = 0; i < points.rows(); ++i) support.insert(cell_of(points, i));
  std::map<Cell, double> counts;
  for (const uint32_t i : sample) ++counts[cell_of(points, i)];
  double sum = 0;
  for (const auto& [cell, count] : counts) {
    const double share = count / static_cast<double>(sample.size());
    sum += share * std::log(share * static_cast<double>(support.size()));
  }
  return sum;
}

struct Outcome {
  double divergence = 0, n_small = 0;  // means over the seeds
};

template <class Sample>
Outcome mean_outcome(size_t n_seeds, const Sample& sample) {
  Outcome mean;
  for (uint64_t seed = 0; seed < n_seeds; ++seed) {
    const Rings rings = five_rings(seed);
    const std::vector<uint32_t> items = sample(rings.points, seed);
    mean.divergence += divergence_to_uniform(rings.points, items) / static_cast<double>(n_seeds);
    const auto in_small = [&](uint32_t i) { return i >= rings.small_begin && i < rings.small_end; };
    mean.n_small +=
        static_cast<double>(std::ranges::count_if(items, in_small)) / static_cast<double>(n_seeds);
  }
  return mean;
}

void add_ring_rows(const ClaimContext& context, std::vector<ClaimRow>& rows) {
  const auto curated = [&](const std::vector<KMeansLevel>& levels) {
    return mean_outcome(context.quick ? 1 : 2, [&](MatrixView<const float> points, uint64_t seed) {
      const KMeansTree tree = hierarchical_kmeans(points, levels, {.seed = seed}, context.progress);
      return balanced_sample(tree, kSampleSize, {.seed = seed});
    });
  };
  const Outcome random = mean_outcome(2, [](MatrixView<const float> points, uint64_t seed) {
    return random_sample(points.rows(), seed);
  });
  const auto level = [](size_t n_clusters, size_t n_resamples) {
    return KMeansLevel{.n_clusters = n_clusters, .n_resamples = n_resamples};
  };
  const Outcome one = curated({level(1000, 0)});
  const Outcome two = curated({level(1000, 0), level(300, 0)});
  const Outcome resampled = curated({level(1000, 10), level(300, 10)});
  rows.push_back({"rings: KL to uniform, random sample", "1.34 (prototype)", random.divergence,
                  "reported", true});
  rows.push_back({"rings: KL, one level", "below random", one.divergence, "< random",
                  one.divergence < random.divergence});
  rows.push_back({"rings: KL, two levels", "below one level", two.divergence, "< one level",
                  two.divergence < one.divergence});
  rows.push_back({"rings: KL, two levels, 10 resamplings", "below two levels", resampled.divergence,
                  "< two levels, <= 0.69",
                  resampled.divergence < two.divergence && resampled.divergence <= 0.69});
  rows.push_back({"rings: samples from the ring of 200 (random: 7)", "-", resampled.n_small,
                  ">= 80", resampled.n_small >= 80});
}

// Coordinates on the first principal components.
Matrix<float> principal_components(MatrixView<const float> points, size_t n_components) {
  using Floats = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
  const auto index = [](size_t i) { return static_cast<Eigen::Index>(i); };
  const Eigen::Map<const Floats> all(points.data(), index(points.rows()), index(points.cols()));
  const Floats centred = all.rowwise() - all.colwise().mean();
  const Eigen::MatrixXf covariance = centred.transpose() * centred;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXf> solver(covariance);
  const Floats basis = solver.eigenvectors().rightCols(index(n_components));
  Matrix<float> result(points.rows(), n_components);
  Eigen::Map<Floats>(result.data(), index(points.rows()), index(n_components)) = centred * basis;
  return result;
}

// Entropy of the classes over that of ten equal ones.
double class_entropy(std::span<const int> classes, std::span<const uint32_t> sample) {
  std::vector<double> counts(10, 0);
  for (const uint32_t i : sample) ++counts[static_cast<size_t>(classes[i])];
  double entropy = 0;
  for (const double count : counts) {
    const double share = count / static_cast<double>(sample.size());
    if (share > 0) entropy -= share * std::log(share);
  }
  return entropy / std::log(10);
}

std::vector<uint32_t> shuffled_digits(uint64_t seed) {
  std::vector<uint32_t> digits = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9};
  Rng rng(seed, /*stream=*/7);
  for (size_t i = 10; i > 1; --i) std::swap(digits[i - 1], digits[rng.below(i)]);
  return digits;
}

// The card asks for the gain in each of 3 seeds.  It depends on which digit is frequent (least
// where that is the most diverse one, 0), so three seeds are a lottery: it is averaged over ten
// orders of the digits, must exceed three standard errors too, and the least of the ten is
// reported.
void add_digit_rows(const ClaimContext& context, std::vector<ClaimRow>& rows) {
  const auto folder = context.cache / "data/mnist";
  if (!std::filesystem::exists(folder / "train-images-idx3-ubyte")) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{} has no MNIST: scripts/get-data mnist fetches it", folder.string()));
  }
  const Matrix<float> images = read_idx(folder / "train-images-idx3-ubyte");
  const Matrix<float> labels = read_idx(folder / "train-labels-idx1-ubyte");
  double sum = 0, sum_random = 0, sum_gain = 0, sum_squared_gain = 0, least_gain = 1;
  constexpr double kOrders = 10;
  for (uint64_t seed = 0; seed < static_cast<uint64_t>(kOrders); ++seed) {
    const std::vector<uint32_t> digits = shuffled_digits(seed);  // the most frequent first
    std::vector<size_t> left(10);
    for (size_t rank = 0; rank < 10; ++rank) {
      left[digits[rank]] =
          static_cast<size_t>(5000 * std::pow(100.0, -static_cast<double>(rank) / 9));
    }
    std::vector<int> classes;
    std::vector<uint32_t> kept;
    for (uint32_t i = 0; i < images.rows(); ++i) {
      const auto digit = static_cast<size_t>(labels(i, 0));
      if (left[digit] == 0) continue;
      --left[digit];
      kept.push_back(i);
      classes.push_back(static_cast<int>(digit));
    }
    const Matrix<float> points = principal_components(gather_rows(images, kept), 30);
    const KMeansLevel levels[] = {{.n_clusters = 300, .n_resamples = 5},
                                  {.n_clusters = 30, .n_resamples = 5}};
    const KMeansTree tree = hierarchical_kmeans(points, levels, {.seed = seed}, context.progress);
    const double curated =
        class_entropy(classes, balanced_sample(tree, kSampleSize, {.seed = seed}));
    const double random = class_entropy(classes, random_sample(kept.size(), seed));
    const double gain = curated - random;
    sum += curated;
    sum_random += random;
    sum_gain += gain;
    sum_squared_gain += gain * gain;
    least_gain = std::min(least_gain, gain);
  }
  const double gain = sum_gain / kOrders;
  const double standard_error =
      std::sqrt((sum_squared_gain / kOrders - gain * gain) / (kOrders - 1));
  rows.push_back({"digits, 100:1 skew: class entropy / ln 10, random sample", "0.71 .. 0.73",
                  sum_random / kOrders, "reported", true});
  rows.push_back({"digits: class entropy / ln 10, two levels, 5 resamplings", "0.78 .. 0.83",
                  sum / kOrders, "reported", true});
  rows.push_back({"digits: gain over random, mean of 10 class orders", "more balanced", gain,
                  ">= 0.05 and 3 standard errors", gain >= 0.05 && gain >= 3 * standard_error});
  rows.push_back({"digits: gain over random, least of 10", "-", least_gain, "reported", true});
}

}  // namespace

std::vector<ClaimRow> reproduce_110(const ClaimContext& context) {
  std::vector<ClaimRow> rows;
  add_ring_rows(context, rows);
  add_digit_rows(context, rows);
  return rows;
}

}  // namespace carya
