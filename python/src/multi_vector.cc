// carya._carya.MultiVectorIndex.
#include "carya/index/multi_vector.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/string_view.h>

#include <memory>
#include <optional>

#include "carya/core/parallel.h"
#include "carya/index/filter.h"
#include "carya/index/index_spec.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/found.h"
#include "python/src/progress.h"

namespace carya::python {
namespace {

std::unique_ptr<Filter> filter_of(const MultiVectorIndex& index,
                                  const std::optional<VectorIn<uint64_t>>& within) {
  return within ? id_filter(view_of(*within), index.size()) : nullptr;
}

std::vector<size_t> sizes_of(const VectorIn<uint64_t>& offsets) {
  const auto values = view_of(offsets);
  return {values.begin(), values.end()};
}

}  // namespace

void bind_multi_vector(nb::module_& module) {
  nb::class_<MultiVectorIndex>(module, "MultiVectorIndex")
      .def(
          "__init__",
          [](MultiVectorIndex* self, const std::string& spec, const std::string& metric,
             size_t dim) {
            const IndexSpec parsed = IndexSpec::parse(spec);
            new (self) MultiVectorIndex(dim, metric_from_name(metric),
                                        [&](size_t of_dim, Metric of_metric) {
                                          return empty_index(parsed, of_metric, of_dim);
                                        });
          },
          nb::arg("spec"), nb::arg("metric"), nb::arg("dim"))
      .def_static(
          "open",
          [](const std::filesystem::path& path) {
            return without_gil([&] { return MultiVectorIndex::open(path); });
          },
          nb::arg("path"))
      .def_prop_ro("dim", &MultiVectorIndex::dim)
      .def_prop_ro("metric",
                   [](const MultiVectorIndex& index) { return metric_name(index.metric()); })
      .def("__len__", &MultiVectorIndex::size)
      .def(
          "add",
          [](MultiVectorIndex& index, const VectorIn<uint64_t>& ids,
             const VectorIn<uint64_t>& offsets, const MatrixIn<float>& vectors,
             nb::handle progress) {
            const std::vector<size_t> sizes = sizes_of(offsets);
            run_in_thread(progress, [&](Progress* p) {
              index.add(view_of(ids), sizes, view_of(vectors), p);
            });
          },
          nb::arg("ids"), nb::arg("offsets"), nb::arg("vectors"), nb::arg("progress").none())
      .def("remove", &MultiVectorIndex::remove, nb::arg("id"))
      .def(
          "search",
          [](const MultiVectorIndex& index, const MatrixIn<float>& queries, size_t k, size_t effort,
             const std::optional<VectorIn<uint64_t>>& within) {
            return as_arrays(without_gil([&] {
              const auto filter = filter_of(index, within);
              const SearchOptions options{.k = k, .effort = effort, .filter = filter.get()};
              std::vector<std::vector<Hit>> hits(queries.shape(0));
              parallel_for(0, hits.size(), 1, [&](size_t i, size_t) {
                hits[i] = index.search(view_of(queries).row(i), options);
              });
              return found_of(hits, k);
            }));
          },
          nb::arg("queries"), nb::arg("k"), nb::arg("effort"), nb::arg("within").none())
      .def(
          "late_interaction",
          [](const MultiVectorIndex& index, const MatrixIn<float>& queries, size_t k, size_t effort,
             const std::optional<VectorIn<uint64_t>>& within) {
            return as_arrays(without_gil([&] {
              const auto filter = filter_of(index, within);
              return found_of(
                  {index.late_interaction(view_of(queries),
                                          {.k = k, .effort = effort, .filter = filter.get()})},
                  k);
            }));
          },
          nb::arg("queries"), nb::arg("k"), nb::arg("effort"), nb::arg("within").none())
      .def(
          "save",
          [](const MultiVectorIndex& index, const std::filesystem::path& path) {
            without_gil([&] {
              index.save(path);
              return true;
            });
          },
          nb::arg("path"));
}

}  // namespace carya::python
