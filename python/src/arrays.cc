#include "python/src/arrays.h"

#include <fmt/core.h>

#include "carya/core/error.h"

namespace carya::python {

std::vector<std::string> to_texts(nb::handle iterable) {
  std::vector<std::string> texts;
  for (const nb::handle item : iterable) {
    require(PyUnicode_Check(item.ptr()) != 0, "text {} is {}, not a str", texts.size(),
            item.is_none() ? "None" : nb::type_name(item.type()).c_str());
    Py_ssize_t size = 0;
    if (const char* bytes = PyUnicode_AsUTF8AndSize(item.ptr(), &size)) {
      texts.emplace_back(bytes, static_cast<size_t>(size));
    } else {  // half of a surrogate pair
      PyErr_Clear();
      const nb::object encoded =
          nb::steal(PyUnicode_AsEncodedString(item.ptr(), "utf-8", "replace"));
      if (!encoded.is_valid()) throw nb::python_error();
      texts.emplace_back(PyBytes_AsString(encoded.ptr()),
                         static_cast<size_t>(PyBytes_Size(encoded.ptr())));
    }
  }
  return texts;
}

}  // namespace carya::python
