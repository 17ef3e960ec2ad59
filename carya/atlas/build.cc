#include "carya/atlas/build.h"

#include <algorithm>
#include <chrono>
#include <fstream>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <set>
#include <thread>

#include "carya/atlas/atlas_files.h"
#include "carya/atlas/build_folder.h"
#include "carya/atlas/item_store.h"
#include "carya/atlas/naming.h"
#include "carya/core/error.h"
#include "carya/core/file.h"
#include "carya/core/parallel.h"
#include "carya/index/hnsw.h"
#include "carya/index/knn_graph.h"
#include "carya/io/record_reader.h"
#include "carya/text/terms.h"

namespace carya {
namespace {

namespace fs = std::filesystem;
namespace files = atlas_files;
using Json = nlohmann::json;

constexpr size_t kNeighbors =
    30;  // of the graph: 20 to 30 are equal, 10 is worse (docs/quality.md)
constexpr size_t kTextsPerBlock = 4096;  // encoded, then written: an interruption loses so many
constexpr const char* kPartialVectors = "vectors.partial";

// Lets an inner function be stopped, while the outer one counts the steps.
class OnlyStop final : public Progress {
 public:
  explicit OnlyStop(const Progress* outer) : outer_(outer) {}
  void begin(std::string_view, size_t, std::string_view) override {}
  void advance(size_t) override {}
  bool stop_requested() const override { return outer_ != nullptr && outer_->stop_requested(); }

 private:
  const Progress* outer_;
};

// What must be the same for a half-finished build to be of use.
Json fingerprint(const AtlasInput& input, const AtlasOptions& options) {
  return {{"version", files::kVersion},
          {"input", input.identity()},
          {"encoder", options.encoder.encoder},
          {"precision", static_cast<int>(options.encoder.precision)},
          {"seed", options.organise.seed},
          {"method", organise_method_name(options.organise.method)},
          {"min_cluster_size", options.organise.min_cluster_size.value_or(0)},
          {"n_levels", options.organise.n_levels}};
}

void check_output(const fs::path& output, const AtlasOptions& options) {
  require(output.has_filename(), "the output has no name: say where the atlas shall be");
  if (!fs::exists(output)) return;
  require(options.overwrite, "{}: is there already: choose another name, remove it, or say --force",
          output.string());
  require(fs::exists(output / files::kManifest), "{}: is no atlas, so --force does not replace it",
          output.string());
}

void check_options(const AtlasInput& input, const AtlasOptions& options) {
  options.organise.validate();
  const std::string& encoder = options.encoder.encoder;
  const bool is_vectors = input.holds_vectors();
  require(!is_vectors || encoder == "auto" || encoder == "none",
          "--encoder {}: {} holds vectors, which need none", encoder, input.name());
  require(is_vectors || encoder != "none",
          "--encoder none is for vectors; {} holds texts: use auto, minilm, static, lsa or a "
          "model's folder",
          input.name());
}

// One build: the stages in their order, each from files to files.
class Build {
 public:
  Build(AtlasInput& input, const fs::path& output, const AtlasOptions& options, Progress* progress)
      : input_(input),
        output_(output),
        options_(options),
        progress_(progress),
        part_(output.string() + ".part", fingerprint(input, options),
              options.resume && input.can_come_again()),
        folder_(part_.path()),
        goes_on_(part_.is_resumed()) {}

