// Elementary functions of vectors, without branches: NaN stays NaN, overflow gives infinity. They run where subnormal
// numbers count as 0 (run_team), so the logarithm of one is that of 0, and results may be 0 for a subnormal number.
// exp, tanh, sigmoid and log are held to 4 units in the last place and to exact values at 0 and infinity, in float by
// trying every number (tests/native/check_math.cpp); the others are measured in tests/test_kernels_ulp.py.
#pragma once

#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T>
PYNN_INLINE Vec<T> sign(Vec<T> x) {
  return x > 0 ? splat<T>(1) : (x < 0 ? splat<T>(-1) : x);  // 0 and NaN are their own sign
}

// The value of c[0] + c[1] x + c[2] x^2 + ... (Horner).
template <typename T, int N>
PYNN_INLINE Vec<T> polynomial(Vec<T> x, const T (&c)[N]) {
  Vec<T> y = splat<T>(c[N - 1]);
#pragma GCC unroll 32
  for (int i = N - 2; i >= 0; --i) y = y * x + c[i];
  return y;
}

template <typename T>
struct Constants;

template <>
struct Constants<float> {
  static constexpr int32_t exponent_shift = 23, exponent_bias = 127;
  static constexpr float exp_max = 89.0f, exp_min = -104.0f;     // beyond: infinity, 0
  static constexpr float expm1_max = 80.0f, expm1_min = -40.0f;  // beyond: not asked for, -1
  static constexpr float vanishes = -104.0f;                     // x exp(x) and its kin are 0 below it
  static constexpr float sigmoid_max = 88.0f, sigmoid_min = -87.0f;
  static constexpr float tanh_max = 10.0f;     // 1 beyond it
  static constexpr float huge = 1e18f;         // huge / (huge + 1) is 1
  static constexpr float rounder = 0x1.8p23f;  // x + rounder - rounder is x rounded to an integer
  static constexpr float ln2_high = 0x1.62e4p-1f, ln2_low = 0x1.7f7d1cp-20f;
  static constexpr float sqrt_half = 0x1.6a09e6p-1f;
  static constexpr float phi_shift = 3.5f;
};

template <>
struct Constants<double> {
  static constexpr int64_t exponent_shift = 52, exponent_bias = 1023;
  static constexpr double exp_max = 710.0, exp_min = -746.0;
  static constexpr double expm1_max = 600.0, expm1_min = -80.0;
  static constexpr double vanishes = -746.0;
  static constexpr double sigmoid_max = 709.0, sigmoid_min = -708.0;
  static constexpr double tanh_max = 20.0;
  static constexpr double huge = 1e100;
  static constexpr double rounder = 0x1.8p52;
  static constexpr double ln2_high = 0x1.62e42fefa38p-1, ln2_low = 0x1.ef35793c7673p-45;
  static constexpr double sqrt_half = 0x1.6a09e667f3bcdp-1;
  static constexpr double phi_shift = 5.0;
};

// The exponent n of a power of two, and x 2^n. `scaled` is for an n of the range of normal numbers, `scaled_far` for
// any n where the result is in that range.
#if defined(__AVX512F__)
template <typename T>
using Exponent = Vec<T>;
PYNN_INLINE Vec<float> scaled(Vec<float> x, Exponent<float> n) { return _mm512_maskz_scalef_ps(0xffff, x, n); }
PYNN_INLINE Vec<double> scaled(Vec<double> x, Exponent<double> n) { return _mm512_maskz_scalef_pd(0xff, x, n); }
template <typename T>
PYNN_INLINE Vec<T> scaled_far(Vec<T> x, Exponent<T> n) {
  return scaled(x, n);
}
template <typename T>
PYNN_INLINE Vec<T> power_of_two(Exponent<T> n) {
  return scaled(splat<T>(1), n);
}
#else
template <typename T>
using Exponent = IVec<T>;
template <typename T>
PYNN_INLINE Vec<T> power_of_two(Exponent<T> n) {
  const IVec<T> bias = IVec<T>{} + Constants<T>::exponent_bias;
  return from_bits<T>(wrapping_sum<T>(n, bias) << Constants<T>::exponent_shift);
}
PYNN_INLINE Vec<float> scaled(Vec<float> x, Exponent<float> n) { return x * power_of_two<float>(n); }
PYNN_INLINE Vec<double> scaled(Vec<double> x, Exponent<double> n) { return x * power_of_two<double>(n); }
template <typename T>
PYNN_INLINE Vec<T> scaled_far(Vec<T> x, Exponent<T> n) {
  const IVec<T> half = n >> 1;
  return scaled(scaled(x, half), n - half);
}
#endif

