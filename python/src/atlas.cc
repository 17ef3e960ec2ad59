// carya._carya.Atlas, build and add.
#include "carya/atlas/atlas.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/function.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/variant.h>
#include <nanobind/stl/vector.h>

#include <complex>
#include <tuple>

#include "carya/atlas/build.h"
#include "carya/atlas/export.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/hierarchy.h"
#include "python/src/input.h"
#include "python/src/progress.h"

namespace carya::python {
namespace {

namespace fs = std::filesystem;
// Properties would else tie an array to the object, which has an owner of its own already.
constexpr auto kArray = nb::rv_policy::automatic;
using SearchRow = std::tuple<uint32_t, double, std::optional<double>>;

template <class T>
T named(const std::string& name, const char* what,
        std::initializer_list<std::pair<const char*, T>> known) {
  std::string allowed;
  for (const auto& [text, value] : known) {
    if (name == text) return value;
    allowed += (allowed.empty() ? "'" : ", '") + std::string(text) + "'";
  }
  throw Error(ErrorKind::kInvalidArgument,
              fmt::format("{} is '{}': one of {}", what, name, allowed));
}

SearchMode mode_of(const std::string& name) {
  return named<SearchMode>(name, "mode",
                           {{"hybrid", SearchMode::kHybrid},
                            {"vector", SearchMode::kVector},
                            {"lexical", SearchMode::kLexical}});
}

Precision precision_of(const std::string& name) {
  return named<Precision>(name, "precision",
                          {{"auto", Precision::kAuto},
                           {"f32", Precision::kF32},
                           {"bf16", Precision::kBf16},
                           {"int8", Precision::kInt8}});
}

void check_node(const Atlas& atlas, uint32_t node) { atlas.name(node); }
void check_item(const Atlas& atlas, uint32_t item) {
  require(item < atlas.n_items(), "there is no item number {}: they are 0 to {}", item,
          atlas.n_items() - 1);
}

nb::dict info_of(const Atlas& atlas) {
  const AtlasInfo info = atlas.info();
  nb::dict result;
  result["n_items"] = info.n_items;
  result["dim"] = info.dim;
  result["n_nodes"] = info.n_nodes;
  result["n_leaves"] = info.n_leaves;
  result["max_depth"] = info.max_depth;
  result["n_outliers"] = info.n_outliers;
  result["encoder"] = info.encoder;
  result["method"] = info.method;
  nb::dict seconds;
  for (const AtlasInfo::Stage& stage : info.stages) seconds[stage.name.c_str()] = stage.seconds;
  result["seconds"] = seconds;
  return result;
}

std::vector<SearchRow> search(const Atlas& atlas, const std::string& query, size_t k,
                              const std::string& mode, const std::string& where,
                              std::optional<uint32_t> node) {
  const AtlasSearchOptions options{.k = k, .mode = mode_of(mode), .where = where, .node = node};
  std::vector<SearchRow> rows;
  for (const AtlasHit& hit : atlas.search(query, options)) {
    rows.emplace_back(hit.item, hit.score, hit.similarity);
  }
  return rows;
}

Matrix<double> poincare(const std::vector<DiskPoint>& points) {
  Matrix<double> xy(points.size(), 2);
  for (size_t i = 0; i < points.size(); ++i) {
    const std::complex<double> z = to_poincare(points[i]);
    xy(i, 0) = z.real();
    xy(i, 1) = z.imag();
  }
  return xy;
}

AtlasOptions options_of(const std::string& encoder, const std::string& precision,
                        const std::string& organise, size_t min_cluster_size, size_t n_levels,
                        uint64_t seed, size_t max_memory, bool resume, bool overwrite) {
  AtlasOptions options;
  options.encoder = {.encoder = encoder, .precision = precision_of(precision), .seed = seed};
  options.organise = {
      .method = organise_method_from_name(organise), .n_levels = n_levels, .seed = seed};
  if (min_cluster_size != 0) options.organise.min_cluster_size = min_cluster_size;
  options.max_memory = max_memory;
  options.resume = resume;
  options.overwrite = overwrite;
  return options;
}

}  // namespace

void bind_atlas(nb::module_& module) {
  bind_input(module);
  module.def(
      "build_atlas",
      [](Input& input, const fs::path& path, const std::string& encoder,
         const std::string& precision, const std::string& organise, size_t min_cluster_size,
         size_t n_levels, uint64_t seed, size_t max_memory, bool resume, bool overwrite,
         nb::handle progress) {
        AtlasOptions options = options_of(encoder, precision, organise, min_cluster_size, n_levels,
                                          seed, max_memory, resume, overwrite);
        std::vector<std::string> notices;
        options.notice = [&](const std::string& text) { notices.push_back(text); };
        AtlasInput& data = input.take();
        run_in_thread(progress, [&](Progress* p) { build_atlas(data, path, options, p); });
        return notices;
      },
      nb::arg("input"), nb::arg("path"), nb::arg("encoder"), nb::arg("precision"),
      nb::arg("organise"), nb::arg("min_cluster_size"), nb::arg("n_levels"), nb::arg("seed"),
      nb::arg("max_memory"), nb::arg("resume"), nb::arg("overwrite"), nb::arg("progress").none(),
      "Builds an atlas at `path`; returns what the user should be told.");
  module.def(
      "add_to_atlas",
      [](const fs::path& path, Input& input, nb::handle progress) {
        AtlasInput& data = input.take();
        return long_work(progress, [&](Progress* p) { return add_to_atlas(path, data, p); });
      },
      nb::arg("path"), nb::arg("input"), nb::arg("progress").none(),
      "Adds items to the atlas at `path`; returns how many.");

  nb::class_<Atlas>(module, "Atlas")
      .def_static(
          "open",
          [](const fs::path& path) { return without_gil([&] { return Atlas::open(path); }); },
          nb::arg("path"))
      .def_prop_ro("n_items", &Atlas::n_items)
      .def("info", &info_of)
      .def_prop_ro("columns",
                   [](const Atlas& atlas) {
                     std::vector<std::pair<std::string, std::string>> columns;
                     for (const MetadataColumn& column : atlas.items().columns()) {
                       columns.emplace_back(column.name, column_type_name(column.type));
                     }
                     return columns;
                   })
      .def(
          "column",
          [](const Atlas& atlas, const std::string& name) { return atlas.items().values(name); },
          nb::arg("name"), "The values of a metadata column, one an item.")
      .def(
          "item",
          [](const Atlas& atlas, uint32_t item) {
            check_item(atlas, item);
            Item found = atlas.items().item(item);
            return std::tuple(std::move(found.id), std::move(found.text), std::move(found.values));
          },
          nb::arg("item"), "(id, text, values)")
      .def(
          "id",
          [](const Atlas& atlas, uint32_t item) {
            check_item(atlas, item);
            return atlas.items().id(item);
          },
          nb::arg("item"))
      .def(
          "find", [](const Atlas& atlas, const std::string& id) { return atlas.items().find(id); },
          nb::arg("id"), "The item with this id, or None.")
      .def(
          "texts",
          [](const Atlas& atlas, size_t first, size_t count) {
            return without_gil([&] { return atlas.items().texts(first, count); });
          },
          nb::arg("first"), nb::arg("count"))
      .def(
          "where",
          [](const Atlas& atlas, const std::string& condition) {
            return to_numpy(without_gil([&] { return atlas.items().where(condition); }));
          },
          nb::arg("condition"), "The items that meet a condition, rising.")
      .def(
          "search",
          [](const Atlas& atlas, const std::string& query, size_t k, const std::string& mode,
             const std::string& where, std::optional<uint32_t> node) {
            return without_gil([&] { return search(atlas, query, k, mode, where, node); });
          },
          nb::arg("query"), nb::arg("k"), nb::arg("mode"), nb::arg("where"), nb::arg("node").none(),
          "[(item, score, similarity or None)]")
      .def(
          "neighbors",
          [](const Atlas& atlas, uint32_t item, size_t k) {
            const auto found = without_gil([&] { return atlas.neighbors(item, k); });
            std::vector<uint32_t> items;
            std::vector<double> distances;
            for (const Neighbor& neighbor : found) {
              items.push_back(neighbor.item);
              distances.push_back(neighbor.distance);
            }
            return std::pair(to_numpy(std::move(items)), to_numpy(std::move(distances)));
          },
          nb::arg("item"), nb::arg("k"), "(items [<= k], distances [<= k])")
      .def_prop_ro(
          "vectors",
          [](nb::handle self) {
            const MatrixView<const float> rows = nb::cast<const Atlas&>(self).vectors();
            CARYA_ASSERT(rows.is_contiguous());
            return nb::ndarray<nb::numpy, const float, nb::ndim<2>>(
                rows.data(), {rows.rows(), rows.cols()}, self);
          },
          kArray, "[n_items, dim] float32, read-only, in the mapped file.")
      .def_prop_ro(
          "strengths",
          [](const Atlas& atlas) {
            std::vector<float> strengths(atlas.n_items());
            for (uint32_t i = 0; i < strengths.size(); ++i) strengths[i] = atlas.strength(i);
            return to_numpy(std::move(strengths));
          },
          kArray)
      .def_prop_ro(
          "outliers",
          [](const Atlas& atlas) {
            std::vector<uint8_t> outliers(atlas.n_items());
            for (uint32_t i = 0; i < outliers.size(); ++i)
              outliers[i] = atlas.is_outlier(i) ? 1 : 0;
            return to_numpy(std::move(outliers));
          },
          kArray)
      .def(
          "strength",
          [](const Atlas& atlas, uint32_t item) {
            check_item(atlas, item);
            return atlas.strength(item);
          },
          nb::arg("item"))
      .def(
          "is_outlier",
          [](const Atlas& atlas, uint32_t item) {
            check_item(atlas, item);
            return atlas.is_outlier(item);
          },
          nb::arg("item"))
      // The tree.
      .def_prop_ro(
          "parents", [](const Atlas& atlas) { return to_numpy(atlas.tree().parents()); }, kArray)
      .def_prop_ro(
          "nodes_of_items",
          [](const Atlas& atlas) { return to_numpy(atlas.tree().nodes_of_items()); }, kArray)
      .def(
          "node",
          [](const Atlas& atlas, uint32_t node) {
            const NodeName& name = atlas.name(node);
            return std::tuple(name.name, name.keywords, name.exemplars, atlas.tree().size(node),
                              atlas.tree().depth(node));
          },
          nb::arg("node"), "(name, keywords, exemplars, size, depth)")
      .def(
          "children",
          [](const Atlas& atlas, uint32_t node) {
            check_node(atlas, node);
            const auto children = atlas.tree().children(node);
            return std::vector<uint32_t>(children.begin(), children.end());
          },
          nb::arg("node"))
      .def(
          "node_items",
          [](const Atlas& atlas, uint32_t node, bool own) {
            check_node(atlas, node);
            return to_numpy(own ? atlas.tree().own_items(node) : atlas.tree().items(node));
          },
          nb::arg("node"), nb::arg("own"))
      .def(
          "cut_into",
          [](const Atlas& atlas, size_t n_clusters) {
            return to_numpy(without_gil([&] { return atlas.hierarchy().cut_into(n_clusters); }));
          },
          nb::arg("n_clusters"))
      .def_prop_ro(
          "linkage", [](const Atlas& atlas) { return to_numpy(linkage_matrix(atlas.hierarchy())); },
          kArray)
      .def(
          "layout",
          [](const Atlas& atlas, uint32_t focus) {
            check_node(atlas, focus);
            auto [nodes, items] = without_gil([&] {
              const DiskView view = view_from(atlas.layout(), atlas.tree(), focus);
              return std::pair(poincare(view.nodes), poincare(view.items));
            });
            return std::pair(to_numpy(std::move(nodes)), to_numpy(std::move(items)));
          },
          nb::arg("focus"))
      .def(
          "evaluate",
          [](const Atlas& atlas, const std::string& column) {
            const AtlasEvaluation e = without_gil([&] { return atlas.evaluate(column); });
            nb::dict result;
            result["ami"] = e.ami;
            result["purity"] = e.purity;
            result["dendrogram_purity"] = e.dendrogram_purity;
            result["placed"] = e.placed;
            result["cut_nodes"] = e.cut_nodes;
            return result;
          },
          nb::arg("column"))
      .def(
          "export",
          [](const Atlas& atlas, const fs::path& path, const std::string& format) {
            const ExportFormat kind = export_format_from_name(format);
            without_gil([&] {
              AtomicFile file(path);
              export_atlas(atlas, kind, [&](std::string_view text) { file.write(text); });
              file.commit();
              return true;
            });
          },
          nb::arg("path"), nb::arg("format"));
}

}  // namespace carya::python
