#include "carya/text/encoder_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <optional>

#include "carya/core/error.h"
#include "carya/core/file.h"

namespace carya {

namespace {

using Json = nlohmann::json;
using std::filesystem::path;

// A JSON file with its name, for messages.
class Config {
 public:
  explicit Config(path file)
      : file_(std::move(file)), json_(Json::parse(read_file(file_), nullptr, false)) {
    if (json_.is_discarded()) fail("is no JSON; is the file complete?");
  }
  [[noreturn]] void fail(const std::string& reason) const {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", file_.string(), reason));
  }
  const Json& json() const noexcept { return json_; }
  template <class T>
  std::optional<T> find(const std::string& key) const {
    if (!json_.is_object() || !json_.contains(key) || json_[key].is_null()) return std::nullopt;
    try {
      return json_[key].get<T>();
    } catch (const Json::exception&) {
      fail(fmt::format("{} is {}", key, json_[key].dump()));
    }
  }
  std::string text(const std::string& key, const std::string& otherwise) const {
    return find<std::string>(key).value_or(otherwise);
  }
  bool is_true(const std::string& key) const { return find<bool>(key).value_or(false); }
  size_t size(const std::string& key, size_t greatest) const {
    const auto value = find<double>(key);
    if (!value) fail(fmt::format("{} is missing", key));
    if (!(*value >= 1 && *value <= static_cast<double>(greatest))) {
      fail(fmt::format("{} is {}, allowed are 1 to {}", key, *value, greatest));
    }
    return static_cast<size_t>(*value);
  }

 private:
  path file_;
  Json json_;
};

BertConfig read_bert(const Config& config) {
  if (const auto type = config.text("model_type", "bert"); type != "bert") {
    config.fail(
        fmt::format("a model of type '{}'; only 'bert' is known (MiniLM, bge, e5, gte of "
                    "the BERT architecture)",
                    type));
  }
  if (const auto act = config.text("hidden_act", "gelu"); act != "gelu") {
    config.fail(fmt::format("hidden_act is '{}'; only 'gelu' is known", act));
  }
  if (const auto kind = config.text("position_embedding_type", "absolute"); kind != "absolute") {
    config.fail(fmt::format("position_embedding_type is '{}'; only 'absolute' is known", kind));
  }
  BertConfig bert;
  bert.vocab_size = config.size("vocab_size", size_t{1} << 22);
  bert.hidden_size = config.size("hidden_size", size_t{1} << 14);
  bert.n_layers = config.size("num_hidden_layers", 256);
  bert.n_heads = config.size("num_attention_heads", 256);
  bert.intermediate_size = config.size("intermediate_size", size_t{1} << 16);
  bert.max_positions = config.size("max_position_embeddings", size_t{1} << 16);
  bert.layer_norm_epsilon =
      static_cast<float>(config.find<double>("layer_norm_eps").value_or(1e-12));
  if (bert.hidden_size % bert.n_heads != 0) {
    config.fail(fmt::format("hidden_size {} is no multiple of num_attention_heads {}",
                            bert.hidden_size, bert.n_heads));
  }
  return bert;
}

Pooling read_pooling(const Config& config) {
  constexpr std::pair<const char*, Pooling> kModes[] = {
      {"pooling_mode_mean_tokens", Pooling::kMean},
      {"pooling_mode_cls_token", Pooling::kFirst},
      {"pooling_mode_max_tokens", Pooling::kMax},
      {"pooling_mode_mean_sqrt_len_tokens", Pooling::kMeanSqrt}};
  if (const auto mode = config.text("pooling_mode", ""); !mode.empty()) {
    for (const auto& [name, pooling] : kModes) {
      if (std::string_view(name).substr(13).starts_with(mode)) return pooling;
    }
    config.fail(fmt::format("pooling_mode is '{}'; known are cls, mean, max, mean_sqrt_len", mode));
  }
  std::optional<Pooling> found;
  for (const auto& [key, value] : config.json().items()) {
    if (!key.starts_with("pooling_mode_") || value != true) continue;
    const auto mode = std::ranges::find(kModes, key, [](const auto& m) { return m.first; });
    if (mode == std::end(kModes)) config.fail(key + " is not known");
    if (found) config.fail("more than one pooling_mode is true");
    found = mode->second;
  }
  if (!found) config.fail("no pooling_mode is true");
  return *found;
}

// The modules, in order: a Transformer, a Pooling, perhaps a Normalize.
void read_modules(const path& folder, EncoderFolder& result) {
  const Config modules(folder / "modules.json");
  if (!modules.json().is_array()) modules.fail("is no list");
  bool has_pooling = false;
  for (const Json& module : modules.json()) {
    if (!module.is_object() || !module.contains("type") || !module["type"].is_string() ||
        !module.contains("path") || !module["path"].is_string()) {
      modules.fail("a module without type or path");
    }
    const auto type = module["type"].get<std::string>();
    const std::string name = type.substr(type.rfind('.') + 1);
    const path place = folder / module["path"].get<std::string>();
    if (name == "Transformer") {
      result.transformer = place;
    } else if (name == "Pooling") {
      result.pooling = read_pooling(Config(place / "config.json"));
      has_pooling = true;
    } else if (name == "Normalize") {
      result.normalize = true;
    } else {
      modules.fail(
          fmt::format("module '{}' is not known; known are Transformer, Pooling and "
                      "Normalize",
                      type));
    }
  }
  if (!has_pooling) modules.fail("there is no Pooling module: not an encoder of sentences");
}

}  // namespace

EncoderFolder EncoderFolder::read(const path& folder) {
  if (!is_directory(folder)) {
    throw Error(ErrorKind::kNotFound, fmt::format("{}: no such folder; a sentence-transformers "
                                                  "folder with config.json is needed",
                                                  folder.string()));
  }
  EncoderFolder result;
  result.transformer = folder;
  if (exists(folder / "modules.json")) read_modules(folder, result);
  result.config = read_bert(Config(result.transformer / "config.json"));
  result.max_tokens = result.config.max_positions;
  if (const path file = result.transformer / "sentence_bert_config.json"; exists(file)) {
    const Config config(file);
    if (config.find<double>("max_seq_length")) {
      result.max_tokens =
          std::min(result.max_tokens, config.size("max_seq_length", size_t{1} << 30));
    }
    result.lowercase = config.is_true("do_lower_case");
  }
  if (result.max_tokens < 2) {
    throw Error(ErrorKind::kCorrupt, fmt::format("{}: a max_seq_length of {}; at least 2 is needed",
                                                 folder.string(), result.max_tokens));
  }
  return result;
}

path EncoderFolder::weights() const {
  for (const char* name : {"model.safetensors", "pytorch_model.bin"}) {
    if (exists(transformer / name)) return transformer / name;
  }
  throw Error(ErrorKind::kNotFound,
              fmt::format("{}: neither model.safetensors nor pytorch_model.bin is there",
                          transformer.string()));
}

}  // namespace carya
