// Spann::build: heads, lists, the file.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "carya/core/parallel.h"
#include "carya/index/spann.h"
#include "carya/index/spann_file.h"

namespace carya {
namespace {

constexpr size_t kSample = 2048;    // vectors that the range of codes is learnt from
constexpr size_t kListBlock = 256;  // lists that are made at once: some MB

std::vector<uint32_t> evenly(size_t n, size_t n_sample) {
  std::vector<uint32_t> some(std::min(n, n_sample));
  for (size_t i = 0; i < some.size(); ++i) some[i] = static_cast<uint32_t>(i * n / some.size());
  return some;
}

// Of all rows: the range of codes must hold each.
Matrix<float> lowest_and_highest(const IndexedRows& rows) {
  constexpr size_t kChunk = 8192;
  const size_t n_chunks = (rows.size() + kChunk - 1) / kChunk;
  std::vector<Matrix<float>> parts(n_chunks);
  const auto widen = [](Matrix<float>& range, size_t j, float low, float high) {
    range(0, j) = std::min(range(0, j), low);
    range(1, j) = std::max(range(1, j), high);
  };
  const auto empty = [&] {
    Matrix<float> range(2, rows.dim());
    std::ranges::fill(range.row(0), INFINITY);
    std::ranges::fill(range.row(1), -INFINITY);
    return range;
  };
  parallel_for(0, rows.size(), kChunk, [&](size_t first, size_t last) {
    std::vector<uint32_t> items(last - first);
    std::iota(items.begin(), items.end(), static_cast<uint32_t>(first));
    const Matrix<float> vectors = rows.gather(items);
    Matrix<float> range = empty();
    for (size_t i = 0; i < vectors.rows(); ++i) {
      for (size_t j = 0; j < rows.dim(); ++j) widen(range, j, vectors(i, j), vectors(i, j));
    }
    parts[first / kChunk] = std::move(range);
  });
  Matrix<float> range = empty();
  for (const Matrix<float>& part : parts) {
    for (size_t j = 0; j < rows.dim(); ++j) widen(range, j, part(0, j), part(1, j));
  }
  return range;
}

// What lists hold, and how: the range of codes, if they are codes.
Rows trained_rows(RowFormat format, const IndexedRows& rows) {
  Rows trained(format, rows.metric == Metric::kSquaredL2 ? rows.metric : Metric::kInnerProduct,
               rows.dim());
  if (is_exact(format)) return trained;
  const Matrix<float> range = lowest_and_highest(rows);
  // Whether the codes tell neighbours apart: the caller has asked for them in any case.
  (void)trained.train(rows.gather(evenly(rows.size(), kSample)), range.row(0), range.row(1));
  return trained;
}

// A graph over the heads, by their numbers.
Hnsw graph_of(MatrixView<const float> heads, Metric metric, const HnswOptions& options) {
  std::vector<ItemId> numbers(heads.rows());
  std::iota(numbers.begin(), numbers.end(), ItemId{0});
  Hnsw graph(heads.cols(), metric, options);
  graph.add(numbers, heads);
  graph.compact();
  return graph;
}

// All lists as pages, to `out`, in order.
void write_lists(const PostingLayout& layout, const Lists& lists, const IndexedRows& rows,
                 const Rows& format, std::span<const uint32_t> slot_of, AtomicFile& out,
                 Progress* progress) {
  const size_t n_lists = lists.first.size() - 1;
  begin_stage(progress, "lists into the file", n_lists, "lists");
  for (size_t block = 0; block < n_lists; block += kListBlock) {
    const size_t count = std::min(kListBlock, n_lists - block);
    std::vector<std::vector<std::byte>> pages(count);
    parallel_for(0, count, 16, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) {
        const size_t list = block + i;
        const auto items =
            std::span(lists.items)
                .subspan(lists.first[list], lists.first[list + 1] - lists.first[list]);
        const Matrix<float> vectors = rows.gather(items);
        Rows coded = format;  // a buffer of its own
        coded.resize(items.size());
        std::vector<uint32_t> slots(items.size());
        for (size_t j = 0; j < items.size(); ++j) {
          coded.write(j, vectors.row(j));
          slots[j] = slot_of[items[j]];
        }
        pages[i] =
            posting_pages(layout, static_cast<uint32_t>(list), slots, coded.bytes().values());
      }
    });
    for (const std::vector<std::byte>& list : pages) out.write(list);
    advance(progress, count);
  }
}

}  // namespace

Spann Spann::build(const std::filesystem::path& path, std::span<const ItemId> ids,
                   MatrixView<const float> vectors, Metric metric, const SpannOptions& options,
                   Progress* progress) {
  const size_t n = ids.size();
  options.validate(vectors.cols());
  require_vectors("spann", metric);
  VectorStore(vectors.cols(), metric, VectorStorage{}).check_new(ids, vectors);
  const IndexedRows rows{vectors, metric};

  // Slots by rising id, so that ids are found without a table of slots.
  std::vector<uint32_t> row_of(n), slot_of(n);
  std::iota(row_of.begin(), row_of.end(), 0u);
  std::ranges::sort(row_of, {}, [&](uint32_t row) { return ids[row]; });
  std::vector<ItemId> sorted(n);
  for (uint32_t slot = 0; slot < n; ++slot) {
    slot_of[row_of[slot]] = slot;
    sorted[slot] = ids[row_of[slot]];
  }
  if (n == 0) {
    SpannFile{.dim = vectors.cols(), .metric = metric, .options = options}.save(path, nullptr);
    return open(path);
  }
  const auto wanted = static_cast<size_t>(std::lround(options.head_ratio * static_cast<double>(n)));
  const std::vector<uint32_t> head_rows = balanced_heads(
      rows,
      {.n_heads = std::clamp<size_t>(wanted, 1, n), .branch = options.branch, .seed = options.seed},
      progress);
  const Rows format = trained_rows(options.format, rows);
  const PostingLayout layout{format.stride()};
  Matrix<float> heads = rows.gather(head_rows);
  const Hnsw graph = graph_of(heads, metric, options.heads);
  Lists lists;
  {
    const size_t pages = options.list_pages.value_or(layout.pages(SpannOptions::kListVectors));
    // Closeness of vectors is that of points, even where queries ask by products.
    const bool is_product = metric == Metric::kInnerProduct;
    const Hnsw points = is_product ? graph_of(heads, Metric::kSquaredL2, options.heads)
                                   : Hnsw(1, Metric::kSquaredL2);
    lists = closure(rows, heads, is_product ? points : graph, layout.capacity(pages),
                    options.closure, progress);
  }
  heads = {};

  const std::vector<uint32_t> counts = lists.sizes();
  std::vector<uint32_t> first_page(counts.size() + 1);
  for (size_t list = 0; list < counts.size(); ++list) {
    const size_t end = first_page[list] + layout.pages(counts[list]);
    require(end <= UINT32_MAX, "the lists fill more than 16 TiB: use a smaller format or n_copies");
    first_page[list + 1] = static_cast<uint32_t>(end);
  }
  const SpannFile file{.dim = vectors.cols(),
                       .metric = metric,
                       .options = options,
                       .ids = sorted,
                       .heads = &graph,
                       .rows = &format,
                       .first_page = first_page,
                       .counts = counts};
  file.save(path, [&](AtomicFile& out) {
    write_lists(layout, lists, rows, format, slot_of, out, progress);
  });
  return open(path);
}

}  // namespace carya
