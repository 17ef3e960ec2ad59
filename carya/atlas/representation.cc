#include "carya/atlas/representation.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "carya/atlas/atlas_files.h"
#include "carya/core/container.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/text/lsa.h"
#include "carya/text/sentence_encoder.h"
#include "carya/text/static_encoder.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

// Squared, a view's share of the similarity.  A sentence's meaning counts as much as its words and
// their pieces together: docs/quality.md, "weights".
constexpr float kSentenceWeight = 1.0f;
constexpr float kLexicalWeight = 0.7f;
constexpr size_t kLexicalDims = 100;
constexpr const char* kDefaultModel = "all-MiniLM-L6-v2";

constexpr std::string_view kPrecisionNames[] = {"auto", "f32", "bf16", "int8"};

WeightFormat weight_format(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return WeightFormat::kF32;
    case Precision::kInt8:
      return WeightFormat::kInt8;
    case Precision::kBf16:
    case Precision::kAuto:
      break;
  }
  return WeightFormat::kBf16;  // the encoder falls back to f32 where the CPU lacks it
}

Precision precision_of(WeightFormat format) {
  return format == WeightFormat::kInt8   ? Precision::kInt8
         : format == WeightFormat::kBf16 ? Precision::kBf16
                                         : Precision::kF32;
}

std::string checksum_of_file(const fs::path& path) {
  return fmt::format("{:016x}", checksum(MappedFile::open(path).bytes()));
}

fs::path weights_file(const fs::path& model) {
  const fs::path safetensors = model / "model.safetensors";
  return fs::exists(safetensors) ? safetensors : model / "pytorch_model.bin";
}

}  // namespace

class Representation::View {
 public:
  virtual ~View() = default;
  virtual size_t dim() const noexcept = 0;
  virtual void encode(std::span<const std::string> texts, MatrixView<float> vectors,
                      Progress* progress) const = 0;
  // Writes its files and gives what open() needs to find them.
  virtual Json save(const fs::path& folder) const = 0;
};

namespace {

class SentenceView final : public Representation::View {
 public:
  SentenceView(const fs::path& model, Precision precision)
      : model_(model),
        encoder_(SentenceEncoder::open(model, {.precision = weight_format(precision)})) {}
  size_t dim() const noexcept override { return encoder_.dim(); }
  void encode(std::span<const std::string> texts, MatrixView<float> vectors,
              Progress* progress) const override {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    encoder_.encode(views, vectors, progress);
  }
  Json save(const fs::path&) const override {
    return {{"kind", "sentence"},
            {"model", fs::absolute(model_).lexically_normal().string()},
            {"checksum", checksum_of_file(weights_file(model_))},
            {"precision", precision_name()}};
  }
  std::string_view precision_name() const {
    return kPrecisionNames[static_cast<size_t>(precision_of(encoder_.precision()))];
  }
  const SentenceEncoder& encoder() const { return encoder_; }

 private:
  fs::path model_;
  SentenceEncoder encoder_;
};

// "##"-pieces and whole words, as the model's tokenizer sees them; at most so many of a text.
TextSplitter piece_splitter(const fs::path& model) {
  constexpr size_t kMaxPieces = 4096;
  auto tokenizer = std::make_shared<const WordPiece>(WordPiece::open(model));
  return [tokenizer](std::string_view text) {
    std::vector<int32_t> ids;
    tokenizer->encode(text, kMaxPieces, ids);
    std::vector<std::string> pieces;
    for (size_t i = 1; i + 1 < ids.size(); ++i) {  // without [CLS] and [SEP]
      pieces.emplace_back(tokenizer->token(static_cast<size_t>(ids[i])));
    }
    return pieces;
  };
}

class LsaView final : public Representation::View {
 public:
  // model: whose tokenizer splits into pieces; none: words.
  LsaView(Lsa lsa, std::optional<fs::path> model)
      : lsa_(std::move(lsa)), model_(std::move(model)) {}
  size_t dim() const noexcept override { return lsa_.dim(); }
  void encode(std::span<const std::string> texts, MatrixView<float> vectors,
              Progress*) const override {
    lsa_.encode(texts, vectors);
  }
  Json save(const fs::path& folder) const override {
    lsa_.save(folder / (model_ ? kPiecesFile : kWordsFile));
    if (!model_) return {{"kind", "words"}};
    return {{"kind", "pieces"}, {"model", fs::absolute(*model_).lexically_normal().string()}};
  }

