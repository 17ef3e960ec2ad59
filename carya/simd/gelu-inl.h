// gelu(x) = x * Phi(x) for a vector of floats: the error function, not its tanh approximation.
#if defined(CARYA_SIMD_GELU_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef CARYA_SIMD_GELU_INL_H_
#undef CARYA_SIMD_GELU_INL_H_
#else
#define CARYA_SIMD_GELU_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace carya::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Phi(x) - 1/2 is odd: clamped to |x| <= 5 it is x times a polynomial in u = x^2 / 12.5 - 1, which
// runs over [-1, 1] so that Horner's scheme does not cancel.  Minimax for x * Phi(x) at degree 12:
// absolute error 1.5e-6 for |x| < 8 (beyond, |x| * 3e-7), against 24 multiply-adds for erf itself.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V gelu(D d, V x) {
  constexpr float kCoefficients[] = {
      1.41363785e-01f,  -7.02966377e-02f, 5.15214466e-02f,  -4.04332951e-02f, 3.14260907e-02f,
      -2.33338457e-02f, 1.64970402e-02f,  -1.09826326e-02f, 6.17011916e-03f,  -2.90272874e-03f,
      1.99336722e-03f,  -1.52045442e-03f, 4.97711590e-04f};
  constexpr int kDegree = 12;
  const V clamped = hn::Min(hn::Max(x, hn::Set(d, -5.0f)), hn::Set(d, 5.0f));
  const V u = hn::MulAdd(hn::Mul(clamped, clamped), hn::Set(d, 0.08f), hn::Set(d, -1.0f));
  V sum = hn::Set(d, kCoefficients[kDegree]);
#pragma GCC unroll 16
  for (int i = kDegree - 1; i >= 0; --i) sum = hn::MulAdd(sum, u, hn::Set(d, kCoefficients[i]));
  return hn::Mul(x, hn::MulAdd(clamped, sum, hn::Set(d, 0.5f)));
}

}  // namespace carya::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
