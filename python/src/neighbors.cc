// carya._carya.Index, exact_knn.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <limits>
#include <memory>

#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/index/flat.h"
#include "carya/index/hnsw.h"
#include "carya/simd/knn.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/progress.h"

namespace carya::python {
namespace {

// Ids -1 and distances inf where there are fewer than k.
struct Found {
  Matrix<int64_t> ids;
  Matrix<float> distances;
};

Found search_all(const Index& index, MatrixView<const float> queries, size_t k, size_t effort) {
  Found found{Matrix<int64_t>(queries.rows(), k), Matrix<float>(queries.rows(), k)};
  const auto search_one = [&](size_t i) {
    const std::vector<Hit> hits = index.search(queries.row(i), {.k = k, .effort = effort});
    for (size_t j = 0; j < k; ++j) {
      const bool is_there = j < hits.size();
      found.ids(i, j) = is_there ? static_cast<int64_t>(hits[j].id) : -1;
      found.distances(i, j) = is_there ? hits[j].distance : std::numeric_limits<float>::infinity();
    }
  };
  require(queries.cols() == index.dim(), "the queries have {} dims, the index {}", queries.cols(),
          index.dim());
  require(k >= 1, "k is 0: ask for at least one neighbour");
  require_finite(queries, "query");  // here, not in a parallel loop
  parallel_for(0, queries.rows(), 1, [&](size_t first, size_t) { search_one(first); });
  return found;
}

nb::tuple arrays_of(Neighbors neighbors) {
  return nb::make_tuple(to_numpy(std::move(neighbors.ids)),
                        to_numpy(std::move(neighbors.distances)));
}

// Holds the index, whatever its type.
class AnyIndex {
 public:
  explicit AnyIndex(std::unique_ptr<Index> index) : index_(std::move(index)) {}
  Index& operator*() const { return *index_; }
  Index* operator->() const { return index_.get(); }

 private:
  std::unique_ptr<Index> index_;
};

}  // namespace

void bind_neighbors(nb::module_& module) {
  nb::class_<AnyIndex>(module, "Index")
      .def_static(
          "hnsw",
          [](size_t dim, const std::string& metric, size_t m, size_t ef_construction,
             uint64_t seed) {
            return AnyIndex(std::make_unique<Hnsw>(
                dim, metric_from_name(metric),
                HnswOptions{.m = m, .ef_construction = ef_construction, .seed = seed}));
          },
          nb::arg("dim"), nb::arg("metric"), nb::arg("m"), nb::arg("ef_construction"),
          nb::arg("seed"))
      .def_static(
          "flat",
          [](size_t dim, const std::string& metric) {
            return AnyIndex(std::make_unique<FlatIndex>(dim, metric_from_name(metric)));
          },
          nb::arg("dim"), nb::arg("metric"))
      .def_static(
          "open",
          [](const std::filesystem::path& path) {
            return AnyIndex(without_gil([&] { return open_index(path); }));
          },
          nb::arg("path"))
      .def_prop_ro("dim", [](const AnyIndex& index) { return index->dim(); })
      .def_prop_ro("metric", [](const AnyIndex& index) { return metric_name(index->metric()); })
      .def("__len__", [](const AnyIndex& index) { return index->size(); })
      .def(
          "add",
          [](AnyIndex& index, const VectorIn<uint64_t>& ids, const MatrixIn<float>& vectors,
             nb::handle progress) {
            run_in_thread(progress,
                          [&](Progress* p) { index->add(view_of(ids), view_of(vectors), p); });
          },
          nb::arg("ids"), nb::arg("vectors"), nb::arg("progress").none())
      .def(
          "remove", [](AnyIndex& index, ItemId id) { return index->remove(id); }, nb::arg("id"))
      .def(
          "search",
          [](const AnyIndex& index, const MatrixIn<float>& queries, size_t k, size_t effort) {
            Found found =
                without_gil([&] { return search_all(*index, view_of(queries), k, effort); });
            return std::pair(to_numpy(std::move(found.ids)), to_numpy(std::move(found.distances)));
          },
          nb::arg("queries"), nb::arg("k"), nb::arg("effort"),
          "(ids [n_queries, k] int64, -1 where there are fewer; distances [n_queries, k])")
      .def(
          "save",
          [](const AnyIndex& index, const std::filesystem::path& path) {
            without_gil([&] {
              index->save(path);
              return true;
            });
          },
          nb::arg("path"));
  module.def(
      "exact_knn",
      [](const MatrixIn<float>& queries, const MatrixIn<float>& points, size_t k,
         const std::string& metric, nb::handle progress) {
        const Metric kind = metric_from_name(metric);
        return arrays_of(long_work(progress, [&](Progress* p) {
          return exact_knn(view_of(queries), view_of(points), k, kind, p);
        }));
      },
      nb::arg("queries"), nb::arg("points"), nb::arg("k"), nb::arg("metric"),
      nb::arg("progress").none(), "(ids [n_queries, k] uint32, distances [n_queries, k])");
  module.def(
      "exact_knn_graph",
      [](const MatrixIn<float>& points, size_t k, const std::string& metric, nb::handle progress) {
        const Metric kind = metric_from_name(metric);
        return arrays_of(long_work(
            progress, [&](Progress* p) { return exact_knn_graph(view_of(points), k, kind, p); }));
      },
      nb::arg("points"), nb::arg("k"), nb::arg("metric"), nb::arg("progress").none(),
      "The same among the points; a point is not its own neighbour.");
}

}  // namespace carya::python