  static constexpr const char* kWordsFile = "words.lsa";
  static constexpr const char* kPiecesFile = "pieces.lsa";

 private:
  Lsa lsa_;
  std::optional<fs::path> model_;
};

class StaticView final : public Representation::View {
 public:
  explicit StaticView(StaticEncoder encoder) : encoder_(std::move(encoder)) {}
  size_t dim() const noexcept override { return encoder_.dim(); }
  void encode(std::span<const std::string> texts, MatrixView<float> vectors,
              Progress* progress) const override {
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    encoder_.encode(views, vectors, progress);
  }
  Json save(const fs::path& folder) const override {
    encoder_.save(folder / kStaticFile);
    return {{"kind", "static"}};
  }
  static constexpr const char* kStaticFile = "static.bin";

 private:
  StaticEncoder encoder_;
};

// The table distilled from a model; made once, then taken from the cache.
StaticEncoder static_encoder(const fs::path& model, const fs::path& cache, Progress* progress) {
  const fs::path file = cache / "static" / (checksum_of_file(weights_file(model)) + ".bin");
  if (fs::exists(file)) return StaticEncoder::open(file);
  StaticEncoder encoder = StaticEncoder::distil(SentenceEncoder::open(model), {}, progress);
  std::error_code error;
  fs::create_directories(file.parent_path(), error);
  if (!error) encoder.save(file);
  return encoder;
}

void require_model(const fs::path& folder) {
  if (fs::is_directory(folder)) return;
  throw Error(
      ErrorKind::kNotFound,
      fmt::format("the encoder's folder {} is gone: put it back (scripts/get-data fetches {}), "
                  "or search with --mode lexical",
                  folder.string(), kDefaultModel));
}

void scale_to_unit(std::span<float> row) {
  double squares = 0;
  for (float x : row) squares += static_cast<double>(x) * x;
  if (squares == 0) return;
  const double factor = 1 / std::sqrt(squares);
  for (float& x : row) x = static_cast<float>(x * factor);
}

}  // namespace

std::filesystem::path default_cache() {
  if (const char* cache = std::getenv("CARYA_CACHE"); cache != nullptr && *cache != '\0')
    return cache;
  const char* home = std::getenv("HOME");
  return fs::path(home == nullptr ? "." : home) / ".cache" / "carya";
}

Representation::Representation() = default;
Representation::Representation(Representation&&) noexcept = default;
Representation& Representation::operator=(Representation&&) noexcept = default;
Representation::~Representation() = default;

Representation Representation::fit(const TextSource& texts, const EncoderOptions& options,
                                   Progress* progress) {
  const fs::path cache = options.cache.empty() ? default_cache() : options.cache;
  const fs::path default_model = cache / "models" / kDefaultModel;
  const bool is_auto = options.encoder == "auto";
  const bool is_lsa = options.encoder == "lsa", is_static = options.encoder == "static";
  const bool is_default = is_auto || is_static || options.encoder == "minilm";
  const fs::path model = is_default ? default_model : atlas_files::folder_path(options.encoder);
  Representation representation;
  const bool has_model = !is_lsa && fs::is_directory(model);
  if (!has_model && !is_lsa) {
    const std::string hint =
        model == default_model
            ? "scripts/get-data fetches it (90 MB)"
            : "give the folder of a sentence-transformers model (with config.json), or "
              "auto, minilm, static or lsa";
    if (!is_auto) {
      throw Error(ErrorKind::kNotFound, fmt::format("--encoder {}: there is no folder {}: {}",
                                                    options.encoder, model.string(), hint));
    }
    representation.notice_ = fmt::format("no sentence encoder in {}: words alone are compared; {}",
                                         model.string(), hint);
  }
  const LsaOptions lsa{.n_dims = kLexicalDims, .seed = options.seed};
  if (is_static) {
    representation.parts_.push_back(
        {"static " + model.filename().string(), kSentenceWeight,
         std::make_unique<StaticView>(static_encoder(model, cache, progress))});
  } else if (has_model) {
    // Joined with the words, what int8 rounds away does not show (docs/quality.md).
    const bool is_int8 =
        options.precision == Precision::kAuto && is_auto && is_fast(WeightFormat::kInt8);
    auto view =
        std::make_unique<SentenceView>(model, is_int8 ? Precision::kInt8 : options.precision);
    const std::string name =
        fmt::format("{} ({})", model.filename().string(), view->precision_name());
    representation.parts_.push_back({name, kSentenceWeight, std::move(view)});
  }
  if (is_auto || is_static || is_lsa) {
    representation.parts_.push_back(
        {"words", kLexicalWeight,
         std::make_unique<LsaView>(Lsa::fit(texts, lsa, progress), std::nullopt)});
  }
  if ((is_auto || is_static) && has_model) {
    representation.parts_.push_back(
        {"pieces", kLexicalWeight,
         std::make_unique<LsaView>(Lsa::fit(texts, lsa, progress, piece_splitter(model)), model)});
  }
  return representation;
}