// exp(r) - 1 for |r| <= ln(2) / 2, by Taylor's series: its next term is below a quarter unit in the last place.
PYNN_INLINE Vec<float> expm1_reduced(Vec<float> r) {
  constexpr float c[] = {1.0f / 2, 1.0f / 6, 1.0f / 24, 1.0f / 120, 1.0f / 720, 1.0f / 5040};
  return r + r * r * polynomial<float>(r, c);
}

PYNN_INLINE Vec<double> expm1_reduced(Vec<double> r) {
  constexpr double c[] = {1.0 / 2,     1.0 / 6,      1.0 / 24,      1.0 / 120,      1.0 / 720,       1.0 / 5040,
                          1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
  return r + r * r * polynomial<double>(r, c);
}

// x = n ln(2) + r: returns exp(r) - 1 and n.
template <typename T>
PYNN_INLINE Vec<T> reduce_exp(Vec<T> x, Exponent<T>* n) {
  using C = Constants<T>;
  constexpr T log2_e = static_cast<T>(0x1.71547652b82fep+0);
  const Vec<T> shifted = x * log2_e + C::rounder;
  const Vec<T> whole = shifted - C::rounder;
#if defined(__AVX512F__)
  *n = whole;
#else
  *n = wrapping_difference<T>(as_bits<T>(shifted), as_bits<T>(splat<T>(C::rounder)));
#endif
  return expm1_reduced((x - whole * C::ln2_high) - whole * C::ln2_low);
}

template <typename T>
PYNN_INLINE Vec<T> exp(Vec<T> x) {
  using C = Constants<T>;
  Exponent<T> n;
  const Vec<T> e = reduce_exp<T>(at_most(at_least(x, C::exp_min), C::exp_max), &n);
  return scaled_far<T>(e + 1, n);
}

template <typename T>
PYNN_INLINE Vec<T> expm1(Vec<T> x) {
  using C = Constants<T>;
  Exponent<T> n;
  const Vec<T> e = reduce_exp<T>(at_most(at_least(x, C::expm1_min), C::expm1_max), &n);
  const Vec<T> scale = power_of_two<T>(n);
  return scale * e + (scale - 1);
}

// x = 2^n m with m of [sqrt(1/2), sqrt(2)); log(m) = 2 atanh(s), s = f / (2 + f), f = m - 1, by atanh's series.
PYNN_INLINE Vec<float> log_series(Vec<float> z) {
  constexpr float c[] = {2.0f / 3, 2.0f / 5, 2.0f / 7, 2.0f / 9, 2.0f / 11};
  return z * polynomial<float>(z, c);
}

PYNN_INLINE Vec<double> log_series(Vec<double> z) {
  constexpr double c[] = {2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9,  2.0 / 11, 2.0 / 13,
                          2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21, 2.0 / 23};
  return z * polynomial<double>(z, c);
}

template <typename T>
PYNN_INLINE Vec<T> log(Vec<T> x) {
  using C = Constants<T>;
  const IVec<T> exponent =
      wrapping_difference<T>(as_bits<T>(x), as_bits<T>(splat<T>(C::sqrt_half))) >> C::exponent_shift;
  const Vec<T> n = __builtin_convertvector(exponent, Vec<T>);
  const Vec<T> f = from_bits<T>(wrapping_difference<T>(as_bits<T>(x), exponent << C::exponent_shift)) - 1;
  const Vec<T> s = f / (f + 2);
  Vec<T> y = n * C::ln2_high - ((s * (f - log_series(s * s)) - n * C::ln2_low) - f);
  const Vec<T> infinity = splat<T>(static_cast<T>(__builtin_inf()));
  y = x == infinity ? infinity : y;
  y = x == 0 ? -infinity : y;
  return x < 0 ? splat<T>(static_cast<T>(__builtin_nan(""))) : (x == x ? y : x);
}

// log(1 + x) for x of [0, 1]: the logarithm of the rounded sum, and what the rounding lost.
template <typename T>
PYNN_INLINE Vec<T> log1p(Vec<T> x) {
  const Vec<T> sum = x + 1;
  return log<T>(sum) + (x - (sum - 1)) / sum;
}

// 1 / (1 + exp(-x)). Where exp(-x) is bounded, the result is 0 (it would be subnormal) or 1.
template <typename T>
PYNN_INLINE Vec<T> sigmoid(Vec<T> x) {
  Exponent<T> n;
  const Vec<T> e = reduce_exp<T>(at_most(at_least(-x, Constants<T>::sigmoid_min), Constants<T>::sigmoid_max), &n);
  return 1 / (scaled(e + 1, n) + 1);
}

// By the magnitude, so that it is odd to the last bit; -0 stays -0. With e = exp(2 x) - 1 it is e / (e + 2).
template <typename T>
PYNN_INLINE Vec<T> tanh(Vec<T> x) {
  const IVec<T> sign = as_bits<T>(x) & as_bits<T>(splat(static_cast<T>(-0.0)));
  const Vec<T> magnitude = from_bits<T>(as_bits<T>(x) ^ sign);
  Exponent<T> n;
  const Vec<T> r = reduce_exp<T>(at_most(magnitude, Constants<T>::tanh_max) * 2, &n), scale = power_of_two<T>(n);
  const Vec<T> e = scale * r + (scale - 1);
  return from_bits<T>(as_bits<T>(e / (e + 2)) | sign);
}

// log(1 + exp(x))
template <typename T>
PYNN_INLINE Vec<T> softplus(Vec<T> x) {
  return at_least(x, T{0}) + log1p<T>(exp<T>(-absolute<T>(x)));
}

// The normal distribution: its distribution function, and exp(-x^2 / 2). For a >= 0: phi(-a) = exp(-a^2 / 2) Q(u) / (a
// + c) with u = (a - c) / (a + c), Q a Chebyshev fit on 0..14 (float, relative error 4e-9) or 0..40 (double, 2e-17).
PYNN_INLINE Vec<float> normal_cdf_tail(Vec<float> u) {
  constexpr float c[] = {0x1.7d241ap-1f,  -0x1.219150p-1f, 0x1.42fec8p-2f,  -0x1.db5908p-4f,
                         0x1.1d2fd6p-6f,  0x1.a8de3ap-8f,  -0x1.a07870p-9f, -0x1.e83a18p-12f,
                         0x1.c8405cp-12f, 0x1.557fb6p-14f, -0x1.4eb85ap-16f};
  return polynomial<float>(u, c);
}

PYNN_INLINE Vec<double> normal_cdf_tail(Vec<double> u) {
  constexpr double c[] = {0x1.89d3abe1f95aep-1,  -0x1.54ad03f27ca17p-1, 0x1.fb31653876f92p-2,   -0x1.410ed5f875a7cp-2,
                          0x1.51f6329f01709p-3,  -0x1.1b1c254c9a2b6p-4, 0x1.54b4d4f4c5d11p-6,   -0x1.88590eaadb7f9p-9,
                          -0x1.a25037dd3becp-11, 0x1.1daf1d43337e2p-11, -0x1.f2145fb2b7015p-15, -0x1.a170ced28f539p-15,
                          0x1.17dd0980b4adbp-16, 0x1.0b268a459ebb7p-18, -0x1.73ab329f38dfcp-19, -0x1.694af068ad697p-22,
                          0x1.d0ebee2d5012p-22,  0x1.6942b0e25ecf2p-25, -0x1.1ae066bd144bep-24, -0x1.3970ec073bb6ap-27,
                          0x1.07cfda70acfd1p-27, 0x1.ceaa4629322cfp-30, -0x1.94e866583810bp-33};
  return polynomial<double>(u, c);
}

template <typename T>
struct Normal {
  Vec<T> cdf, bell;
};

template <typename T>
PYNN_INLINE Normal<T> normal(Vec<T> x) {
  const Vec<T> a = at_most(absolute<T>(x), static_cast<T>(40));
  const Vec<T> r = 1 / (a + Constants<T>::phi_shift), bell = exp<T>(a * a * static_cast<T>(-0.5));
  const Vec<T> tail = bell * normal_cdf_tail((a - Constants<T>::phi_shift) * r) * r;
  return {x > 0 ? 1 - tail : tail, bell};
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
