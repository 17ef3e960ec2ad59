#include "carya/atlas/build.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <thread>

#include "carya/atlas/atlas_files.h"
#include "carya/atlas/item_store.h"
#include "carya/atlas/naming.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/index/hnsw.h"
#include "carya/index/knn_graph.h"
#include "carya/io/vectors.h"
#include "carya/text/terms.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
namespace files = atlas_files;
using Json = nlohmann::json;

constexpr size_t kNeighbors =
    30;  // of the graph: 20 to 30 are equal, 10 is worse (docs/quality.md)
constexpr size_t kTextsPerBlock = 4096;  // encoded, then written: an interruption loses so many
constexpr const char* kState = "state.json";
constexpr const char* kPartialVectors = "vectors.partial";

size_t peak_memory() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

// Two builds in one folder would mix their files.
class FolderLock {
 public:
  explicit FolderLock(const fs::path& folder)
      : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
    if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      if (descriptor_ >= 0) ::close(descriptor_);
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: another carya is building there; wait for it, or choose "
                              "another output",
                              folder.string()));
    }
  }
  ~FolderLock() { ::close(descriptor_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_;
};

// One build: its folder, what is done in it, and the stages in their order.
class Build {
 public:
  Build(const fs::path& input, const fs::path& output, const AtlasOptions& options,
        Progress* progress)
      : input_(input),
        output_(output),
        folder_(output.string() + ".part"),
        options_(options),
        progress_(progress) {}

  void run() {
    check_output();
    options_.organise.validate();
    const std::optional<InputFormat> format =
        input_ == "-" ? std::nullopt : std::optional(input_format(input_));
    const bool is_vectors =
        format == InputFormat::kNpy || format == InputFormat::kFvecs || format == InputFormat::kIdx;
    require(!is_vectors || options_.encoder.encoder == "auto" || options_.encoder.encoder == "none",
            "--encoder {}: {} holds vectors, which need none", options_.encoder.encoder,
            input_.string());
    require(is_vectors || options_.encoder.encoder != "none",
            "--encoder none is for vectors; {} holds texts: use auto, minilm, static, lsa or a "
            "model's folder",
            input_.string());
    open_folder();
    const FolderLock lock(folder_);
    start_or_resume();
    if (is_vectors) {
      stage("read", [&] { read_vectors(); });
    } else {
      stage("read", [&] { read_records(); });
      stage("learn", [&] { learn_representation(); });
      stage("encode", [&] { encode(); });
    }
    stage("neighbors", [&] { find_neighbors(); });
    stage("organise", [&] { organise_items(); });
    stage("name", [&] { name(); });
    stage("index", [&] { build_index(); });
    finish();
  }

 private:
  void check_output() const {
    if (!fs::exists(output_)) return;
    if (!options_.overwrite) {
      throw Error(
          ErrorKind::kInvalidArgument,
          fmt::format("{}: is there already: choose another name, remove it, or say --force",
                      output_.string()));
    }
    if (!fs::exists(output_ / files::kManifest)) {
      throw Error(ErrorKind::kInvalidArgument,
                  fmt::format("{}: is no atlas, so --force does not replace it", output_.string()));
    }
  }

  void open_folder() const {
    std::error_code error;
    fs::create_directory(folder_, error);
    if (error) {
      throw Error(ErrorKind::kIo,
                  fmt::format("{}: cannot make the folder: {}", folder_.string(), error.message()));
    }
  }

  // What must be the same for a half-finished build to be of use.
  Json fingerprint() const {
    Json json = {{"version", files::kVersion},
                 {"input", input_ == "-" ? "-" : fs::absolute(input_).string()},
                 {"encoder", options_.encoder.encoder},
                 {"precision", static_cast<int>(options_.encoder.precision)},
                 {"seed", options_.organise.seed},
                 {"method", organise_method_name(options_.organise.method)},
                 {"min_cluster_size", options_.organise.min_cluster_size.value_or(0)},
                 {"n_levels", options_.organise.n_levels},
                 {"text", options_.read.text_columns},
                 {"id", options_.read.id_column},
                 {"delimiter", std::string(1, options_.read.delimiter)}};
    std::error_code error;
    if (fs::is_regular_file(input_, error)) {
      json["bytes"] = fs::file_size(input_, error);
      json["modified"] = fs::last_write_time(input_, error).time_since_epoch().count();
    }
    return json;
  }

  void start_or_resume() {
    state_ = {{"fingerprint", fingerprint()}, {"done", Json::array()}, {"stages", Json::array()}};
    if (options_.resume && input_ != "-" && fs::exists(folder_ / kState)) {
      const Json old =
          Json::parse(read_file(folder_ / kState), nullptr, /*allow_exceptions=*/false);
      if (old.is_object() && old.value("fingerprint", Json()) == state_["fingerprint"] &&
          old.contains("done") && old.contains("stages")) {
        state_ = old;
        if (!state_["done"].empty()) notify(fmt::format("going on with {}", folder_.string()));
        return;
      }
    }
    for (const auto& entry : fs::directory_iterator(folder_)) fs::remove_all(entry.path());
    save_state();
  }

  void save_state() const { write_file(folder_ / kState, state_.dump(1)); }

  template <class Body>
  void stage(const std::string& name, const Body& body) {
    if (std::ranges::find(state_["done"], Json(name)) != state_["done"].end()) return;
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    state_["done"].push_back(name);
    state_["stages"].push_back(
        {{"stage", name}, {"seconds", seconds.count()}, {"peak_bytes", peak_memory()}});
    save_state();
  }

  void notify(const std::string& text) const {
    if (options_.notice && !text.empty()) options_.notice(text);
  }

  void require_memory(size_t n_items, size_t dim) const {
    const size_t needed = estimate_build_memory(n_items, dim);
    require(options_.max_memory == 0 || needed <= options_.max_memory,
            "{} items of {} dims need about {:.2f} GB, but --memory is {:.2f} GB: raise it, or "
            "choose a "
            "representation of fewer dims (--encoder lsa or static)",
            n_items, dim, static_cast<double>(needed) / 1e9,
            static_cast<double>(options_.max_memory) / 1e9);
  }

  void read_records() {
    fs::remove(folder_ / files::kItems);
    const auto records = open_records(input_, options_.read);
    const ItemStore items = ItemStore::create(folder_ / files::kItems, *records, progress_);
    if (items.size() == 0) {
      throw Error(
          ErrorKind::kNotFound,
          fmt::format("{}: has no items", input_ == "-" ? "standard input" : input_.string()));
    }
  }

  void read_vectors() {
    begin_stage(progress_, "reading", 0, "vectors");
    const Matrix<float> vectors = carya::read_vectors(input_);
    if (vectors.rows() == 0)
      throw Error(ErrorKind::kNotFound, fmt::format("{}: has no vectors", input_.string()));
    require_finite(vectors, "vector");
    require_memory(vectors.rows(), vectors.cols());
    fs::remove(folder_ / files::kItems);
    ItemStore::create_empty_texts(folder_ / files::kItems, vectors.rows());
    files::save_vectors(folder_ / files::kVectors, vectors);
  }

  // Blocks of texts from the store.
  static TextSource source_of(const ItemStore& items) {
    return {items.size(),
            [&items](size_t first, size_t count) { return items.texts(first, count); }};
  }

  void learn_representation() {
    const ItemStore items = ItemStore::open(folder_ / files::kItems);
    EncoderOptions encoder = options_.encoder;
    encoder.seed = options_.organise.seed;
    representation_ = Representation::fit(source_of(items), encoder, progress_);
    notify(representation_->notice());
    require_memory(items.size(), representation_->dim());
    representation_->save(folder_);
  }

  void encode() {
    if (!representation_) representation_ = Representation::open(folder_);
    const ItemStore items = ItemStore::open(folder_ / files::kItems);
    const size_t n = items.size(), dim = representation_->dim(), row_bytes = dim * sizeof(float);
    const fs::path path = folder_ / kPartialVectors;
    // Whole blocks of an interrupted run are kept.
    size_t done = 0;
    if (fs::exists(path)) {
      done = std::min(n, fs::file_size(path) / row_bytes);
      if (done < n) done = done / kTextsPerBlock * kTextsPerBlock;
      fs::resize_file(path, done * row_bytes);
    }
    std::ofstream out(path, std::ios::binary | std::ios::app);
    begin_stage(progress_, "encoding", n, "texts");
    if (done > 0) advance(progress_, done);
    // Long texts first would be faster still, but then an interrupted run could not go on.
    Matrix<float> block(std::min(kTextsPerBlock, n), dim);
    for (size_t first = done; first < n; first += kTextsPerBlock) {
      const std::vector<std::string> texts =
          items.texts(first, std::min(kTextsPerBlock, n - first));
      const MatrixView<float> rows = block.view().slice(0, texts.size());
      representation_->encode(texts, rows, nullptr);
      out.write(reinterpret_cast<const char*>(rows.data()),
                static_cast<std::streamsize>(texts.size() * row_bytes));
      out.flush();
      if (!out) {
        throw Error(ErrorKind::kIo,
                    fmt::format("{}: cannot write: is the disk full?", path.string()));
      }
      advance(progress_, texts.size());
    }
    out.close();
    const MappedFile raw = MappedFile::open(path);
    files::save_vectors(folder_ / files::kVectors,
                        {reinterpret_cast<const float*>(raw.bytes().data()), n, dim});
    fs::remove(path);
    representation_.reset();
  }

  void find_neighbors() {
    const files::MappedVectors mapped = files::open_vectors(folder_ / files::kVectors);
    if (mapped.vectors.rows() == 1) {
      files::save_neighbors(folder_ / files::kNeighbors,
                            Neighbors{Matrix<uint32_t>(1, 0), Matrix<float>(1, 0)});
      return;
    }
    const size_t k = std::min(kNeighbors, mapped.vectors.rows() - 1);
    files::save_neighbors(
        folder_ / files::kNeighbors,
        knn_graph(mapped.vectors, {.k = k, .seed = options_.organise.seed}, progress_));
  }

  void organise_items() {
    const files::MappedVectors mapped = files::open_vectors(folder_ / files::kVectors);
    const Neighbors neighbors = files::open_neighbors(folder_ / files::kNeighbors);
    files::save_tree(folder_ / files::kTree,
                     organise(mapped.vectors, neighbors, options_.organise, progress_));
  }

  void name() {
    const ItemStore items = ItemStore::open(folder_ / files::kItems);
    const files::MappedVectors mapped = files::open_vectors(folder_ / files::kVectors);
    const Organised organised = files::open_tree(folder_ / files::kTree);
    const TermTable terms = extract_terms(source_of(items), {}, progress_);
    const std::vector<NodeName> names =
        name_nodes(organised.tree, terms, mapped.vectors, {}, progress_);
    files::save_names(folder_ / files::kNames, names);
  }

  void build_index() {
    const files::MappedVectors mapped = files::open_vectors(folder_ / files::kVectors);
    std::vector<ItemId> ids(mapped.vectors.rows());
    std::iota(ids.begin(), ids.end(), ItemId{0});
    const Neighbors neighbors = files::open_neighbors(folder_ / files::kNeighbors);
    Hnsw::build(ids, mapped.vectors, neighbors, Metric::kSquaredL2,
                {.seed = options_.organise.seed}, progress_)
        .save(folder_ / files::kIndex);
  }

  void finish() {
    const Json run = {{"stages", state_["stages"]},
                      {"peak_bytes", peak_memory()},
                      {"threads", n_threads()},
                      {"cpus", std::thread::hardware_concurrency()}};
    fs::remove(folder_ / kState);
    const files::MappedVectors mapped = files::open_vectors(folder_ / files::kVectors);
    std::string encoder = "none";
    if (fs::exists(folder_ / "representation.json")) {
      encoder = Representation::open(folder_).description();
    }
    const Json manifest = {
        {"format", "carya-atlas"},
        {"version", files::kVersion},
        {"n_items", mapped.vectors.rows()},
        {"dim", mapped.vectors.cols()},
        {"encoder", encoder},
        {"method", organise_method_name(options_.organise.method)},
        {"seed", options_.organise.seed},
        {"min_cluster_size", options_.organise.cluster_size_for(mapped.vectors.rows())},
        {"n_levels", options_.organise.n_levels},
        {"files", files::file_list(folder_)}};
    write_file(folder_ / files::kRun, run.dump(1) + "\n");
    write_file(folder_ / files::kManifest, manifest.dump(1) + "\n");
    replace_folder(folder_, output_);
  }

  fs::path input_, output_, folder_;
  const AtlasOptions& options_;
  Progress* progress_;
  Json state_;
  std::optional<Representation> representation_;
};

}  // namespace

size_t estimate_build_memory(size_t n_items, size_t dim) {
  // The vectors are mapped twice (the index has its own copy); lists of 30 neighbours in three
  // forms; 116 diffusion vectors and the coordinates; merges, terms.
  constexpr size_t kPerItem = 30 * 8 * 3 + 116 * 4 + 48 * 4 + 400;
  return n_items * (2 * dim * sizeof(float) + kPerItem) + (size_t{200} << 20);
}

void build_atlas(const fs::path& input, const fs::path& output, const AtlasOptions& options,
                 Progress* progress) {
  Build(input, output, options, progress).run();
}

}  // namespace carya
