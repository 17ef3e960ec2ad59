#include "carya/text/lsa.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <utility>

#include "carya/core/container.h"
#include "carya/core/error.h"
#include "carya/core/parallel.h"
#include "carya/core/rng.h"

namespace carya {
namespace {

constexpr std::string_view kKind = "lsa";
constexpr uint32_t kVersion = 1;
constexpr size_t kTextsPerBlock = 8192;
constexpr size_t kOversampling = 20;  // more directions than wanted make the wanted ones converge

using RowMatrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// Sparse rows, and their transpose for products from the other side without collisions of threads.
struct SparseRows {
  std::vector<size_t> starts = {0};
  std::vector<uint32_t> columns;
  std::vector<float> values;
  size_t n_rows() const { return starts.size() - 1; }

  SparseRows transposed(size_t n_columns) const {
    SparseRows t;
    t.starts.assign(n_columns + 1, 0);
    for (uint32_t column : columns) ++t.starts[column + 1];
    for (size_t i = 0; i < n_columns; ++i) t.starts[i + 1] += t.starts[i];
    t.columns.resize(columns.size());
    t.values.resize(values.size());
    std::vector<size_t> next(t.starts.begin(), t.starts.end() - 1);
    for (uint32_t row = 0; row < n_rows(); ++row) {
      for (size_t i = starts[row]; i < starts[row + 1]; ++i) {
        const size_t at = next[columns[i]]++;
        t.columns[at] = row;
        t.values[at] = values[i];
      }
    }
    return t;
  }

  RowMatrix times(const RowMatrix& x) const {
    RowMatrix y = RowMatrix::Zero(static_cast<Eigen::Index>(n_rows()), x.cols());
    parallel_for(0, n_rows(), 512, [&](size_t first, size_t last) {
      for (size_t row = first; row < last; ++row) {
        auto out = y.row(static_cast<Eigen::Index>(row));
        for (size_t i = starts[row]; i < starts[row + 1]; ++i) {
          out += values[i] * x.row(static_cast<Eigen::Index>(columns[i]));
        }
      }
    });
    return y;
  }
};

RowMatrix orthonormal_columns(const RowMatrix& x) {
  const Eigen::HouseholderQR<Eigen::MatrixXf> qr(x);
  return qr.householderQ() * Eigen::MatrixXf::Identity(x.rows(), x.cols());
}

}  // namespace

void LsaOptions::validate() const {
  require(n_dims >= 1 && n_dims <= 10'000, "n_dims is {}: 1 to 10000 dimensions", n_dims);
  require(min_documents >= 1, "min_documents is 0: a word is in at least one text");
  require(max_words >= 1, "max_words is 0: at least one word is needed");
  require(n_iterations >= 1, "n_iterations is 0: at least one is needed");
}

void Lsa::index_words() {
  word_ids_.clear();
  word_ids_.reserve(words_.size());
  for (uint32_t i = 0; i < words_.size(); ++i) word_ids_.emplace(words_[i], i);
}

std::vector<std::pair<uint32_t, float>> Lsa::weigh(std::string_view text) const {
  std::vector<uint32_t> ids;
  for (const std::string& word : split_(text)) {
    if (const auto found = word_ids_.find(word); found != word_ids_.end())
      ids.push_back(found->second);
  }
  std::ranges::sort(ids);
  std::vector<std::pair<uint32_t, float>> row;
  double squares = 0;
  for (size_t i = 0; i < ids.size();) {
    size_t j = i;
    while (j < ids.size() && ids[j] == ids[i]) ++j;
    const float weight = (1 + std::log(static_cast<float>(j - i))) * weights_[ids[i]];
    row.emplace_back(ids[i], weight);
    squares += static_cast<double>(weight) * weight;
    i = j;
  }
  for (auto& [id, weight] : row) weight = static_cast<float>(weight / std::sqrt(squares));
  return row;
}

Lsa Lsa::fit(const TextSource& texts, const LsaOptions& options, Progress* progress,
             TextSplitter split) {
  options.validate();
  begin_stage(progress, "word counts", 2 * texts.n_texts, "texts");
  std::unordered_map<std::string, uint32_t> n_documents;
  const auto for_each_block = [&](const auto& body) {
    for (size_t first = 0; first < texts.n_texts; first += kTextsPerBlock) {
      const size_t count = std::min(kTextsPerBlock, texts.n_texts - first);
      body(texts.read(first, count));
      advance(progress, count);
    }
  };
  for_each_block([&](const std::vector<std::string>& block) {
    std::vector<std::vector<std::string>> sets(block.size());
    parallel_for(0, block.size(), 256, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) {
        sets[i] = split(block[i]);
        std::ranges::sort(sets[i]);
        const auto [begin, end] = std::ranges::unique(sets[i]);
        sets[i].erase(begin, end);
      }
    });
    for (std::vector<std::string>& set : sets) {
      for (std::string& word : set) ++n_documents[std::move(word)];
    }
  });
  const size_t min_documents = texts.n_texts < 1000 ? 1 : options.min_documents;
  std::vector<std::pair<std::string, uint32_t>> counts;
  for (const auto& [word, count] : n_documents) {
    if (count >= min_documents) counts.emplace_back(word, count);
  }
  n_documents.clear();
  if (counts.size() >
      options.max_words) {  // ties by the word, so that the choice is the same each run
    std::ranges::sort(counts, [](const auto& a, const auto& b) {
      return std::pair(b.second, std::string_view(a.first)) <
             std::pair(a.second, std::string_view(b.first));
    });
    counts.resize(options.max_words);
  }
  require(!counts.empty(),
          "no word is in {} or more of the {} texts: there is nothing to compare; use "
          "another encoder",
          min_documents, texts.n_texts);
  std::ranges::sort(counts);
  Lsa lsa;
  lsa.split_ = std::move(split);
  for (auto& [word, count] : counts) {
    lsa.words_.push_back(std::move(word));
    lsa.weights_.push_back(static_cast<float>(
        std::log((1.0 + static_cast<double>(texts.n_texts)) / (1.0 + count)) + 1));
  }
  lsa.index_words();

