// The extension module carya._carya: thin wrappers of the C++ library, used by the Python classes
// in python/carya, which check and document their arguments.
#include <nanobind/nanobind.h>

#include <memory>

#include "carya/core/parallel.h"
#include "python/src/bindings.h"
#include "python/src/errors.h"

namespace nb = nanobind;

namespace {

// Python's with-statement around a ThreadLimit.
class ThreadLimitScope {
 public:
  explicit ThreadLimitScope(size_t n) : n_(n) {}
  void enter() { limit_ = std::make_unique<carya::ThreadLimit>(n_); }
  void exit() { limit_.reset(); }

 private:
  size_t n_;
  std::unique_ptr<carya::ThreadLimit> limit_;
};

}  // namespace

NB_MODULE(_carya, module) {
  module.doc() = "Wrappers of the C++ library; use the module carya.";
  module.attr("__version__") = CARYA_VERSION;
  carya::python::bind_errors(module);
  module.def("n_threads", &carya::n_threads, "The threads that Carya's functions use.");
  nb::class_<ThreadLimitScope>(module, "thread_limit",
                               "While the block runs, Carya uses at most n threads; 0: no limit. "
                               "Results do not depend on it.")
      .def(nb::init<size_t>(), nb::arg("n"))
      .def("__enter__", [](ThreadLimitScope& scope) { scope.enter(); })
      .def(
          "__exit__", [](ThreadLimitScope& scope, nb::args) { scope.exit(); },
          nb::sig("def __exit__(self, *exception: object) -> None"));
  carya::python::bind_atlas(module);
  carya::python::bind_cluster(module);
  carya::python::bind_multi_vector(module);
  carya::python::bind_neighbors(module);
  carya::python::bind_text(module);
}
