#include "carya/io/torch_checkpoint.h"

#include <string_view>

#include "carya/core/error.h"
#include "carya/io/pickle.h"
#include "carya/io/zip_directory.h"

namespace carya {

namespace {

using Kind = Pickle::Kind;
using Entries = std::map<std::string, std::span<const std::byte>, std::less<>>;

class CheckpointReader {
 public:
  CheckpointReader(const Pickle& pickle, const Entries& entries, std::string folder,
                   const std::string& name)
      : pickle_(pickle), entries_(entries), folder_(std::move(folder)), name_(name) {}

  Tensors read() const {
    const Pickle::Value& root = pickle_.result();
    if (root.kind != Kind::kDict) {
      throw Error(ErrorKind::kCorrupt,
                  name_ + ": the checkpoint is no state dict (name -> tensor)");
    }
    Tensors tensors;
    for (size_t i = 0; i + 1 < root.items.size(); i += 2) {
      const Pickle::Value& key = pickle_[root.items[i]];
      if (key.kind != Kind::kText) continue;
      const std::string tensor(key.text);
      tensors[tensor] =
          read_tensor(pickle_[root.items[i + 1]], fmt::format("{}: tensor {}", name_, tensor));
    }
    return tensors;
  }

 private:
  [[noreturn]] static void fail(const std::string& what, const std::string& reason) {
    throw Error(ErrorKind::kCorrupt, what + " " + reason);
  }
  // Items of a tuple; at least `n`.
  const std::vector<uint32_t>& tuple(uint32_t i, size_t n, const std::string& what) const {
    const Pickle::Value& value = pickle_[i];
    if (value.kind != Kind::kTuple || value.items.size() < n)
      fail(what, "is not as torch writes it");
    return value.items;
  }
  size_t size(uint32_t i, const std::string& what) const {
    const Pickle::Value& value = pickle_[i];
    if (value.kind != Kind::kInt || value.number < 0) fail(what, "has a size that is no number");
    return static_cast<size_t>(value.number);
  }

  Tensor read_tensor(const Pickle::Value& value, const std::string& what) const {
    if (value.kind != Kind::kCall) fail(what, "is no tensor");
    const std::string_view function = pickle_[value.items[0]].text;
    if (function == "torch._utils\n_rebuild_parameter\n") {  // (tensor, requires_grad, hooks)
      const Pickle::Value& inner = pickle_[tuple(value.items[1], 1, what)[0]];
      if (inner.kind != Kind::kCall || &inner == &value ||
          pickle_[inner.items[0]].text == function) {
        fail(what, "is a parameter of a parameter");
      }
      return read_tensor(inner, what);
    }
    if (function != "torch._utils\n_rebuild_tensor_v2\n") fail(what, "is of an unknown kind");
    // (storage, offset, sizes, strides, ...), storage being ('storage', type, key, device, numbers)
    const auto& arguments = tuple(value.items[1], 4, what);
    const Pickle::Value& id = pickle_[arguments[0]];
    if (id.kind != Kind::kPersistent) fail(what, "has no storage");
    const auto& storage = tuple(id.items[0], 5, what);
    Tensor tensor;
    for (const uint32_t i : tuple(arguments[2], 0, what)) tensor.shape.push_back(size(i, what));
    const size_t element = set_type(pickle_[storage[1]].text, tensor);
    if (tensor.type == TensorType::kOther) return tensor;

    require_contiguous(tensor, tuple(arguments[3], tensor.shape.size(), what), what);
    const std::string_view key = pickle_[storage[2]].text;
    const auto entry = entries_.find(fmt::format("{}data/{}", folder_, key));
    if (entry == entries_.end())
      fail(what, fmt::format("has its numbers in data/{}, which is missing", key));
    const size_t bytes = tensor_bytes(tensor.shape, element, what);
    const size_t offset = size(arguments[1], what), available = entry->second.size();
    if (offset > available / element || bytes > available - offset * element) {
      fail(what, "reaches beyond its storage");
    }
    tensor.bytes = entry->second.subspan(offset * element, bytes);
    return tensor;
  }

  // The bytes of an element.
  static size_t set_type(std::string_view storage, Tensor& tensor) {
    tensor.type = storage == "torch\nFloatStorage\n"      ? TensorType::kF32
                  : storage == "torch\nHalfStorage\n"     ? TensorType::kF16
                  : storage == "torch\nBFloat16Storage\n" ? TensorType::kBf16
                                                          : TensorType::kOther;
    return tensor.type == TensorType::kF32 ? 4 : 2;
  }

  void require_contiguous(const Tensor& tensor, const std::vector<uint32_t>& strides,
                          const std::string& what) const {
    size_t expected = 1;
    for (size_t i = tensor.shape.size(); i > 0; --i) {
      const size_t length = tensor.shape[i - 1];
      if (length > 1 && size(strides[i - 1], what) != expected) fail(what, "is not contiguous");
      if (__builtin_mul_overflow(expected, length, &expected)) fail(what, "is too large");
    }
  }

  const Pickle& pickle_;
  const Entries& entries_;
  std::string folder_;
  const std::string& name_;
};

}  // namespace

Tensors parse_torch_checkpoint(std::span<const std::byte> file, const std::string& name) {
  const Entries entries = parse_zip(file, name);
  constexpr std::string_view kPickle = "data.pkl";
  for (const auto& [path, bytes] : entries) {  // in a folder named after the file it was saved as
    if (!path.ends_with(kPickle)) continue;
    const std::string folder = path.substr(0, path.size() - kPickle.size());
    if (!folder.empty() && !folder.ends_with('/')) continue;
    const Pickle pickle = Pickle::parse(bytes, name);
    return CheckpointReader(pickle, entries, folder, name).read();
  }
  throw Error(ErrorKind::kCorrupt,
              name + ": a zip file without data.pkl is no checkpoint of torch");
}

}  // namespace carya
