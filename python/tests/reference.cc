// What the C++ library makes of some points and texts, as .npy files for test_reference.py:
//   carya_python_reference POINTS.npy TEXTS.txt OUTPUT_FOLDER
#include <fmt/core.h>

#include <filesystem>
#include <numeric>

#include "carya/core/error.h"
#include "carya/index/hnsw.h"
#include "carya/io/record_reader.h"
#include "carya/io/vectors.h"
#include "carya/simd/knn.h"
#include "carya/text/lsa.h"
#include "carya/tree/hdbscan.h"
#include "carya/tree/kmeans_tree.h"

namespace carya {
namespace {

namespace fs = std::filesystem;

template <class T>
void save(const fs::path& path, const std::vector<T>& values) {
  Matrix<float> column(values.size(), 1);
  for (size_t i = 0; i < values.size(); ++i) column(i, 0) = static_cast<float>(values[i]);
  write_npy(path, column);
}

void run(const fs::path& points_file, const fs::path& texts_file, const fs::path& out) {
  const Matrix<float> points = read_vectors(points_file);
  const HdbscanResult clusters = hdbscan(points, {.min_cluster_size = 7, .min_samples = 4});
  save(out / "hdbscan_labels.npy", clusters.labels);
  save(out / "hdbscan_probabilities.npy", clusters.probabilities);
  save(out / "hdbscan_outlier_scores.npy", clusters.outlier_scores);

  const KMeansLevel levels[] = {{.n_clusters = 40}, {.n_clusters = 5}};
  const KMeansTree tree = hierarchical_kmeans(points, levels, {.seed = 3});
  write_npy(out / "kmeans_centroids.npy", tree.levels[0].centroids);
  save(out / "kmeans_labels.npy", tree.labels(0));
  save(out / "kmeans_labels_1.npy", tree.labels(1));

  const Neighbors neighbors = exact_knn_graph(points, 6);
  write_npy(out / "knn_distances.npy", neighbors.distances);
  save(out / "knn_ids.npy",
       std::vector<uint32_t>(neighbors.ids.flat().begin(), neighbors.ids.flat().end()));

  Hnsw index(points.cols(), Metric::kCosine, {.m = 6, .ef_construction = 40, .seed = 5});
  std::vector<ItemId> ids(points.rows());
  std::iota(ids.begin(), ids.end(), ItemId{0});
  index.add(ids, points);
  std::vector<ItemId> found;
  for (size_t i = 0; i < points.rows(); ++i) {
    for (const Hit& hit : index.search(points.row(i), {.k = 5, .effort = 20})) {
      found.push_back(hit.id);
    }
  }
  save(out / "hnsw_ids.npy", found);

  std::vector<std::string> texts;
  const auto records = open_records(texts_file);
  for (Record record; records->next(record);) texts.push_back(record.text);
  const Lsa lsa = Lsa::fit(text_source(texts), {.n_dims = 8, .seed = 2});
  Matrix<float> vectors(texts.size(), lsa.dim());
  lsa.encode(texts, vectors);
  write_npy(out / "lsa.npy", vectors);
}

}  // namespace
}  // namespace carya

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: carya_python_reference POINTS.npy TEXTS.txt OUTPUT_FOLDER\n");
    return 2;
  }
  try {
    carya::run(argv[1], argv[2], argv[3]);
  } catch (const carya::Error& error) {
    fmt::print(stderr, "carya_python_reference: {}\n", error.what());
    return 1;
  }
  return 0;
}
