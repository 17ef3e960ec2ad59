#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace carya {

// Sums of table entries over short codes: the inner loop of product quantisation (Jegou et al.
// 2011), with the tables of 4-bit codes in registers (Andre et al. 2015; card 173).
//
// A code has n_parts numbers of 4 bits.  32 codes form a block: for each part 16 bytes, byte i
// holding the number of code i low and of code i + 16 high.  Blocks have padded_parts() parts;
// those beyond n_parts are 0.

constexpr size_t kCodesPerBlock = 32;
constexpr size_t kMaxParts = 256;  // sums of bytes fit 16 bits

size_t padded_parts(size_t n_parts);  // a multiple of four: one AVX-512 register of tables
inline size_t block_bytes(size_t n_parts) { return padded_parts(n_parts) * 16; }

// Code i of the blocks, one number a byte: [n_parts].
void store_code(std::span<const uint8_t> numbers, size_t i, uint8_t* blocks);
void load_code(const uint8_t* blocks, size_t i, std::span<uint8_t> numbers);

// sums[i] = sum over the parts of tables[16 part + number of code i], for all codes of n_blocks.
// tables [16 padded_parts], 0 for padding; sums [32 n_blocks].  Exact.  Reads n_parts / 2 bytes a
// code: bound by memory, or in cache by one byte shuffle per 16 (32, 64) numbers.
void sum_codes(const uint8_t* blocks, size_t n_blocks, size_t n_parts, const uint8_t* tables,
               uint16_t* sums);

// What a table of floats needs to become one of bytes.  sums[i] = a[i] + b[i] for the 16 entries of
// each part; lowest [n_parts]: the least of each.  Returns the widest range of a part.  O(n_parts).
float add_tables(const float* a, const float* b, size_t n_parts, float* sums, float* lowest);
// bytes[i] = (tables[i] - lowest of its part) / step to the nearest whole number, at most 255;
// `bytes` [16 n_parts].
void tables_to_bytes(const float* tables, const float* lowest, size_t n_parts, float step,
                     uint8_t* bytes);

// The positions of what is at most `limit` in values [n], rising, and how many: out [n].
size_t select_at_most(const uint16_t* values, size_t n, uint16_t limit, uint32_t* out);

// The same sums for codes of a byte a part: codes [n, n_parts], tables [n_parts, 256], sums [n].
void sum_byte_codes(const uint8_t* codes, size_t n, size_t n_parts, const float* tables,
                    float* sums);

}  // namespace carya
