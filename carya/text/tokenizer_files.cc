// The readers of WordPiece: tokenizer.json, vocab.txt and tokenizer_config.json.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/text/wordpiece.h"

namespace carya {

namespace {

using Json = nlohmann::json;

constexpr size_t kMaxVocabulary = size_t{1} << 22;  // 16 times the largest in use

[[noreturn]] void corrupt(const std::string& name, const std::string& reason) {
  throw Error(ErrorKind::kCorrupt, fmt::format("{}: {}", name, reason));
}

Json parse(std::string_view text, const std::string& name) {
  Json json = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) corrupt(name, "not a JSON object; is the file complete?");
  return json;
}

// strip_accents: null means "as lowercase".
void set_strip_accents(const Json& value, NormalizerOptions& options) {
  options.strip_accents = value.is_boolean() ? value.get<bool>() : options.lowercase;
}

NormalizerOptions read_normalizer(const Json& json, const std::string& name) {
  if (json.value("type", "") != "BertNormalizer") {
    corrupt(name, fmt::format("normalizer '{}': only BertNormalizer is known",
                              json.value("type", "none")));
  }
  NormalizerOptions options;
  options.clean_text = json.value("clean_text", true);
  options.handle_chinese_chars = json.value("handle_chinese_chars", true);
  options.lowercase = json.value("lowercase", true);
  set_strip_accents(json.value("strip_accents", Json()), options);
  return options;
}

// [first] text [last], as TemplateProcessing or BertProcessing say it.
void read_post_processor(const Json& json, const std::string& name, WordPieceOptions& options) {
  const std::string type = json.value("type", "");
  if (type == "BertProcessing") {
    options.first = json.at("cls").at(0).get<std::string>();
    options.last = json.at("sep").at(0).get<std::string>();
  } else if (type == "TemplateProcessing") {
    const Json& single = json.at("single");
    if (single.size() != 3 || !single[0].contains("SpecialToken") ||
        !single[1].contains("Sequence") || !single[2].contains("SpecialToken")) {
      corrupt(name, "the template for a text is not [first] text [last]");
    }
    options.first = single[0]["SpecialToken"].at("id").get<std::string>();
    options.last = single[2]["SpecialToken"].at("id").get<std::string>();
  } else {
    corrupt(name, fmt::format("post-processor '{}' is not known", type));
  }
}

void set_token(std::vector<std::string>& tokens, size_t id, const std::string& token,
               const std::string& name) {
  if (id >= kMaxVocabulary) corrupt(name, fmt::format("token '{}' has id {}", token, id));
  if (id >= tokens.size()) tokens.resize(id + 1);
  tokens[id] = token;
}

WordPiece read_tokenizer(const Json& json, const std::string& name) {
  const Json& model = json.at("model");
  if (model.value("type", "WordPiece") != "WordPiece") {
    corrupt(name, fmt::format("a {} tokenizer; only WordPiece (the BERT family) is known",
                              model.value("type", "")));
  }
  WordPieceOptions options;
  options.unknown = model.value("unk_token", options.unknown);
  options.continuation = model.value("continuing_subword_prefix", options.continuation);
  options.max_chars_per_word = model.value("max_input_chars_per_word", options.max_chars_per_word);
  options.normalizer = read_normalizer(json.at("normalizer"), name);
  if (json.at("pre_tokenizer").value("type", "") != "BertPreTokenizer") {
    corrupt(name, "a pre-tokenizer other than BertPreTokenizer");
  }
  read_post_processor(json.at("post_processor"), name, options);
  std::vector<std::string> tokens;
  for (const auto& [token, id] : model.at("vocab").items()) {
    set_token(tokens, id.get<size_t>(), token, name);
  }
  options.special.clear();
  for (const Json& added : json.value("added_tokens", Json::array())) {
    const auto token = added.at("content").get<std::string>();
    if (token.empty()) continue;
    set_token(tokens, added.at("id").get<size_t>(), token, name);
    options.special.push_back(token);
  }
  return WordPiece(std::move(tokens), options);
}

}  // namespace

WordPiece WordPiece::from_tokenizer_json(std::string_view json, const std::string& name) {
  const Json parsed = parse(json, name);
  try {
    return read_tokenizer(parsed, name);
  } catch (const Json::exception& e) {
    corrupt(name, fmt::format("not a tokenizer of the form expected ({})", e.what()));
  } catch (const Error& e) {
    if (e.kind() != ErrorKind::kInvalidArgument) throw;
    corrupt(name, e.what());
  }
}

WordPiece WordPiece::from_vocab(std::string_view lines, const std::string& name,
                                const WordPieceOptions& options) {
  std::vector<std::string> tokens;
  while (!lines.empty()) {
    const size_t end = std::min(lines.find('\n'), lines.size());
    std::string_view token = lines.substr(0, end);
    lines.remove_prefix(std::min(end + 1, lines.size()));
    while (token.ends_with('\r')) token.remove_suffix(1);
    tokens.emplace_back(token);
    if (tokens.size() > kMaxVocabulary) corrupt(name, "more than 4 million lines");
  }
  try {
    return WordPiece(std::move(tokens), options);
  } catch (const Error& e) {
    corrupt(name, e.what());
  }
}

WordPiece WordPiece::open(const std::filesystem::path& folder) {
  const auto json = folder / "tokenizer.json", vocab = folder / "vocab.txt";
  if (exists(json)) return from_tokenizer_json(read_file(json), json.string());
  if (!exists(vocab)) {
    throw Error(ErrorKind::kNotFound,
                fmt::format("{}: neither tokenizer.json nor vocab.txt is there; a BERT-family "
                            "sentence-transformers folder has one of them",
                            folder.string()));
  }
  WordPieceOptions options;
  if (const auto config = folder / "tokenizer_config.json"; exists(config)) {
    const Json parsed = parse(read_file(config), config.string());
    try {
      options.normalizer.lowercase = parsed.value("do_lower_case", true);
      options.normalizer.handle_chinese_chars = parsed.value("tokenize_chinese_chars", true);
      set_strip_accents(parsed.value("strip_accents", Json()), options.normalizer);
    } catch (const Json::exception& e) {
      corrupt(config.string(), e.what());
    }
  }
  return from_vocab(read_file(vocab), vocab.string(), options);
}

}  // namespace carya
