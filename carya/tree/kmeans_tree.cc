#include "carya/tree/kmeans_tree.h"

#include <algorithm>
#include <numeric>

#include "carya/core/container.h"
#include "carya/core/rng.h"
#include "carya/simd/knn.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 1;

struct Clusters {
  Matrix<float> centroids;
  std::vector<int32_t> labels;
  std::vector<float> distances;
};

void assign(MatrixView<const float> points, Clusters& clusters) {
  const Neighbors nearest = exact_knn(points, clusters.centroids, 1);
  for (size_t i = 0; i < points.rows(); ++i) {
    clusters.labels[i] = static_cast<int32_t>(nearest.ids(i, 0));
    clusters.distances[i] = nearest.distances(i, 0);
  }
}

// The points nearest to their centroids, per_cluster of each cluster that has so many.
std::vector<uint32_t> central_points(const Clusters& clusters, size_t per_cluster) {
  LabelGroups groups = group_by_label(clusters.labels, clusters.centroids.rows());
  std::vector<uint32_t> central;
  for (size_t c = 0; c < clusters.centroids.rows(); ++c) {
    const auto begin = groups.item_of.begin() + static_cast<ptrdiff_t>(groups.first[c]);
    const auto end = groups.item_of.begin() + static_cast<ptrdiff_t>(groups.first[c + 1]);
    const auto middle = begin + std::min(end - begin, static_cast<ptrdiff_t>(per_cluster));
    std::partial_sort(begin, middle, end, [&](uint32_t a, uint32_t b) {
      return std::pair(clusters.distances[a], a) < std::pair(clusters.distances[b], b);
    });
    central.insert(central.end(), begin, middle);
  }
  return central;
}

// k-means, then the rounds of resampling.  Each k-means has a seed of its own.
Clusters resampled_kmeans(MatrixView<const float> points, size_t n_clusters,
                          const KMeansLevel& level, size_t n_iterations, Rng& seeds,
                          Progress* progress) {
  const auto run = [&](MatrixView<const float> some) {
    return kmeans(some,
                  {.n_clusters = n_clusters, .n_iterations = n_iterations, .seed = seeds.next()},
                  progress);
  };
  KMeansResult first = run(points);
  Clusters clusters{std::move(first.centroids), std::move(first.labels),
                    std::move(first.distances)};
  const size_t half_of_mean = std::max<size_t>(1, points.rows() / n_clusters / 2);
  const size_t per_cluster = level.per_cluster.value_or(half_of_mean);
  for (size_t round = 0; round < level.n_resamples; ++round) {
    const std::vector<uint32_t> central = central_points(clusters, per_cluster);
    if (central.size() < n_clusters) break;  // clusters without points: too many duplicates
    clusters.centroids = run(gather_rows(points, central)).centroids;
    assign(points, clusters);
  }
  return clusters;
}

// Very many clusters: k-means into a few parts, then each on its own.
Clusters split_kmeans(MatrixView<const float> points, const KMeansLevel& level, size_t n_iterations,
                      Rng& seeds, Progress* progress) {
  const Clusters coarse =
      resampled_kmeans(points, level.n_coarse, {.n_resamples = 0}, n_iterations, seeds, progress);
  const LabelGroups groups = group_by_label(coarse.labels, level.n_coarse);
  const size_t n_parts = level.n_clusters / level.n_coarse;
  std::vector<float> centroids;
  Clusters all{{}, std::vector<int32_t>(points.rows()), std::vector<float>(points.rows())};
  size_t n_clusters = 0;
  for (size_t c = 0; c < level.n_coarse; ++c) {
    const size_t size = groups.first[c + 1] - groups.first[c];
    if (size == 0) continue;
    const std::span<const uint32_t> ids = std::span(groups.item_of).subspan(groups.first[c], size);
    const Clusters part = resampled_kmeans(gather_rows(points, ids), std::min(n_parts, size), level,
                                           n_iterations, seeds, progress);
    for (size_t i = 0; i < size; ++i) {
      all.labels[ids[i]] = part.labels[i] + static_cast<int32_t>(n_clusters);
      all.distances[ids[i]] = part.distances[i];
    }
    const std::span<const float> flat = part.centroids.flat();
    centroids.insert(centroids.end(), flat.begin(), flat.end());
    n_clusters += part.centroids.rows();
  }
  all.centroids = Matrix<float>::copy({centroids.data(), n_clusters, points.cols()});
  return all;
}

void validate(MatrixView<const float> points, std::span<const KMeansLevel> levels,
              const KMeansTreeOptions& options) {
  require(!levels.empty(), "no levels are given: at least one is needed");
  require(options.n_iterations >= 1, "n_iterations is 0: k-means needs at least one");
  size_t below = points.rows();
  for (size_t i = 0; i < levels.size(); ++i) {
    const KMeansLevel& level = levels[i];
    require(level.n_clusters >= 1 && level.n_clusters <= below,
            "level {} has {} clusters, but must have 1 .. {}, the number of {}", i,
            level.n_clusters, below, i == 0 ? "points" : "clusters of the level below");
    require(level.n_coarse <= level.n_clusters, "level {}: {} coarse parts of {} clusters", i,
            level.n_coarse, level.n_clusters);
    require(level.per_cluster.value_or(1) >= 1,
            "level {}: per_cluster is 0: each cluster gives at least one point to a round", i);
    below = level.n_clusters;
  }
}

