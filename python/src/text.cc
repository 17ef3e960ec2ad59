// carya._carya.SentenceEncoder and Lsa.
#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/string.h>

#include "carya/atlas/representation.h"
#include "carya/core/error.h"
#include "carya/simd/gemm.h"
#include "carya/text/lsa.h"
#include "carya/text/sentence_encoder.h"
#include "python/src/arrays.h"
#include "python/src/bindings.h"
#include "python/src/progress.h"

namespace carya::python {
namespace {

WeightFormat format_of(const std::string& precision) {
  if (precision == "f32") return WeightFormat::kF32;
  if (precision == "int8") return WeightFormat::kInt8;
  require(precision == "auto" || precision == "bf16",
          "precision is '{}': one of 'auto', 'f32', 'bf16', 'int8'", precision);
  return WeightFormat::kBf16;  // becomes f32 where the CPU does not compute with it
}

}  // namespace

void bind_text(nb::module_& module) {
  module.def("default_cache", &default_cache,
             "The folder of models: $CARYA_CACHE, or ~/.cache/carya.");
  nb::class_<SentenceEncoder>(module, "SentenceEncoder")
      .def_static(
          "open",
          [](const std::filesystem::path& folder, const std::string& precision,
             std::optional<size_t> max_tokens, const std::string& prompt) {
            const SentenceEncoderOptions options{
                .precision = format_of(precision), .max_tokens = max_tokens, .prompt = prompt};
            return without_gil([&] { return SentenceEncoder::open(folder, options); });
          },
          nb::arg("folder"), nb::arg("precision"), nb::arg("max_tokens").none(), nb::arg("prompt"))
      .def_prop_ro("dim", &SentenceEncoder::dim)
      .def_prop_ro("max_tokens", &SentenceEncoder::max_tokens)
      .def(
          "encode",
          [](const SentenceEncoder& encoder, nb::handle iterable, nb::handle progress) {
            const std::vector<std::string> texts = to_texts(iterable);
            const std::vector<std::string_view> views(texts.begin(), texts.end());
            return to_numpy(long_work(progress, [&](Progress* p) {
              auto vectors = Matrix<float>::uninitialized(texts.size(), encoder.dim());
              begin_stage(p, "encoding", texts.size(), "texts");
              encoder.encode(views, vectors, p);
              return vectors;
            }));
          },
          nb::arg("texts"), nb::arg("progress").none(), "[n_texts, dim] float32");
  nb::class_<Lsa>(module, "Lsa")
      .def_static(
          "fit",
          [](nb::handle iterable, size_t n_dims, size_t min_documents, size_t max_words,
             size_t n_iterations, uint64_t seed, nb::handle progress) {
            const std::vector<std::string> texts = to_texts(iterable);
            const LsaOptions options{.n_dims = n_dims,
                                     .min_documents = min_documents,
                                     .max_words = max_words,
                                     .n_iterations = n_iterations,
                                     .seed = seed};
            return long_work(progress,
                             [&](Progress* p) { return Lsa::fit(text_source(texts), options, p); });
          },
          nb::arg("texts"), nb::arg("n_dims"), nb::arg("min_documents"), nb::arg("max_words"),
          nb::arg("n_iterations"), nb::arg("seed"), nb::arg("progress").none())
      .def_static(
          "open", [](const std::filesystem::path& path) { return Lsa::open(path); },
          nb::arg("path"))
      .def("save", &Lsa::save, nb::arg("path"))
      .def_prop_ro("dim", &Lsa::dim)
      .def_prop_ro("n_words", &Lsa::n_words)
      .def_prop_ro(
          "singular_values", [](const Lsa& lsa) { return to_numpy(lsa.singular_values()); },
          nb::rv_policy::automatic)
      .def(
          "encode",
          [](const Lsa& lsa, nb::handle iterable) {
            const std::vector<std::string> texts = to_texts(iterable);
            return to_numpy(without_gil([&] {
              Matrix<float> vectors(texts.size(), lsa.dim());
              lsa.encode(texts, vectors);
              return vectors;
            }));
          },
          nb::arg("texts"), "[n_texts, dim] float32");
}

}  // namespace carya::python
