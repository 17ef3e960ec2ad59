#include "carya/index/spann.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "carya/index/spann_file.h"

namespace carya {
namespace {

// The format's range, if it has one.
Rows read_rows(const Container& file, RowFormat format, Metric metric, size_t dim) {
  Rows rows(format, metric == Metric::kSquaredL2 ? metric : Metric::kInnerProduct, dim);
  if (is_exact(format)) return rows;
  const auto offsets = file.array<float>("list_offsets");
  const auto scale = file.value<float>("list_scale");
  const auto finite = [](float x) { return std::isfinite(x); };
  if (offsets.size() != dim || !std::ranges::all_of(offsets, finite) || !(scale >= kLeastScale) ||
      !std::isfinite(scale)) {
    file.fail("the range of the lists' codes is not one");
  }
  rows.set_quantizer({.scale = scale, .offsets = {offsets.begin(), offsets.end()}});
  return rows;
}

SpannOptions read_options(const Container& file, const SpannHeader& header) {
  SpannOptions options;
  options.head_ratio = header.head_ratio;
  options.closure = {
      .n_copies = header.n_copies, .reach = header.reach, .skip_related = header.skip_related != 0};
  if (header.list_pages != kDefaultPages) options.list_pages = header.list_pages;
  options.format = static_cast<RowFormat>(header.format);
  options.pruning = header.pruning;
  options.branch = header.branch;
  options.seed = header.seed;
  try {
    options.validate(header.dim);
  } catch (const Error& error) {
    file.fail(error.what());
  }
  return options;
}

}  // namespace

void SpannOptions::validate(size_t dim) const {
  require(dim >= 1 && dim <= kMaxDim, "vectors have {} dims: 1 to {}", dim, kMaxDim);
  require(head_ratio > 0 && head_ratio <= 1, "head_ratio is {}: it must be in (0, 1]", head_ratio);
  closure.validate();
  require(format <= RowFormat::kInt4, "the lists' format is none of f32, bf16, int8 and int4");
  require(is_exact(format) || dim <= kMaxCodeDim, "codes have at most {} dims, not {}: use f32",
          kMaxCodeDim, dim);
  const PostingLayout layout{row_bytes(format, dim)};
  constexpr size_t kMaxPages = size_t{1} << 20;
  require(!list_pages || (*list_pages <= kMaxPages && *list_pages >= layout.pages(1)),
          "list_pages is {}: it must be from {}, so that a vector fits, to {}",
          list_pages.value_or(0), layout.pages(1), kMaxPages);
  require(pruning >= 0, "pruning is {}: it must be at least 0", pruning);
  require(branch >= 2 && branch <= 1024, "branch is {}: 2 to 1024", branch);
  heads.validate();
}

void SpannFile::save(const std::filesystem::path& path,
                     const std::function<void(AtomicFile&)>& lists) const {
  ContainerWriter out(std::string(Spann::kFileKind), kSpannVersion);
  out.add_value("spann", SpannHeader{.dim = dim,
                                     .metric = static_cast<uint64_t>(metric),
                                     .format = static_cast<uint64_t>(options.format),
                                     .n_lists = counts.size(),
                                     .n_copies = options.closure.n_copies,
                                     .skip_related = options.closure.skip_related ? 1U : 0U,
                                     .list_pages = options.list_pages.value_or(kDefaultPages),
                                     .branch = options.branch,
                                     .seed = options.seed,
                                     .head_ratio = options.head_ratio,
                                     .reach = options.closure.reach,
                                     .pruning = options.pruning});
  out.add("item_ids", ids);
  out.add("dead", dead);
  out.add("added_ids", added_ids);
  out.add("added", std::span(added.data(), added.rows() * added.cols()));
  if (heads != nullptr) {
    out.add("first_page", first_page);
    out.add("counts", counts);
    if (!is_exact(rows->format())) {
      out.add("list_offsets", std::span<const float>(rows->quantizer().offsets));
      out.add_value("list_scale", rows->quantizer().scale);
    }
    heads->save(out);
  }
  out.save(path, lists);
}

Spann::Spann(size_t dim, Metric metric, const SpannOptions& options)
    : options_(options), delta_(dim, metric, VectorStorage{}) {
  require_vectors("spann", metric);
  options.validate(dim);
}

Spann Spann::open(const std::filesystem::path& path, PostingCache cache) {
  Container file = Container::open(path, kFileKind, kSpannVersion);
  const auto header = file.value<SpannHeader>("spann");
  if (header.metric > 2 || header.format > 3) file.fail("the header is not one of a SPANN");
  const auto metric = static_cast<Metric>(header.metric);
  Spann index(header.dim, metric, read_options(file, header));
  index.ids_ = file.array<ItemId>("item_ids");
  const auto ids = index.ids_;
  const auto is_unordered = [](ItemId a, ItemId b) { return a >= b; };
  if (ids.size() > kMaxSlots || std::ranges::adjacent_find(ids, is_unordered) != ids.end()) {
    file.fail("its ids are not in order");
  }
  const auto dead = file.array<uint64_t>("dead");
  if (!dead.empty() && dead.size() != (ids.size() + 63) / 64)
    file.fail("the dead are not a bit each");
  index.dead_.assign(dead.begin(), dead.end());
  for (uint32_t slot = 0; slot < ids.size(); ++slot) index.n_live_ += !index.is_dead(slot);

  const auto added_ids = file.array<ItemId>("added_ids");
  const auto added = file.array<float>("added");
  if (added.size() != added_ids.size() * header.dim) file.fail("what was added has no vectors");
  try {
    index.add(added_ids, {added.data(), added_ids.size(), header.dim});
  } catch (const Error& error) {
    file.fail(error.what());
  }
  if (header.n_lists > 0) {
    index.rows_ = read_rows(file, index.options_.format, metric, header.dim);
    index.table_ = PostingTable({index.rows_->stride()}, file.array<uint32_t>("first_page"),
                                file.array<uint32_t>("counts"));
    if (index.table_.n_lists() != header.n_lists || !index.table_.is_whole()) {
      file.fail("the table of its lists is damaged");
    }
    if (file.file_bytes() < file.tail_offset() + index.table_.n_bytes()) {
      file.fail("it is truncated");
    }
    index.heads_ = Hnsw::open(file);
    if (index.heads_->dim() != header.dim || index.heads_->metric() != metric ||
        index.heads_->size() != header.n_lists) {
      file.fail("its heads are not those of its lists");
    }
    index.options_.heads = index.heads_->options();
    index.postings_ = std::make_unique<PostingReader>(path, file.tail_offset(), cache);
  } else if (!ids.empty()) {
    file.fail("its lists are missing");
  }
  index.file_ = std::move(file);
  return index;
}

size_t Spann::memory_bytes() const noexcept {
  const size_t file = file_ ? file_->tail_offset() : 0;
  return file + dead_.size() * sizeof(uint64_t) +
         delta_.n_slots() * (delta_.ranked().stride() + sizeof(ItemId) + 1);
}

std::optional<uint32_t> Spann::find(ItemId id) const {
  const auto found = std::ranges::lower_bound(ids_, id);
  if (found == ids_.end() || *found != id) return std::nullopt;
  const auto slot = static_cast<uint32_t>(found - ids_.begin());
  return is_dead(slot) ? std::nullopt : std::optional(slot);
}

void Spann::add(std::span<const ItemId> ids, MatrixView<const float> vectors, Progress* progress) {
  delta_.check_new(ids, vectors);
  for (const ItemId id : ids) {
    require(!find(id), "id {} is in the index already: remove or update it", id);
  }
  begin_stage(progress, "vectors into the index", ids.size(), "vectors");
  std::vector<uint32_t> slots(ids.size());
  std::iota(slots.begin(), slots.end(), static_cast<uint32_t>(delta_.n_slots()));
  delta_.place(slots, ids, vectors);
  advance(progress, ids.size());
}

bool Spann::remove(ItemId id) {
  if (const std::optional<uint32_t> slot = delta_.find(id)) {
    delta_.kill(*slot);  // the last moves into the gap
    const auto last = static_cast<uint32_t>(delta_.n_slots() - 1);
    if (*slot != last) delta_.move(last, *slot);
    delta_.truncate(last);
    return true;
  }
  const std::optional<uint32_t> slot = find(id);
  if (!slot) return false;
  dead_.resize((ids_.size() + 63) / 64);
  dead_[*slot / 64] |= uint64_t{1} << *slot % 64;
  --n_live_;
  return true;
}

void Spann::update(std::span<const ItemId> ids, MatrixView<const float> vectors) {
  VectorStore(dim(), metric(), VectorStorage{})
      .check_new(ids, vectors);  // all but whether they are there
  for (const ItemId id : ids) {
    require(find(id) || delta_.find(id), "id {} is not in the index: add it", id);
  }
  for (const ItemId id : ids) remove(id);
  add(ids, vectors);
}

void Spann::save(const std::filesystem::path& path) const {
  std::vector<ItemId> added_ids;
  Matrix<float> added(delta_.n_slots(), dim());
  for (size_t slot = 0; slot < delta_.n_slots(); ++slot) {
    added_ids.push_back(delta_.id(slot));
    delta_.ranked().read(slot, added.row(slot));
  }
  SpannFile file{.dim = dim(),
                 .metric = metric(),
                 .options = options_,
                 .ids = ids_,
                 .dead = dead_,
                 .added_ids = added_ids,
                 .added = added};
  if (!heads_) {
    file.save(path, nullptr);
    return;
  }
  file.heads = &*heads_;
  file.rows = &*rows_;
  file.first_page = file_->array<uint32_t>("first_page");
  file.counts = table_.counts();
  file.save(path, [&](AtomicFile& out) {
    postings_->copy(table_.n_bytes(), [&](std::span<const std::byte> bytes) { out.write(bytes); });
  });
}

}  // namespace carya
