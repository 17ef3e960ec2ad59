// carya._carya.Index, exact_knn.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <limits>
#include <memory>
#include <optional>

#include "carya/core/error.h"
#include "carya/index/filter.h"
#include "carya/index/index_spec.h"
#include "carya/index/query.h"
#include "carya/index/recall_curve.h"
#include "carya/index/window.h"
#include "carya/simd/knn.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/found.h"
#include "python/src/progress.h"

namespace carya::python {
namespace {

// What a search takes from Python; arrays that are None are views of nothing.
struct Asked {
  SearchOptions options;
  std::unique_ptr<Filter> filter;
};

Asked asked(const Index& index, size_t k, size_t effort,
            const std::optional<VectorIn<uint64_t>>& within,
            const std::optional<MatrixIn<float>>& vectors) {
  Asked asked{.options = {.k = k, .effort = effort}, .filter = nullptr};
  if (within) {
    asked.filter = id_filter(view_of(*within), index.size());
    asked.options.filter = asked.filter.get();
  }
  if (vectors) asked.options.exact = view_of(*vectors);
  return asked;
}

std::vector<std::vector<Hit>> answers(const Index& index, MatrixView<const float> queries,
                                      const SearchOptions& options,
                                      const std::optional<std::pair<double, double>>& window) {
  if (!window) return search_batch(index, queries, options);
  const auto* by_label = dynamic_cast<const WindowIndex*>(&index);
  require(by_label != nullptr, "only a WindowIndex searches within a window");
  return search_batch(*by_label, queries, LabelWindow{.low = window->first, .high = window->second},
                      options);
}

// All hits one after another, and where those of each query begin: [n_queries + 1].
nb::tuple ragged(const std::vector<std::vector<Hit>>& answers) {
  size_t n_hits = 0;
  for (const auto& hits : answers) n_hits += hits.size();
  Matrix<int64_t> ids(n_hits, 1), begins(answers.size() + 1, 1);
  Matrix<float> distances(n_hits, 1);
  size_t at = 0;
  for (size_t i = 0; i < answers.size(); ++i) {
    for (const Hit& hit : answers[i]) {
      ids(at, 0) = static_cast<int64_t>(hit.id);
      distances(at++, 0) = hit.distance;
    }
    begins(i + 1, 0) = static_cast<int64_t>(at);
  }
  return nb::make_tuple(to_numpy(std::move(begins)), to_numpy(std::move(ids)),
                        to_numpy(std::move(distances)));
}

// Rows (effort, recall, queries a second, distances).
Matrix<float> as_matrix(const std::vector<RecallPoint>& points) {
  Matrix<float> rows(points.size(), 4);
  for (size_t i = 0; i < points.size(); ++i) {
    rows(i, 0) = static_cast<float>(points[i].effort);
    rows(i, 1) = static_cast<float>(points[i].recall);
    rows(i, 2) = static_cast<float>(points[i].queries_per_second());
    rows(i, 3) = static_cast<float>(points[i].n_distances);
  }
  return rows;
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
          "build",
          [](const std::string& spec, const std::string& metric, const VectorIn<uint64_t>& ids,
             const MatrixIn<float>& vectors, const std::optional<VectorIn<double>>& labels,
             nb::handle progress) {
            const IndexSpec parsed = IndexSpec::parse(spec);
            const Metric kind = metric_from_name(metric);
            std::unique_ptr<Index> index;
            run_in_thread(progress, [&](Progress* p) {
              index = build_index(parsed, kind,
                                  {.ids = view_of(ids),
                                   .vectors = view_of(vectors),
                                   .labels = labels ? view_of(*labels) : std::span<const double>()},
                                  p);
            });
            return AnyIndex(std::move(index));
          },
          nb::arg("spec"), nb::arg("metric"), nb::arg("ids"), nb::arg("vectors"),
          nb::arg("labels").none(), nb::arg("progress").none())
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
          "update",
          [](AnyIndex& index, const VectorIn<uint64_t>& ids, const MatrixIn<float>& vectors) {
            without_gil([&] {
              index->update(view_of(ids), view_of(vectors));
              return true;
            });
          },
          nb::arg("ids"), nb::arg("vectors"))
      .def(
          "search",
          [](const AnyIndex& index, const MatrixIn<float>& queries, size_t k, size_t effort,
             const std::optional<VectorIn<uint64_t>>& within,
             const std::optional<MatrixIn<float>>& vectors,
             const std::optional<std::pair<double, double>>& window) {
            Found found = without_gil([&] {
              const Asked how = asked(*index, k, effort, within, vectors);
              return found_of(answers(*index, view_of(queries), how.options, window), k);
            });
            return as_arrays(std::move(found));
          },
          nb::arg("queries"), nb::arg("k"), nb::arg("effort"), nb::arg("within").none(),
          nb::arg("vectors").none(), nb::arg("window").none(),
          "(ids [n_queries, k] int64, -1 where there are fewer; distances [n_queries, k])")
      .def(
          "search_range",
          [](const AnyIndex& index, const MatrixIn<float>& queries, float radius, size_t effort,
             const std::optional<VectorIn<uint64_t>>& within,
             const std::optional<MatrixIn<float>>& vectors) {
            return ragged(without_gil([&] {
              const Asked how = asked(*index, 10, effort, within, vectors);
              return search_range_batch(*index, view_of(queries), radius, how.options);
            }));
          },
          nb::arg("queries"), nb::arg("radius"), nb::arg("effort"), nb::arg("within").none(),
          nb::arg("vectors").none(), "(begins [n_queries + 1], ids [n_hits], distances [n_hits])")
      .def(
          "recall_curve",
          [](const AnyIndex& index, const MatrixIn<float>& queries, size_t k, float target,
             const std::optional<MatrixIn<float>>& vectors) {
            return to_numpy(without_gil([&] {
              const Asked how = asked(*index, k, 0, std::nullopt, vectors);
              const Matrix<int64_t> truth = true_neighbors(*index, view_of(queries), how.options);
              if (target == 0) {
                return as_matrix(recall_curve(*index, view_of(queries), truth, how.options));
              }
              const auto point =
                  least_effort(*index, view_of(queries), truth, how.options, double{target});
              return as_matrix(point ? std::vector{*point} : std::vector<RecallPoint>{});
            }));
          },
          nb::arg("queries"), nb::arg("k"), nb::arg("target"), nb::arg("vectors").none(),
          "[n, 4]: effort, recall, queries a second, distances; of target 0 the curve, else one "
          "row "
          "or none: the least effort that reaches it")
      .def_prop_ro("facts",
                   [](const AnyIndex& index) {
                     nb::dict facts;
                     for (const auto& [name, value] : index_facts(*index)) {
                       facts[name.c_str()] = value;
                     }
                     return facts;
                   })
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
