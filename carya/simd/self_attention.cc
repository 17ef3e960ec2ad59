#include "carya/simd/self_attention.h"

#include <algorithm>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "carya/simd/self_attention.cc"
#include <hwy/foreach_target.h>  // re-includes this file once per instruction set
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr size_t kPad = 16;  // scores of a query: a multiple of every vector
constexpr size_t kQueries = 4;
using D = hn::CappedTag<float, kPad>;
using V = hn::Vec<D>;

struct Head {
  const float *q, *k, *v;  // of the sequence's first row; rows `stride` apart
  size_t stride, dim, length, padded;
  float* out;
  size_t out_stride;
};

// keys^T [dim, padded]; what lies beyond `length` is never looked at, but must be finite.
void transpose_keys(const Head& head, float* keys) {
  for (size_t j = 0; j < head.length; ++j) {
    const float* row = head.k + j * head.stride;
    for (size_t t = 0; t < head.dim; ++t) keys[t * head.padded + j] = row[t];
  }
  for (size_t t = 0; t < head.dim; ++t) {
    std::fill(keys + t * head.padded + head.length, keys + (t + 1) * head.padded, 0.0f);
  }
}

// scores [4, padded] of four queries; GCC needs the sums as variables, not as an array.
void score(const Head& head, const float* const* queries, const float* keys, float* scores) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float *q0 = queries[0], *q1 = queries[1], *q2 = queries[2], *q3 = queries[3];
  size_t j = 0;
  for (; j + 2 * lanes <= head.padded; j += 2 * lanes) {  // eight chains: the FMAs do not wait
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
    const float* key = keys + j;
    for (size_t t = 0; t < head.dim; ++t, key += head.padded) {
      const V k = hn::LoadU(d, key), l = hn::LoadU(d, key + lanes);
      const V x0 = hn::Set(d, q0[t]), x1 = hn::Set(d, q1[t]);
      const V x2 = hn::Set(d, q2[t]), x3 = hn::Set(d, q3[t]);
      s0 = hn::MulAdd(x0, k, s0), t0 = hn::MulAdd(x0, l, t0);
      s1 = hn::MulAdd(x1, k, s1), t1 = hn::MulAdd(x1, l, t1);
      s2 = hn::MulAdd(x2, k, s2), t2 = hn::MulAdd(x2, l, t2);
      s3 = hn::MulAdd(x3, k, s3), t3 = hn::MulAdd(x3, l, t3);
    }
    float* to = scores + j;
    hn::StoreU(s0, d, to), hn::StoreU(t0, d, to + lanes), to += head.padded;
    hn::StoreU(s1, d, to), hn::StoreU(t1, d, to + lanes), to += head.padded;
    hn::StoreU(s2, d, to), hn::StoreU(t2, d, to + lanes), to += head.padded;
    hn::StoreU(s3, d, to), hn::StoreU(t3, d, to + lanes);
  }
  for (; j < head.padded; j += lanes) {
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    const float* key = keys + j;
    for (size_t t = 0; t < head.dim; ++t, key += head.padded) {
      const V k = hn::LoadU(d, key);
      s0 = hn::MulAdd(hn::Set(d, q0[t]), k, s0);
      s1 = hn::MulAdd(hn::Set(d, q1[t]), k, s1);
      s2 = hn::MulAdd(hn::Set(d, q2[t]), k, s2);
      s3 = hn::MulAdd(hn::Set(d, q3[t]), k, s3);
    }
    hn::StoreU(s0, d, scores + j);
    hn::StoreU(s1, d, scores + head.padded + j);
    hn::StoreU(s2, d, scores + 2 * head.padded + j);
    hn::StoreU(s3, d, scores + 3 * head.padded + j);
  }
}

// 2^x for x in [-126, 0]: the polynomial of Cephes' exp2f, relative error 2e-7; half the work of
// Highway's Exp, which minds all x.
HWY_INLINE V exp2_of_negative(D d, V x) {
  const hn::RebindToSigned<D> di;
  const V whole = hn::Round(x), part = hn::Sub(x, whole);
  V sum = hn::MulAdd(hn::Set(d, 1.535336188319500e-4f), part, hn::Set(d, 1.339887440266574e-3f));
  sum = hn::MulAdd(sum, part, hn::Set(d, 9.618437357674640e-3f));
  sum = hn::MulAdd(sum, part, hn::Set(d, 5.550332471162809e-2f));
  sum = hn::MulAdd(sum, part, hn::Set(d, 2.402264791363012e-1f));
  sum = hn::MulAdd(sum, part, hn::Set(d, 6.931472028550421e-1f));
  sum = hn::MulAdd(sum, part, hn::Set(d, 1.0f));
  const auto exponent = hn::ShiftLeft<23>(hn::ConvertTo(di, whole));
  return hn::BitCast(d, hn::Add(hn::BitCast(di, sum), exponent));
}