size_t Representation::dim() const noexcept {
  size_t sum = 0;
  for (const Part& part : parts_) sum += part.view->dim();
  return sum;
}

std::string Representation::description() const {
  std::string text;
  for (const Part& part : parts_) text += (text.empty() ? "" : " + ") + part.name;
  return text;
}

const std::string& Representation::notice() const noexcept { return notice_; }

void Representation::encode(std::span<const std::string> texts, MatrixView<float> vectors,
                            Progress* progress) const {
  require(vectors.rows() == texts.size() && vectors.cols() == dim(),
          "the output is {} x {}, but {} x {} is needed", vectors.rows(), vectors.cols(),
          texts.size(), dim());
  size_t column = 0;
  for (const Part& part : parts_) {
    Matrix<float> own(texts.size(), part.view->dim());
    part.view->encode(texts, own, progress);
    for (size_t i = 0; i < texts.size(); ++i) {
      scale_to_unit(own.row(i));
      std::ranges::transform(own.row(i), vectors.row_data(i) + column,
                             [&](float x) { return part.weight * x; });
    }
    column += own.cols();
  }
  for (size_t i = 0; i < texts.size(); ++i) scale_to_unit(vectors.row(i));
}

void Representation::save(const fs::path& folder) const {
  Json parts = Json::array();
  for (const Part& part : parts_) {
    Json json = part.view->save(folder);
    json["name"] = part.name;
    json["weight"] = part.weight;
    parts.push_back(std::move(json));
  }
  write_file(folder / atlas_files::kRepresentation, Json{{"parts", parts}}.dump(1) + "\n");
}

Representation Representation::open(const fs::path& folder) {
  const fs::path path = folder / atlas_files::kRepresentation;
  Representation representation;
  try {
    const Json json = Json::parse(read_file(path));
    for (const Json& part : json.at("parts")) {
      const std::string kind = part.at("kind"), name = part.at("name");
      const auto weight = part.at("weight").get<float>();
      std::unique_ptr<View> view;
      if (kind == "sentence") {
        const fs::path model = part.at("model").get<std::string>();
        const std::string precision = part.at("precision");
        const auto found = std::ranges::find(kPrecisionNames, precision);
        if (found == std::end(kPrecisionNames))
          throw Error(ErrorKind::kCorrupt, "unknown precision");
        require_model(model);
        if (checksum_of_file(weights_file(model)) != part.at("checksum").get<std::string>()) {
          throw Error(
              ErrorKind::kCorrupt,
              fmt::format(
                  "{}: is not the model that the atlas was built with: its vectors would not "
                  "fit; put that one back, or build the atlas again",
                  weights_file(model).string()));
        }
        view = std::make_unique<SentenceView>(
            model, static_cast<Precision>(found - std::begin(kPrecisionNames)));
      } else if (kind == "static") {
        view = std::make_unique<StaticView>(StaticEncoder::open(folder / StaticView::kStaticFile));
      } else if (kind == "words") {
        view = std::make_unique<LsaView>(Lsa::open(folder / LsaView::kWordsFile), std::nullopt);
      } else if (kind == "pieces") {
        const fs::path model = part.at("model").get<std::string>();
        require_model(model);
        view = std::make_unique<LsaView>(Lsa::open(folder / (name + ".lsa"), piece_splitter(model)),
                                         model);
      } else {
        throw Error(ErrorKind::kCorrupt, fmt::format("{}: unknown view '{}'", path.string(), kind));
      }
      representation.parts_.push_back({name, weight, std::move(view)});
    }
  } catch (const Json::exception& error) {
    throw Error(ErrorKind::kCorrupt,
                fmt::format("{}: is damaged: {}", path.string(), error.what()));
  }
  return representation;
}

}  // namespace carya
