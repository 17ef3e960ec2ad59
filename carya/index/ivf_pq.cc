#include "carya/index/ivf_pq.h"

#include <algorithm>
#include <cmath>

#include "carya/core/parallel.h"
#include "carya/index/vector_store.h"
#include "carya/simd/code_scan.h"
#include "carya/simd/distance.h"
#include "carya/simd/gemm.h"
#include "carya/simd/knn.h"
#include "carya/tree/kmeans.h"

namespace carya {
namespace {

constexpr uint32_t kVersion = 1;
constexpr size_t kMaxLists = size_t{1} << 24;
constexpr size_t kPointsPerList = 40;  // fewer make poor centroids
constexpr size_t kTrainPerList = 256;  // more do not make them better
constexpr size_t kListIterations = 10;

struct IvfPqHeader {
  uint64_t dim, metric, n_lists, n_parts, bits, seed, is_rotated;
};

size_t divisor_near(size_t dim, double wanted) {
  size_t best = 1;
  for (size_t d = 1; d <= std::min(dim, kMaxParts); ++d) {
    if (dim % d == 0 &&
        std::abs(static_cast<double>(d) - wanted) <= std::abs(static_cast<double>(best) - wanted)) {
      best = d;
    }
  }
  return best;
}

void normalize(std::span<float> row) {
  double squared = 0;
  for (const float x : row) squared += static_cast<double>(x) * x;
  if (squared == 0) return;
  const auto scale = static_cast<float>(1 / std::sqrt(squared));
  for (float& x : row) x *= scale;
}

}  // namespace

void IvfPqOptions::validate(size_t dim) const {
  require(dim >= 1 && dim <= kMaxDim, "vectors have {} dimensions: 1 to {}", dim, kMaxDim);
  require(n_lists <= kMaxLists, "{} lists are too many: at most {}", n_lists, kMaxLists);
  ProductQuantizerOptions{.n_parts = n_parts == 0 ? 1 : n_parts, .bits = bits}.validate(dim);
}

IvfPq::IvfPq(size_t dim, Metric metric, const IvfPqOptions& options)
    : dim_(dim), metric_(metric), options_(options) {
  require_vectors("ivf_pq", metric);
  options_.validate(dim);
  if (options_.n_parts == 0) {
    options_.n_parts = divisor_near(dim, static_cast<double>(dim) / (options_.bits == 4 ? 2 : 4));
  }
}

// As vectors are kept: of length 1 for cosine, rotated.
Matrix<float> IvfPq::prepared(MatrixView<const float> vectors) const {
  Matrix<float> rows = Matrix<float>::copy(vectors);
  if (metric_ == Metric::kCosine) {
    for (size_t i = 0; i < rows.rows(); ++i) normalize(rows.row(i));
  }
  if (rotation_.empty() || rows.empty()) return rows;
  Matrix<float> rotated = Matrix<float>::uninitialized(rows.rows(), dim_);
  gemm(rows, PackedWeights::pack(rotation_, WeightFormat::kF32), {}, rotated);
  return rotated;
}

void IvfPq::train(MatrixView<const float> points, Progress* progress) {
  require(!is_trained(), "the index is trained already; make a new one");
  require(points.cols() == dim_, "points have {} dimensions, the index {}", points.cols(), dim_);
  const size_t n_centroids = size_t{1} << options_.bits;
  require(points.rows() >= n_centroids, "{} points are too few to learn from: at least {}",
          points.rows(), n_centroids);
  if (options_.n_lists == 0) {
    const auto wanted = static_cast<size_t>(2 * std::sqrt(static_cast<double>(points.rows())));
    options_.n_lists = std::max<size_t>(1, std::min(wanted, points.rows() / kPointsPerList));
  }
  require(points.rows() >= options_.n_lists, "{} points cannot make {} lists", points.rows(),
          options_.n_lists);
  const size_t n_train = std::max(options_.n_lists * kTrainPerList, n_centroids * kTrainPerList);
  const size_t step = std::max<size_t>(1, points.rows() / n_train);
  std::vector<uint32_t> chosen;
  for (size_t i = 0; i < points.rows(); i += step) chosen.push_back(static_cast<uint32_t>(i));
  Matrix<float> rows = prepared(gather_rows(points, chosen));
  KMeansResult lists = kmeans(rows,
                              {.n_clusters = std::min(options_.n_lists, rows.rows()),
                               .n_iterations = kListIterations,
                               .seed = options_.seed},
                              progress);
  options_.n_lists = lists.centroids.rows();
  for (size_t i = 0; i < rows.rows(); ++i) {
    const auto centroid = lists.centroids.row(static_cast<size_t>(lists.labels[i]));
    for (size_t j = 0; j < dim_; ++j) rows(i, j) -= centroid[j];
  }
  const ProductQuantizerOptions options{
      .n_parts = options_.n_parts, .bits = options_.bits, .seed = options_.seed};
  centroids_ = std::move(lists.centroids);
  if (options_.rotate && dim_ > 1) {
    Matrix<float> rotation = optimized_rotation(rows, options, /*n_rounds=*/8, progress);
    const PackedWeights weights = PackedWeights::pack(rotation, WeightFormat::kF32);
    Matrix<float> turned = Matrix<float>::uninitialized(rows.rows(), dim_);
    gemm(rows, weights, {}, turned);
    rows = std::move(turned);
    Matrix<float> centroids = Matrix<float>::uninitialized(centroids_.rows(), dim_);
    gemm(centroids_, weights, {}, centroids);
    centroids_ = std::move(centroids);
    rotation_ = std::move(rotation);
  }
  quantizer_ = ProductQuantizer::train(rows, options, progress);
  lists_.resize(centroids_.rows());
  make_tables();
}

// |x - q1 - q2|^2 = |x - q1|^2 + (|q2|^2 + 2 <q1, q2>) - 2 <x, q2>: the middle term of each number.
void IvfPq::fill_table(size_t list, std::span<float> table) const {
  if (metric_ != Metric::kSquaredL2) {
    std::ranges::fill(table, 0.0f);
    return;
  }
  quantizer_.products(centroids_.row(list), table);
  const MatrixView<const float> all = quantizer_.all_centroids();
  for (size_t row = 0; row < all.rows(); ++row) {
    float squared = 0;
    for (const float x : all.row(row)) squared += x * x;
    table[row] = squared + 2 * table[row];
  }
}

void IvfPq::make_tables() {
  const size_t width = quantizer_.all_centroids().rows();
  if (metric_ != Metric::kSquaredL2 ||
      lists_.size() > options_.max_table_bytes / sizeof(float) / width) {
    return;
  }
  tables_ = Matrix<float>(lists_.size(), width);
  parallel_for(0, lists_.size(), 1,
               [&](size_t list, size_t) { fill_table(list, tables_.row(list)); });
}

size_t IvfPq::code_bytes(size_t n_items) const {
  if (options_.bits == 8) return n_items * options_.n_parts;
  return (n_items + kCodesPerBlock - 1) / kCodesPerBlock * block_bytes(options_.n_parts);
}

void IvfPq::check_rows(std::span<const ItemId> ids, MatrixView<const float> vectors) const {
  require(is_trained(),
          "the index is not trained: call train() with a sample of the vectors first");
  require(vectors.cols() == dim_ || ids.empty(), "vectors have {} dimensions, the index {}",
          vectors.cols(), dim_);
  require(vectors.rows() == ids.size(), "{} ids for {} vectors", ids.size(), vectors.rows());
  for (size_t i = 0; i < vectors.rows(); ++i) {
    for (const float x : vectors.row(i)) {
      require(std::isfinite(x), "vector {} (id {}) has a number that is not finite", i, ids[i]);
    }
  }
}

void IvfPq::index_ids() {
  if (is_indexed_) return;
  for (uint32_t list = 0; list < lists_.size(); ++list) {
    for (uint32_t i = 0; i < lists_[list].ids.size(); ++i) {
      places_.emplace(lists_[list].ids[i], Place{list, i});
    }
  }
  is_indexed_ = true;
}

std::optional<IvfPq::Place> IvfPq::find(ItemId id) const {
  if (is_indexed_) {
    const auto found = places_.find(id);
    return found == places_.end() ? std::nullopt : std::optional(found->second);
  }
  for (uint32_t list = 0; list < lists_.size(); ++list) {
    const auto ids = lists_[list].ids.values();
    const auto found = std::ranges::find(ids, id);
    if (found != ids.end()) return Place{list, static_cast<uint32_t>(found - ids.begin())};
  }
  return std::nullopt;
}

std::optional<std::vector<float>> IvfPq::reconstruct(ItemId id) const {
  const std::optional<Place> place = find(id);
  if (!place) return std::nullopt;
  const List& list = lists_[place->list];
  Matrix<uint8_t> numbers(1, options_.n_parts);
  if (options_.bits == 8) {
    std::copy_n(list.codes.data() + place->position * numbers.cols(), numbers.cols(),
                numbers.data());
  } else {
    load_code(list.codes.data(), place->position, numbers.row(0));
  }
  const Matrix<float> difference = quantizer_.decode(numbers);
  std::vector<float> rotated(dim_), vector(dim_);
  for (size_t i = 0; i < dim_; ++i) rotated[i] = centroids_(place->list, i) + difference(0, i);
  if (rotation_.empty()) return rotated;
  for (size_t axis = 0; axis < dim_; ++axis) {  // the inverse is the transpose
    for (size_t i = 0; i < dim_; ++i) vector[i] += rotated[axis] * rotation_(axis, i);
  }
  return vector;
}

void IvfPq::put(uint32_t list, ItemId id, std::span<const uint8_t> numbers) {
  List& to = lists_[list];
  const size_t position = to.ids.size();
  to.ids.resize(position + 1, id);
  to.codes.resize(code_bytes(position + 1), 0);
  if (options_.bits == 8) {
    std::ranges::copy(numbers, to.codes.mutable_data() + position * numbers.size());
  } else {
    store_code(numbers, position, to.codes.mutable_data());
  }
  places_[id] = {list, static_cast<uint32_t>(position)};
  ++size_;
}

void IvfPq::add(std::span<const ItemId> ids, MatrixView<const float> vectors, Progress* progress) {
  check_rows(ids, vectors);
  index_ids();
  std::vector<ItemId> sorted(ids.begin(), ids.end());
  std::ranges::sort(sorted);
  const auto twice = std::ranges::adjacent_find(sorted);
  require(twice == sorted.end(), "id {} comes twice", twice == sorted.end() ? 0 : *twice);
  for (const ItemId id : ids) require(!places_.contains(id), "id {} is there already", id);
  constexpr size_t kBatch = 4096;  // vectors that are prepared at once: bounds the memory
  begin_stage(progress, "vectors into lists", ids.size(), "vectors");
  for (size_t first = 0; first < ids.size(); first += kBatch) {
    const size_t count = std::min(kBatch, ids.size() - first);
    Matrix<float> rows = prepared(vectors.slice(first, count));
    const Neighbors nearest = exact_knn(rows, centroids_, 1);
    for (size_t i = 0; i < count; ++i) {
      const auto centroid = centroids_.row(nearest.ids(i, 0));
      for (size_t j = 0; j < dim_; ++j) rows(i, j) -= centroid[j];
    }
    const Matrix<uint8_t> numbers = quantizer_.encode(rows);
    for (size_t i = 0; i < count; ++i) put(nearest.ids(i, 0), ids[first + i], numbers.row(i));
    advance(progress, count);
  }
}

// The last of the list moves into the gap.
bool IvfPq::remove(ItemId id) {
  index_ids();
  const auto found = places_.find(id);
  if (found == places_.end()) return false;
  const Place gap = found->second;
  List& list = lists_[gap.list];
  const size_t last = list.ids.size() - 1;
  uint8_t* const codes = list.codes.mutable_data();
  std::vector<uint8_t> numbers(options_.n_parts);
  if (options_.bits == 8) {
    std::copy_n(codes + last * numbers.size(), numbers.size(),
                codes + gap.position * numbers.size());
  } else {
    load_code(codes, last, numbers);
    store_code(numbers, gap.position, codes);
  }
  const ItemId moved = list.ids[last];
  list.ids.mutable_data()[gap.position] = moved;
  places_[moved] = gap;
  places_.erase(id);
  list.ids.resize(last);
  list.codes.resize(code_bytes(last));
  --size_;
  return true;
}

void IvfPq::update(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  check_rows(ids, vectors);
  index_ids();
  for (const ItemId id : ids) require(places_.contains(id), "there is no id {} to update", id);
  std::vector<ItemId> sorted(ids.begin(), ids.end());
  std::ranges::sort(sorted);
  require(std::ranges::adjacent_find(sorted) == sorted.end(), "an id comes twice");
  for (const ItemId id : ids) remove(id);
  add(ids, vectors);
}

void IvfPq::save(const std::filesystem::path& path) const {
  require(is_trained(), "an index that is not trained holds nothing to save");
  ContainerWriter out(std::string(kFileKind), kVersion);
  out.add_value("header", IvfPqHeader{.dim = dim_,
                                      .metric = static_cast<uint64_t>(metric_),
                                      .n_lists = lists_.size(),
                                      .n_parts = options_.n_parts,
                                      .bits = options_.bits,
                                      .seed = options_.seed,
                                      .is_rotated = rotation_.empty() ? 0U : 1U});
  std::vector<uint64_t> sizes;
  std::vector<ItemId> ids;
  std::vector<uint8_t> codes;
  for (const List& list : lists_) {
    sizes.push_back(list.ids.size());
    const auto values = list.ids.values();
    ids.insert(ids.end(), values.begin(), values.end());
    const auto bytes = list.codes.values();
    codes.insert(codes.end(), bytes.begin(), bytes.end());
  }
  out.add<float>("rotation", rotation_.flat());
  out.add<float>("centroids", centroids_.flat());
  const MatrixView<const float> all = quantizer_.all_centroids();
  out.add<float>("codebooks", {all.data(), all.rows() * all.cols()});
  out.add<uint64_t>("sizes", sizes);
  out.add<ItemId>("ids", ids);
  out.add<uint8_t>("codes", codes);
  out.save(path);
}

IvfPq IvfPq::open(const std::filesystem::path& path) {
  Container file = Container::open(path, kFileKind, kVersion);
  const auto header = file.value<IvfPqHeader>("header");
  const bool is_right = header.dim >= 1 && header.dim <= kMaxDim && header.metric <= 2 &&
                        header.n_lists >= 1 && header.n_lists <= kMaxLists && header.n_parts >= 1 &&
                        header.n_parts <= kMaxParts && header.dim % header.n_parts == 0 &&
                        (header.bits == 4 || header.bits == 8) && header.is_rotated <= 1;
  if (!is_right) file.fail("the header is not one of an IVF-PQ index");
  IvfPq index(header.dim, static_cast<Metric>(header.metric),
              {.n_lists = header.n_lists,
               .n_parts = header.n_parts,
               .bits = header.bits,
               .rotate = header.is_rotated == 1,
               .seed = header.seed});
  const auto matrix = [&](const char* name, size_t rows, size_t cols) {
    const auto values = file.array<float>(name);
    if (values.size() != rows * cols) file.fail(fmt::format("section {} has a wrong size", name));
    for (const float x : values) {
      if (!std::isfinite(x))
        file.fail(fmt::format("section {} has a number that is not finite", name));
    }
    return Matrix<float>::copy(MatrixView<const float>(values.data(), rows, cols));
  };
  const size_t n_centroids = size_t{1} << header.bits;
  if (header.is_rotated == 1) index.rotation_ = matrix("rotation", header.dim, header.dim);
  index.centroids_ = matrix("centroids", header.n_lists, header.dim);
  index.quantizer_ = ProductQuantizer(
      header.n_parts,
      matrix("codebooks", header.n_parts * n_centroids, header.dim / header.n_parts));
  const auto sizes = file.array<uint64_t>("sizes");
  const auto ids = file.array<ItemId>("ids");
  const auto codes = file.array<uint8_t>("codes");
  if (sizes.size() != header.n_lists) file.fail("the number of lists is wrong");
  size_t id_at = 0, code_at = 0;
  for (const uint64_t size : sizes) {
    if (size > ids.size() - id_at || index.code_bytes(size) > codes.size() - code_at) {
      file.fail("a list is longer than the file");
    }
    index.lists_.push_back(
        {Column<ItemId>::mapped(ids.subspan(id_at, size)),
         Column<uint8_t>::mapped(codes.subspan(code_at, index.code_bytes(size)))});
    id_at += size;
    code_at += index.code_bytes(size);
  }
  if (id_at != ids.size() || code_at != codes.size()) file.fail("a list is missing");
  index.size_ = ids.size();
  index.make_tables();
  index.file_ = std::move(file);
  return index;
}

}  // namespace carya