// What a checkpoint must have been made of.
uint64_t fingerprint(MatrixView<const float> points, std::span<const KMeansLevel> levels,
                     const KMeansTreeOptions& options) {
  std::vector<uint64_t> parts = {points.rows(), points.cols(), options.n_iterations, options.seed};
  for (size_t i = 0; i < points.rows(); ++i) {
    parts.push_back(checksum(std::as_bytes(points.row(i))));
  }
  for (const KMeansLevel& level : levels) {
    parts.insert(parts.end(), {level.n_clusters, level.n_resamples, level.per_cluster.value_or(0),
                               level.n_coarse});
  }
  return checksum(std::as_bytes(std::span(parts)));
}

void save_tree(const KMeansTree& tree, uint64_t fingerprint, const std::filesystem::path& path) {
  ContainerWriter out("kmeans_tree", kVersion);
  out.add_value<uint64_t>("fingerprint", fingerprint);
  out.add_value<uint64_t>("n_levels", tree.levels.size());
  out.add<float>("item_distances", tree.item_distances);
  for (size_t i = 0; i < tree.levels.size(); ++i) {
    const KMeansTree::Level& level = tree.levels[i];
    out.add_value<uint64_t>(fmt::format("n_clusters{}", i), level.centroids.rows());
    out.add<float>(fmt::format("centroids{}", i), level.centroids.flat());
    out.add<uint32_t>(fmt::format("parent{}", i), level.parent);
  }
  out.save(path);
}

KMeansTree read_tree(const Container& in) {
  KMeansTree tree;
  const auto distances = in.array<float>("item_distances");
  tree.item_distances.assign(distances.begin(), distances.end());
  const auto n_levels = in.value<uint64_t>("n_levels");
  size_t below = distances.size(), dim = 0;
  for (uint64_t i = 0; i < n_levels; ++i) {
    const auto n_clusters = in.value<uint64_t>(fmt::format("n_clusters{}", i));
    const auto centroids = in.array<float>(fmt::format("centroids{}", i));
    const auto parent = in.array<uint32_t>(fmt::format("parent{}", i));
    if (i == 0 && n_clusters > 0) dim = centroids.size() / n_clusters;
    const bool fits =
        n_clusters > 0 && centroids.size() == n_clusters * dim && parent.size() == below &&
        std::ranges::all_of(parent, [&](uint32_t cluster) { return cluster < n_clusters; });
    if (!fits) in.fail(fmt::format("level {} does not fit the one below", i));
    tree.levels.push_back(
        {Matrix<float>::copy({centroids.data(), n_clusters, dim}), {parent.begin(), parent.end()}});
    below = n_clusters;
  }
  return tree;
}

}  // namespace

std::vector<int32_t> KMeansTree::labels(size_t level) const {
  require(level < levels.size(), "level {} of {}", level, levels.size());
  std::vector<int32_t> labels(n_items());
  for (size_t i = 0; i < labels.size(); ++i) {
    auto node = static_cast<uint32_t>(i);
    for (size_t l = 0; l <= level; ++l) node = levels[l].parent[node];
    labels[i] = static_cast<int32_t>(node);
  }
  return labels;
}

std::vector<uint32_t> KMeansTree::parents() const {
  std::vector<uint32_t> parents;
  size_t next_level = n_items();
  for (const Level& level : levels) {
    for (const uint32_t cluster : level.parent) {
      parents.push_back(static_cast<uint32_t>(next_level + cluster));
    }
    next_level += level.centroids.rows();
  }
  parents.resize(next_level, static_cast<uint32_t>(next_level));  // the last level's is the root
  parents.push_back(0xffffffffu);
  return parents;
}

void KMeansTree::save(const std::filesystem::path& path) const { save_tree(*this, 0, path); }

KMeansTree KMeansTree::open(const std::filesystem::path& path) {
  return read_tree(Container::open(path, "kmeans_tree", kVersion));
}

KMeansTree hierarchical_kmeans(MatrixView<const float> points, std::span<const KMeansLevel> levels,
                               const KMeansTreeOptions& options, Progress* progress) {
  validate(points, levels, options);
  require_finite(points, "point");
  KMeansTree tree;
  const bool has_checkpoint = !options.checkpoint.empty();
  const uint64_t made_of = has_checkpoint ? fingerprint(points, levels, options) : 0;
  if (has_checkpoint && std::filesystem::exists(options.checkpoint)) {
    const Container in = Container::open(options.checkpoint, "kmeans_tree", kVersion);
    require(in.value<uint64_t>("fingerprint") == made_of,
            "{} is of a run with other points, levels or options: remove it, or name another file",
            options.checkpoint.string());
    tree = read_tree(in);
  }
  for (size_t i = tree.levels.size(); i < levels.size(); ++i) {
    const MatrixView<const float> below = i == 0 ? points : tree.levels[i - 1].centroids.view();
    KMeansLevel level = levels[i];  // splitting may have made fewer clusters than were asked for
    level.n_clusters = std::min(level.n_clusters, below.rows());
    Rng seeds(options.seed, i);
    Clusters clusters = level.n_coarse > 0
                            ? split_kmeans(below, level, options.n_iterations, seeds, progress)
                            : resampled_kmeans(below, level.n_clusters, level, options.n_iterations,
                                               seeds, progress);
    if (i == 0) tree.item_distances = std::move(clusters.distances);
    tree.levels.push_back(
        {std::move(clusters.centroids), {clusters.labels.begin(), clusters.labels.end()}});
    if (has_checkpoint) save_tree(tree, made_of, options.checkpoint);
  }
  return tree;
}

}  // namespace carya
