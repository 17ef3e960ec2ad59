#include "carya/io/safetensors.h"

#include <cstring>
#include <nlohmann/json.hpp>
#include <utility>

#include "carya/core/error.h"

namespace carya {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxHeader = 100'000'000;  // as the reference implementation

struct TypeName {
  std::string_view name;
  size_t bytes;
  TensorType type;
};
constexpr TypeName kTypes[] = {
    {"F32", 4, TensorType::kF32},   {"F16", 2, TensorType::kF16},   {"BF16", 2, TensorType::kBf16},
    {"F64", 8, TensorType::kOther}, {"I64", 8, TensorType::kOther}, {"I32", 4, TensorType::kOther},
    {"I16", 2, TensorType::kOther}, {"I8", 1, TensorType::kOther},  {"U64", 8, TensorType::kOther},
    {"U32", 4, TensorType::kOther}, {"U16", 2, TensorType::kOther}, {"U8", 1, TensorType::kOther},
    {"BOOL", 1, TensorType::kOther}};

[[noreturn]] void corrupt(const std::string& name, const std::string& reason) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", name, reason));
}

size_t to_size(const Json& value, const std::string& what) {
  if (!value.is_number_unsigned()) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: a size that is no whole number", what));
  }
  return value.get<size_t>();
}

// True if an object or array lies more than `limit` deep: a tensor's shape is at depth 3.
bool is_deeper_than(std::string_view json, int limit) {
  int depth = 0;
  bool in_string = false;
  for (size_t i = 0; i < json.size(); ++i) {
    const char c = json[i];
    if (in_string) {
      if (c == '\\') ++i;
      if (c == '"') in_string = false;
    } else if (c == '"') {
      in_string = true;
    } else if (c == '{' || c == '[') {
      if (++depth > limit) return true;
    } else if (c == '}' || c == ']') {
      --depth;
    }
  }
  return false;
}

Tensor read_tensor(const Json& entry, std::span<const std::byte> numbers, const std::string& what) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets") || !entry["dtype"].is_string() ||
      !entry["shape"].is_array() || !entry["data_offsets"].is_array() ||
      entry["data_offsets"].size() != 2) {
    throw Error(ErrorKind::kCorrupt, what + ": needs dtype, shape and two data_offsets");
  }
  Tensor tensor;
  for (const Json& size : entry["shape"]) tensor.shape.push_back(to_size(size, what));
  const size_t begin = to_size(entry["data_offsets"][0], what);
  const size_t end = to_size(entry["data_offsets"][1], what);
  if (begin > end || end > numbers.size()) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: bytes {} to {} of {}; the file is truncated or damaged", what,
                            begin, end, numbers.size()));
  }
  tensor.bytes = numbers.subspan(begin, end - begin);
  const auto& dtype = entry["dtype"].get_ref<const std::string&>();
  for (const TypeName& type : kTypes) {
    if (type.name != dtype) continue;
    tensor.type = type.type;
    if (tensor_bytes(tensor.shape, type.bytes, what) != end - begin) {
      throw Error(ErrorKind::kCorrupt,
                  fmt::format("{}: {} bytes do not fit its shape", what, end - begin));
    }
  }
  return tensor;
}

}  // namespace

Tensors parse_safetensors(std::span<const std::byte> file, const std::string& name) {
  uint64_t length = 0;
  if (file.size() < sizeof(length)) {
    corrupt(name, fmt::format("{} bytes are no safetensors file", file.size()));
  }
  std::memcpy(&length, file.data(), sizeof(length));
  if (length > kMaxHeader || length > file.size() - sizeof(length)) {
    corrupt(name, fmt::format("a header of {} bytes in a file of {}: truncated, or no safetensors "
                              "file",
                              length, file.size()));
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + sizeof(length), length);
  if (is_deeper_than(text, 8)) corrupt(name, "the header is nested too deeply");
  const Json header = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!header.is_object()) corrupt(name, "the header is no JSON object");
  const auto numbers = file.subspan(sizeof(length) + length);
  Tensors tensors;
  for (const auto& [key, entry] : header.items()) {
    if (key == "__metadata__") continue;
    tensors.emplace(key, read_tensor(entry, numbers, fmt::format("{}: tensor {}", name, key)));
  }
  return tensors;
}

std::string to_safetensors(std::span<const NamedArray> arrays,
                           const std::map<std::string, std::string>& metadata) {
  Json header = Json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  size_t end = 0;
  for (const NamedArray& array : arrays) {
    const size_t begin = std::exchange(end, end + array.bytes.size());
    header[array.name] = {
        {"dtype", array.type}, {"shape", array.shape}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump(-1, ' ', false, Json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the numbers are aligned
  std::string file(8, '\0');
  for (size_t i = 0; i < 8; ++i) file[i] = static_cast<char>(uint64_t{text.size()} >> (8 * i));
  file.reserve(8 + text.size() + end);
  file += text;
  for (const NamedArray& array : arrays) {
    file.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
  }
  return file;
}

}  // namespace carya