  SparseRows rows;
  for_each_block([&](const std::vector<std::string>& block) {
    std::vector<std::vector<std::pair<uint32_t, float>>> weighed(block.size());
    parallel_for(0, block.size(), 256, [&](size_t first, size_t last) {
      for (size_t i = first; i < last; ++i) weighed[i] = lsa.weigh(block[i]);
    });
    for (const auto& row : weighed) {
      for (const auto& [id, weight] : row) {
        rows.columns.push_back(id);
        rows.values.push_back(weight);
      }
      rows.starts.push_back(rows.columns.size());
    }
  });
  const size_t n_words = lsa.n_words();
  const SparseRows columns = rows.transposed(n_words);

  const size_t n_dims = std::min({options.n_dims, n_words, texts.n_texts});
  const size_t width = std::min(n_dims + kOversampling, n_words);
  begin_stage(progress, "singular vectors", options.n_iterations, "iterations");
  RowMatrix q(static_cast<Eigen::Index>(n_words), static_cast<Eigen::Index>(width));
  for (size_t i = 0; i < n_words; ++i) {
    Rng rng(options.seed, i);
    for (Eigen::Index j = 0; j < q.cols(); ++j) {
      q(static_cast<Eigen::Index>(i), j) = static_cast<float>(rng.normal());
    }
  }
  q = orthonormal_columns(q);
  for (size_t iteration = 0; iteration < options.n_iterations; ++iteration) {
    q = orthonormal_columns(columns.times(rows.times(q)));
    advance(progress, 1);
  }
  // Rayleigh-Ritz: within the span of q the best directions are eigenvectors of q^T A^T A q.
  const Eigen::MatrixXd gram = (q.transpose() * columns.times(rows.times(q))).cast<double>();
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver((gram + gram.transpose()) / 2);
  const auto kept = static_cast<Eigen::Index>(n_dims);
  const RowMatrix best =
      q * solver.eigenvectors().rightCols(kept).rowwise().reverse().cast<float>();
  lsa.projection_ = Matrix<float>::uninitialized(n_words, n_dims);
  std::copy_n(best.data(), best.size(), lsa.projection_.data());
  for (size_t i = 0; i < n_dims; ++i) {
    const double squared = solver.eigenvalues()(static_cast<Eigen::Index>(width - 1 - i));
    lsa.singular_values_.push_back(static_cast<float>(std::sqrt(std::max(squared, 0.0))));
  }
  return lsa;
}

void Lsa::encode(std::span<const std::string> texts, MatrixView<float> out) const {
  require(out.rows() == texts.size() && out.cols() == dim(),
          "the output is {} x {}, but {} x {} is needed", out.rows(), out.cols(), texts.size(),
          dim());
  parallel_for(0, texts.size(), 256, [&](size_t first, size_t last) {
    for (size_t i = first; i < last; ++i) {
      const std::span<float> row = out.row(i);
      std::ranges::fill(row, 0.0f);
      for (const auto& [id, weight] : weigh(texts[i])) {
        const float* direction = projection_.row_data(id);
        for (size_t j = 0; j < row.size(); ++j) row[j] += weight * direction[j];
      }
      double squares = 0;
      for (float x : row) squares += static_cast<double>(x) * x;
      if (squares > 0) {
        for (float& x : row) x = static_cast<float>(x / std::sqrt(squares));
      }
    }
  });
}

std::vector<float> Lsa::encode(const std::string& text) const {
  std::vector<float> vector(dim());
  encode(std::span(&text, 1), MatrixView<float>(vector.data(), 1, dim()));
  return vector;
}

void Lsa::save(const std::filesystem::path& path) const {
  std::string text;
  for (const std::string& word : words_) text += word + '\n';
  ContainerWriter out(std::string(kKind), kVersion);
  out.add<char>("words", text);
  out.add<float>("weights", weights_);
  out.add<float>("singular_values", singular_values_);
  out.add<float>("projection", projection_.flat());
  out.save(path);
}

Lsa Lsa::open(const std::filesystem::path& path, TextSplitter split) {
  const Container in = Container::open(path, kKind, kVersion);
  Lsa lsa;
  lsa.split_ = std::move(split);
  const std::span<const char> text = in.array<char>("words");
  for (auto begin = text.begin(); begin != text.end();) {
    const auto end = std::find(begin, text.end(), '\n');
    lsa.words_.emplace_back(begin, end);
    begin = end == text.end() ? end : end + 1;
  }
  const auto weights = in.array<float>("weights");
  lsa.weights_.assign(weights.begin(), weights.end());
  const auto singular_values = in.array<float>("singular_values");
  lsa.singular_values_.assign(singular_values.begin(), singular_values.end());
  const auto projection = in.array<float>("projection");
  const size_t n_dims = singular_values.size();
  if (lsa.words_.size() != weights.size() || projection.size() != weights.size() * n_dims ||
      n_dims == 0 || !std::ranges::all_of(projection, [](float x) { return std::isfinite(x); }) ||
      !std::ranges::all_of(weights, [](float x) { return std::isfinite(x); })) {
    in.fail("words, weights and projection do not fit together");
  }
  lsa.projection_ =
      Matrix<float>::copy(MatrixView<const float>(projection.data(), weights.size(), n_dims));
  lsa.index_words();
  return lsa;
}

}  // namespace carya
