#include "carya/simd/gemm.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "carya/core/parallel.h"
#include "carya/simd/gemm_tile.h"

namespace carya {

namespace {

constexpr size_t kPanel = PackedWeights::kPanel;
// A block of rows of x stays in the L2 (1 MB on Zen 4, 1-2 MB on Intel servers) beside a panel.
constexpr size_t kBlockBytes = 384 << 10;
constexpr size_t kRowsMultiple = 12;  // the kernel's rows

size_t elements_per_word(WeightFormat format) {
  return format == WeightFormat::kInt8 ? 4 : format == WeightFormat::kBf16 ? 2 : 1;
}

// Rows whose distance is a multiple of 2 KiB fall into few sets of the L1: 12 of them evict each
// other.  Such rows are copied with an odd number of cache lines between them.
bool is_awkward(size_t stride_words) { return stride_words % 512 == 0; }

// Where a thread keeps its converted rows, biases of partial panels and int8 scales; it only grows.
struct Scratch {
  Matrix<uint32_t> words;
  std::vector<float> scales;
  std::vector<int32_t> zeros;
  uint32_t* reserve_words(size_t n) {
    if (words.size() < n) words = Matrix<uint32_t>::uninitialized(1, n);
    return words.data();
  }
};
thread_local Scratch scratch;

}  // namespace

PackedWeights PackedWeights::pack(MatrixView<const float> weights, WeightFormat format) {
  require(!weights.empty(), "weights of {} x {}: both sides must be at least 1", weights.rows(),
          weights.cols());
  PackedWeights packed;
  packed.format_ = is_fast(format) ? format : WeightFormat::kF32;
  packed.n_outputs_ = weights.rows();
  packed.n_inputs_ = weights.cols();
  const size_t per_word = elements_per_word(packed.format_);
  packed.n_words_ = (weights.cols() + per_word - 1) / per_word;
  const size_t n_panels = (weights.rows() + kPanel - 1) / kPanel;
  packed.panels_ = Matrix<uint32_t>(n_panels, packed.n_words_ * kPanel);
  if (packed.format_ == WeightFormat::kInt8) {
    packed.scales_.assign(n_panels * kPanel, 0.0f);
    packed.sums_.assign(n_panels * kPanel, 0);
  }
  std::vector<uint32_t> words(packed.n_words_);
  for (size_t output = 0; output < weights.rows(); ++output) {
    const float* row = weights.row_data(output);
    std::ranges::fill(words, 0u);
    switch (packed.format_) {
      case WeightFormat::kF32:
        std::memcpy(words.data(), row, weights.cols() * sizeof(float));
        break;
      case WeightFormat::kBf16:
        bf16_words(row, weights.cols(), words.data());
        break;
      case WeightFormat::kInt8: {
        float greatest = 1e-30f;
        for (size_t i = 0; i < weights.cols(); ++i) greatest = std::max(greatest, std::abs(row[i]));
        const float scale = greatest / 127.0f;
        auto* codes = reinterpret_cast<int8_t*>(words.data());
        for (size_t i = 0; i < weights.cols(); ++i) {
          codes[i] = static_cast<int8_t>(std::lround(row[i] / scale));
          packed.sums_[output] += codes[i];
        }
        packed.scales_[output] = scale;
        break;
      }
    }
    uint32_t* panel = packed.panels_.row_data(output / kPanel) + output % kPanel;
    for (size_t i = 0; i < words.size(); ++i) panel[i * kPanel] = words[i];
  }
  return packed;
}

void gemm(MatrixView<const float> x, const PackedWeights& weights, const GemmEpilogue& epilogue,
          MatrixView<float> out, GemmThreads threads) {
  const size_t m = x.rows(), n_outputs = weights.n_outputs();
  require(m == 0 || x.cols() == weights.n_inputs(), "rows of {} numbers, but the weights take {}",
          x.cols(), weights.n_inputs());
  require(out.rows() == m && out.cols() == n_outputs, "the result is {} x {}, not {} x {}", m,
          n_outputs, out.rows(), out.cols());
  require(epilogue.bias.empty() || epilogue.bias.size() == n_outputs, "a bias of {} for {} outputs",
          epilogue.bias.size(), n_outputs);
  const bool has_residual = epilogue.residual.data() != nullptr;
  require(!has_residual || (epilogue.residual.rows() == m && epilogue.residual.cols() == n_outputs),
          "a residual of {} x {} for a result of {} x {}", epilogue.residual.rows(),
          epilogue.residual.cols(), m, n_outputs);
  if (m == 0) return;

  const WeightFormat format = weights.format();
  const size_t n_words = weights.n_words();
  const size_t by_cache =
      kBlockBytes / (n_words * sizeof(uint32_t)) / kRowsMultiple * kRowsMultiple;
  const size_t row_grain = std::clamp<size_t>(by_cache, 2 * kRowsMultiple, 32 * kRowsMultiple);
  const size_t n_row_blocks = (m + row_grain - 1) / row_grain;
  // Few rows: the panels are shared out too.  Each output is computed alike, whoever does it.
  const size_t wanted = threads == GemmThreads::kAll ? 2 * n_threads() : 1;
  const size_t n_column_blocks =
      n_row_blocks >= wanted ? 1 : std::min(weights.n_panels(), wanted / n_row_blocks);
  const size_t panel_grain = (weights.n_panels() + n_column_blocks - 1) / n_column_blocks;

  std::vector<float> padded_bias;
  const float* bias = epilogue.bias.empty() ? nullptr : epilogue.bias.data();
  if (bias != nullptr && n_outputs % kPanel != 0) {
    padded_bias.assign(weights.n_panels() * kPanel, 0.0f);
    std::ranges::copy(epilogue.bias, padded_bias.begin());
    bias = padded_bias.data();
  }

  const auto run = [&](size_t row_block, size_t column_block) {
    const size_t first = row_block * row_grain, rows = std::min(row_grain, m - first);
    GemmBlock block{.rows = rows, .weights = &weights};
    block.first_panel = column_block * panel_grain;
    block.last_panel = std::min(weights.n_panels(), block.first_panel + panel_grain);
    block.bias = bias;
    block.activation = epilogue.activation;
    block.residual = has_residual ? epilogue.residual.row_data(first) : nullptr;
    block.residual_stride = epilogue.residual.stride();
    block.out = out.row_data(first);
    block.out_stride = out.stride();
    if (format == WeightFormat::kF32 && !is_awkward(x.stride())) {
      block.x = reinterpret_cast<const uint32_t*>(x.row_data(first));
      block.x_stride = x.stride();
    } else {
      block.x_stride = (n_words + 15) / 16 * 16;
      if (is_awkward(block.x_stride)) block.x_stride += 16;
      uint32_t* words = scratch.reserve_words(rows * block.x_stride);
      if (format == WeightFormat::kInt8) {
        scratch.scales.resize(std::max(scratch.scales.size(), rows));
        scratch.zeros.resize(std::max(scratch.zeros.size(), rows));
        block.row_scales = scratch.scales.data();
        block.row_zeros = scratch.zeros.data();
      }
      for (size_t i = 0; i < rows; ++i) {
        const float* from = x.row_data(first + i);
        uint32_t* to = words + i * block.x_stride;
        switch (format) {
          case WeightFormat::kF32:
            std::memcpy(to, from, x.cols() * sizeof(float));
            break;
          case WeightFormat::kBf16:
            bf16_words(from, x.cols(), to);
            break;
          case WeightFormat::kInt8:
            int8_words(from, x.cols(), to, scratch.scales[i], scratch.zeros[i]);
            break;
        }
      }
      block.x = words;
    }
    gemm_block(block);
  };
  const size_t n_blocks = n_row_blocks * n_column_blocks;
  if (threads == GemmThreads::kCaller || n_blocks == 1) {
    for (size_t i = 0; i < n_blocks; ++i) run(i / n_column_blocks, i % n_column_blocks);
  } else {
    parallel_for(0, n_blocks, 1,
                 [&](size_t i, size_t) { run(i / n_column_blocks, i % n_column_blocks); });
  }
}

}  // namespace carya
