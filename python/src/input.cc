// What an atlas is made of, from Python: paths, texts, tables, vectors.
#include "python/src/input.h"

#include <nanobind/stl/filesystem.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <utility>

#include "carya/core/error.h"
#include "carya/io/utf8.h"
#include "python/src/arrays.h"
#include "python/src/arrow.h"

namespace carya::python {
namespace {

class TextRecords final : public RecordReader {
 public:
  // Ids go on after `n_before`.
  TextRecords(std::vector<std::string> texts, size_t n_before)
      : texts_(std::move(texts)), n_before_(n_before) {
    for (const std::string& text : texts_) total_ += text.size();
  }
  const std::vector<std::string>& columns() const noexcept override { return columns_; }
  bool next(Record& record) override {
    if (at_ == texts_.size()) return false;
    std::string& text = texts_[at_++];
    read_ += text.size();
    record = {
        std::to_string(n_before_ + at_), to_valid_utf8(text), {}, fmt::format("text {}", at_ - 1)};
    std::string().swap(text);  // it is in the file now
    return true;
  }
  size_t bytes_read() const noexcept override { return read_; }
  size_t bytes_total() const noexcept override { return total_; }

 private:
  std::vector<std::string> texts_, columns_;
  size_t n_before_, at_ = 0, read_ = 0, total_ = 0;
};

}  // namespace

AtlasInput& Input::take() {
  require(input_ != nullptr && !std::exchange(taken_, true), "this input was used already");
  return *input_;
}

void bind_input(nb::module_& module) {
  nb::class_<Input>(module, "Input", "What Atlas.build and Atlas.add read, once.");
  module.def(
      "file_input",
      [](const std::filesystem::path& path, std::vector<std::string> text, std::string id,
         const std::string& delimiter) {
        require(delimiter.size() <= 1, "delimiter '{}': one character", delimiter);
        return Input(file_input(path, {.text_columns = std::move(text),
                                       .id_column = std::move(id),
                                       .delimiter = delimiter.empty() ? '\0' : delimiter[0]}));
      },
      nb::arg("path"), nb::arg("text"), nb::arg("id"), nb::arg("delimiter"));
  module.def(
      "text_input",
      [](nb::handle texts, size_t n_before) {
        return Input(record_input(std::make_unique<TextRecords>(to_texts(texts), n_before),
                                  "the list of texts"));
      },
      nb::arg("texts"), nb::arg("n_before"));
  module.def(
      "table_input",
      [](nb::handle capsule, std::vector<std::string> text, std::string id, std::string name,
         size_t n_before) {
        auto* stream = static_cast<ArrowArrayStream*>(
            PyCapsule_GetPointer(capsule.ptr(), "arrow_array_stream"));
        if (stream == nullptr) throw nb::python_error();
        auto records = std::make_unique<ArrowRecords>(
            *stream, ReadOptions{.text_columns = std::move(text), .id_column = std::move(id)}, name,
            n_before);
        return Input(record_input(std::move(records), std::move(name)));
      },
      nb::arg("capsule"), nb::arg("text"), nb::arg("id"), nb::arg("name"), nb::arg("n_before"));
  module.def(
      "vector_input",
      [](const MatrixIn<float>& vectors) {
        return Input(vector_input(view_of(vectors), "the array"),
                     std::make_shared<MatrixIn<float>>(vectors));
      },
      nb::arg("vectors"));
}

}  // namespace carya::python
