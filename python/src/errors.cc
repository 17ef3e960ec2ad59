#include "python/src/errors.h"

#include <array>
#include <cctype>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

#include "carya/core/error.h"

namespace carya::python {
namespace {

namespace nb = nanobind;

PyObject* corrupt_error = nullptr;
PyObject* cancelled_error = nullptr;

// The options whose names differ by more than dashes.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kOptions = {
    {{"force", "overwrite=True"},
     {"memory", "max_memory"},
     {"levels", "n_levels"},
     {"text COL[,COL]", "text=[COL, ...]"}}};

// A message of the library names options as the command line has them: "--min-cluster-size 1" is
// "min_cluster_size 1" here.
std::string in_python(std::string_view message) {
  std::string result;
  for (size_t i = 0; i < message.size();) {
    const bool at_word = i == 0 || message[i - 1] == ' ' || message[i - 1] == '(';
    if (!at_word || message[i] != '-') {
      result += message[i++];
      continue;
    }
    if (message.substr(i).starts_with("-k ")) {
      ++i;
      continue;
    }
    if (!message.substr(i).starts_with("--")) {
      result += message[i++];
      continue;
    }
    i += 2;
    bool known = false;
    for (const auto& [name, python_name] : kOptions) {
      if (message.substr(i).starts_with(name)) {
        result += python_name;
        i += name.size();
        known = true;
        break;
      }
    }
    while (!known && i < message.size() &&
           (std::islower(static_cast<unsigned char>(message[i])) || message[i] == '-')) {
      result += message[i] == '-' ? '_' : message[i];
      ++i;
    }
  }
  return result;
}

PyObject* type_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kInvalidArgument:
      return PyExc_ValueError;
    case ErrorKind::kNotFound:
      return PyExc_FileNotFoundError;
    case ErrorKind::kCorrupt:
      return corrupt_error;
    case ErrorKind::kIo:
      return PyExc_OSError;
    case ErrorKind::kCancelled:
      return cancelled_error;
  }
  return PyExc_RuntimeError;
}

void translate(const std::exception_ptr& exception, void*) {
  try {
    std::rethrow_exception(exception);
  } catch (const Error& error) {
    PyErr_SetString(type_of(error.kind()), in_python(error.what()).c_str());
  } catch (const std::filesystem::filesystem_error& error) {
    PyErr_SetString(PyExc_OSError, error.what());
  }
}

}  // namespace

void bind_errors(nb::module_& module) {
  corrupt_error = PyErr_NewExceptionWithDoc(
      "carya.CorruptError",
      "A file that is truncated, damaged, foreign or of another version; the message names it.",
      PyExc_OSError, nullptr);
  cancelled_error = PyErr_NewExceptionWithDoc(
      "carya.Cancelled",
      "Work that a progress callback stopped by returning False; what was complete is kept.",
      PyExc_RuntimeError, nullptr);
  module.attr("CorruptError") = nb::borrow(corrupt_error);
  module.attr("Cancelled") = nb::borrow(cancelled_error);
  nb::register_exception_translator(translate);
}

}  // namespace carya::python