  void run() {
    if (input_.holds_vectors()) {
      stage("read", [&] { read_vectors(); });
    } else if (input_.identity().is_null()) {
      run_stage("read", [&] { read_records(); });  // whether it is the same input shows then
    } else {
      stage("read", [&] { read_records(); });
    }
    if (goes_on_) notify(fmt::format("going on with {}", folder_.string()));
    if (!input_.holds_vectors()) {
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
  template <class Body>
  void stage(const std::string& name, const Body& body) {
    if (!part_.is_done(name)) run_stage(name, body);
  }
  template <class Body>
  void run_stage(const std::string& name, const Body& body) {
    const auto start = std::chrono::steady_clock::now();
    body();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    part_.set_done(name, seconds.count());
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
    const std::unique_ptr<RecordReader> reader = input_.open_records();
    ChecksummedRecords records(*reader);
    const ItemStore items = ItemStore::create(folder_ / files::kItems, records, progress_);
    if (items.size() == 0) {
      throw Error(ErrorKind::kNotFound, fmt::format("{}: has no items", input_.name()));
    }
    const std::string content = records.checksum();
    if (part_.recall("content") == content) return;
    part_.start_over(/*except=*/files::kItems);  // what was made of other records
    goes_on_ = false;
    part_.remember("content", content);
  }

  void read_vectors() {
    begin_stage(progress_, "reading", 0, "vectors");
    Matrix<float> memory;
    const MatrixView<const float> vectors = input_.open_vectors(memory);
    if (vectors.rows() == 0)
      throw Error(ErrorKind::kNotFound, fmt::format("{}: has no vectors", input_.name()));
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
    representation_->save(folder_);
    part_.remember("encoder", representation_->description());
  }

  void encode() {
    if (!representation_) representation_ = Representation::open(folder_);
    const ItemStore items = ItemStore::open(folder_ / files::kItems);
    const size_t n = items.size(), dim = representation_->dim(), row_bytes = dim * sizeof(float);
    require_memory(n, dim);
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
    OnlyStop stop(progress_);
    if (done > 0) advance(progress_, done);
    // Long texts first would be faster still, but then an interrupted run could not go on.
    Matrix<float> block(std::min(kTextsPerBlock, n), dim);
    for (size_t first = done; first < n; first += kTextsPerBlock) {
      const std::vector<std::string> texts =
          items.texts(first, std::min(kTextsPerBlock, n - first));
      const MatrixView<float> rows = block.view().slice(0, texts.size());
      representation_->encode(texts, rows, &stop);
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
                {.seed = options_.organise.seed,
                 .storage = {.exact = {}, .codes = RowFormat::kInt8}},  // vectors.bin has the rest
                progress_)
        .save(folder_ / files::kIndex);
  }

  void finish() {
    const Json run = {{"stages", part_.stages()},
                      {"peak_bytes", peak_memory()},
                      {"threads", n_threads()},
                      {"cpus", std::thread::hardware_concurrency()}};
    const files::MappedVectors mapped = files::open_vectors(folder_ / files::kVectors);
    const std::string encoder = part_.recall("encoder");
    const Json manifest = {
        {"format", "carya-atlas"},
        {"version", files::kVersion},
        {"n_items", mapped.vectors.rows()},
        {"dim", mapped.vectors.cols()},
        {"encoder", encoder.empty() ? "none" : encoder},
        {"method", organise_method_name(options_.organise.method)},
        {"seed", options_.organise.seed},
        {"min_cluster_size", options_.organise.cluster_size_for(mapped.vectors.rows())},
        {"n_levels", options_.organise.n_levels},
        {"files", files::file_list(folder_)}};
    write_file(folder_ / files::kRun, run.dump(1) + "\n");
    write_file(folder_ / files::kManifest, manifest.dump(1) + "\n");
    part_.put_in_place(output_);
  }

  AtlasInput& input_;
  fs::path output_;
  const AtlasOptions& options_;
  Progress* progress_;
  BuildFolder part_;
  const fs::path& folder_;
  bool goes_on_;  // something of an interrupted run is of use
  std::optional<Representation> representation_;
};

}  // namespace

size_t estimate_build_memory(size_t n_items, size_t dim) {
  // The vectors, and the index's codes of a byte a number; lists of 30 neighbours in three forms;
  // 116 diffusion vectors and the coordinates; merges, terms.
  constexpr size_t kPerItem = 30 * 8 * 3 + 116 * 4 + 48 * 4 + 400;
  return n_items * (dim * (sizeof(float) + 1) + kPerItem) + (size_t{200} << 20);
}

void build_atlas(AtlasInput& input, const fs::path& output, const AtlasOptions& options,
                 Progress* progress) {
  const fs::path place = files::folder_path(output);
  check_output(place, options);
  check_options(input, options);
  Build(input, place, options, progress).run();
}

void build_atlas(const fs::path& input, const fs::path& output, const AtlasOptions& options,
                 Progress* progress) {
  build_atlas(*file_input(input, options.read), output, options, progress);
}

}  // namespace carya
