#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "carya/core/matrix.h"

namespace carya {

// How a packed weight matrix keeps its numbers; sums are always of 32 bits.  The relative error of
// a product's row (root mean square, typical network weights) and the speed against f32 on Zen 4:
//   kF32   1e-7, 1x.  Every machine.
//   kBf16  2e-3, 2x.  Weights and activations rounded to bf16.  AVX512_BF16.
//   kInt8  2e-2, 3.2x.  Weights to 8 bits per output, activations to 8 bits per row.  AVX512_VNNI.
enum class WeightFormat { kF32, kBf16, kInt8 };

// Whether this machine has the instructions; f32 always.
bool is_fast(WeightFormat format);

// A weight matrix in the order in which the kernels read it: panels of 32 outputs, in each of which
// the inputs follow one another in words of 4 bytes (one f32, two bf16 or four int8 of one output).
// Immutable, so many threads may share it.
//
//   PackedWeights weights = PackedWeights::pack(linear, WeightFormat::kBf16);
//   gemm(x, weights, {.bias = bias, .activation = Activation::kGelu}, y);
class PackedWeights {
 public:
  static constexpr size_t kPanel = 32;  // two AVX-512 registers of outputs

  PackedWeights() = default;
  // weights [n_outputs, n_inputs] as torch.nn.Linear keeps them; so gemm computes x * weights^T.
  // A format that is not fast here becomes kF32.  Throws kInvalidArgument if a side is 0.
  static PackedWeights pack(MatrixView<const float> weights, WeightFormat format);

  size_t n_inputs() const noexcept { return n_inputs_; }
  size_t n_outputs() const noexcept { return n_outputs_; }
  WeightFormat format() const noexcept { return format_; }
  // For the kernels.  Words of a row of inputs, padded with zeros.
  size_t n_words() const noexcept { return n_words_; }
  size_t n_panels() const noexcept { return panels_.rows(); }
  const uint32_t* panel(size_t i) const noexcept { return panels_.row_data(i); }  // [n_words, 32]
  std::span<const float> scales() const noexcept { return scales_; }  // kInt8: per output, padded
  std::span<const int32_t> sums() const noexcept { return sums_; }    // kInt8: of the codes

 private:
  size_t n_inputs_ = 0, n_outputs_ = 0, n_words_ = 0;
  WeightFormat format_ = WeightFormat::kF32;
  Matrix<uint32_t> panels_;  // [n_panels, n_words * kPanel]
  std::vector<float> scales_;
  std::vector<int32_t> sums_;
};

enum class Activation {
  kNone,
  kGelu,  // x * Phi(x), as torch's exact form; absolute error below 2e-6 for |x| < 8
};

// What happens to a tile of sums before it is stored: activation(sums + bias) + residual.
struct GemmEpilogue {
  std::span<const float> bias = {};  // [n_outputs] or empty
  Activation activation = Activation::kNone;
  MatrixView<const float> residual = {};  // [m, n_outputs] or empty; may be the output itself
};

enum class GemmThreads { kAll, kCaller };

// out [m, n_outputs] = epilogue(x [m, n_inputs] * weights^T).  2 m n_inputs n_outputs operations,
// bound by FMA throughput from m of about 30 on, below it by reading the weights.  A row of out
// depends on its row of x only, bit for bit: not on m, on its place or on the number of threads.
// Every sum runs over the inputs in rising order.  Throws kInvalidArgument if shapes differ.
void gemm(MatrixView<const float> x, const PackedWeights& weights, const GemmEpilogue& epilogue,
          MatrixView<float> out, GemmThreads threads = GemmThreads::kAll);

}  // namespace carya