// scores to exp(scores - greatest), at least 2^-126, so 0 for all purposes; returns 1 / sum.
float softmax(float* scores, size_t length, size_t padded) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  for (size_t j = length; j < padded; ++j) scores[j] = -1e30f;
  V greatest = hn::LoadU(d, scores);
  for (size_t j = lanes; j < padded; j += lanes) {
    greatest = hn::Max(greatest, hn::LoadU(d, scores + j));
  }
  const V top = hn::MaxOfLanes(d, greatest);
  const V log2_e = hn::Set(d, 1.44269504f), least = hn::Set(d, -126.0f);
  V sum = hn::Zero(d);
  for (size_t j = 0; j < padded; j += lanes) {
    const V x = hn::Mul(hn::Sub(hn::LoadU(d, scores + j), top), log2_e);
    const V e = exp2_of_negative(d, hn::Max(x, least));
    hn::StoreU(e, d, scores + j);
    sum = hn::Add(sum, e);
  }
  return 1.0f / hn::GetLane(hn::SumOfLanes(d, sum));
}

// out rows = weights times values, scaled.  `columns` of a vector at a time, the rest one by one.
void weigh_values(const Head& head, const float* weights, const float* inverse,
                  float* const* outs) {
  const D d;
  const size_t lanes = hn::Lanes(d);
  const float *w0 = weights, *w1 = w0 + head.padded, *w2 = w1 + head.padded, *w3 = w2 + head.padded;
  size_t c = 0;
  for (; c + lanes <= head.dim; c += lanes) {
    V s0 = hn::Zero(d), s1 = s0, s2 = s0, s3 = s0;
    const float* value = head.v + c;
    for (size_t j = 0; j < head.length; ++j, value += head.stride) {
      const V v = hn::LoadU(d, value);
      s0 = hn::MulAdd(hn::Set(d, w0[j]), v, s0);
      s1 = hn::MulAdd(hn::Set(d, w1[j]), v, s1);
      s2 = hn::MulAdd(hn::Set(d, w2[j]), v, s2);
      s3 = hn::MulAdd(hn::Set(d, w3[j]), v, s3);
    }
    hn::StoreU(hn::Mul(s0, hn::Set(d, inverse[0])), d, outs[0] + c);
    hn::StoreU(hn::Mul(s1, hn::Set(d, inverse[1])), d, outs[1] + c);
    hn::StoreU(hn::Mul(s2, hn::Set(d, inverse[2])), d, outs[2] + c);
    hn::StoreU(hn::Mul(s3, hn::Set(d, inverse[3])), d, outs[3] + c);
  }
  for (; c < head.dim; ++c) {
    for (size_t i = 0; i < kQueries; ++i) {
      float sum = 0;
      for (size_t j = 0; j < head.length; ++j) {
        sum += weights[i * head.padded + j] * head.v[j * head.stride + c];
      }
      outs[i][c] = sum * inverse[i];
    }
  }
}

void attend(const Head& head, float* scratch) {
  float* keys = scratch;
  float* scores = scratch + head.dim * head.padded;
  transpose_keys(head, keys);
  for (size_t i = 0; i < head.length; i += kQueries) {
    const float* queries[kQueries];
    float* outs[kQueries];
    float inverse[kQueries];
    for (size_t r = 0; r < kQueries; ++r) {  // past the end the last row is done again
      const size_t row = std::min(i + r, head.length - 1);
      queries[r] = head.q + row * head.stride;
      outs[r] = head.out + row * head.out_stride;
    }
    score(head, queries, keys, scores);
    for (size_t r = 0; r < kQueries; ++r) {
      inverse[r] = softmax(scores + r * head.padded, head.length, head.padded);
    }
    weigh_values(head, scores, inverse, outs);
  }
}

void attend_all(MatrixView<const float> qkv, std::span<const uint32_t> offsets, size_t n_heads,
                MatrixView<float> out, float* scratch) {
  const size_t dim = out.cols(), head_dim = dim / n_heads;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    const size_t length = offsets[s + 1] - offsets[s];
    if (length == 0) continue;
    for (size_t h = 0; h < n_heads; ++h) {
      const float* first = qkv.row_data(offsets[s]) + h * head_dim;
      attend({.q = first,
              .k = first + dim,
              .v = first + 2 * dim,
              .stride = qkv.stride(),
              .dim = head_dim,
              .length = length,
              .padded = (length + kPad - 1) / kPad * kPad,
              .out = out.row_data(offsets[s]) + h * head_dim,
              .out_stride = out.stride()},
             scratch);
    }
  }
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace carya {
HWY_EXPORT(attend_all);

void self_attention(MatrixView<const float> qkv, std::span<const uint32_t> offsets, size_t n_heads,
                    MatrixView<float> out, Matrix<float>& scratch) {
  require(n_heads > 0 && out.cols() % n_heads == 0 && qkv.cols() == 3 * out.cols(),
          "self_attention: {} heads, rows of {} and of {}", n_heads, qkv.cols(), out.cols());
  require(offsets.empty() || (offsets.back() <= qkv.rows() && qkv.rows() == out.rows()),
          "self_attention: offsets up to {}, but {} and {} rows",
          offsets.empty() ? 0 : offsets.back(), qkv.rows(), out.rows());
  size_t longest = 0;
  for (size_t s = 0; s + 1 < offsets.size(); ++s) {
    require(offsets[s] <= offsets[s + 1], "self_attention: offsets must not fall");
    longest = std::max<size_t>(longest, offsets[s + 1] - offsets[s]);
  }
  const size_t padded = (longest + 15) / 16 * 16, rows = out.cols() / n_heads + 4;
  if (scratch.size() < rows * padded) scratch = Matrix<float>::uninitialized(rows, padded);
  HWY_DYNAMIC_DISPATCH(attend_all)(qkv, offsets, n_heads, out, scratch.data());
}

}  // namespace carya
#endif
