#pragma once

#include <cstddef>
#include <cstdint>

#include "carya/simd/gemm.h"

namespace carya {

// One row block times some panels: what gemm() hands to the kernels of an instruction set.
struct GemmBlock {
  const uint32_t* x = nullptr;         // [rows, x_stride] words in the weights' format
  size_t x_stride = 0;                 // words
  const float* row_scales = nullptr;   // kInt8: [rows]
  const int32_t* row_zeros = nullptr;  // kInt8: the code of 0
  size_t rows = 0;
  const PackedWeights* weights = nullptr;
  size_t first_panel = 0, last_panel = 0;
  const float* bias = nullptr;  // of output 0, padded to whole panels, or null
  Activation activation = Activation::kNone;
  const float* residual = nullptr;  // of the block's first row, output 0, or null
  size_t residual_stride = 0;
  float* out = nullptr;
  size_t out_stride = 0;
};

void gemm_block(const GemmBlock& block);

// n floats to the words of a format, the last word padded with zeros.  kF32 is a plain copy.
// kInt8: u8 codes with value = (code - zero) * scale, 0 being exact.
void bf16_words(const float* x, size_t n, uint32_t* words);
void int8_words(const float* x, size_t n, uint32_t* words, float& scale, int32_t& zero);

}  // namespace carya
