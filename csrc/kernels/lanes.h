// Vectors and parts of them whose lanes are moved.
#pragma once

#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// N numbers: a vector, or part of one.
template <typename T, int N>
struct Lanes {
  typedef T vec __attribute__((vector_size(N * sizeof(T))));
  typedef typename Simd<T>::integer ivec __attribute__((vector_size(N * sizeof(T))));
  typedef T unaligned __attribute__((vector_size(N * sizeof(T)), aligned(sizeof(T)), may_alias));
};

template <typename T, int N>
PYNN_INLINE typename Lanes<T, N>::vec splat_lanes(T x) {
  return x - typename Lanes<T, N>::vec{};
}

// As load and store of a part, for a vector of all lanes or, with AVX-512, of half of them.
#if defined(__AVX512VL__)
PYNN_INLINE Lanes<float, 8>::vec load_half(const float* p, int64_t n) {
  return _mm256_maskz_loadu_ps(static_cast<__mmask8>((1u << n) - 1), p);
}
PYNN_INLINE Lanes<double, 4>::vec load_half(const double* p, int64_t n) {
  return _mm256_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
}
PYNN_INLINE void store_half(float* p, Lanes<float, 8>::vec v, int64_t n) {
  _mm256_mask_storeu_ps(p, static_cast<__mmask8>((1u << n) - 1), v);
}
PYNN_INLINE void store_half(double* p, Lanes<double, 4>::vec v, int64_t n) {
  _mm256_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#endif
template <typename T, int N>
PYNN_INLINE typename Lanes<T, N>::vec load_lanes(const T* p, int64_t count) {
  if constexpr (N == kWidth<T>) {
    return load(p, count);
  } else {
    if (count == N) return *reinterpret_cast<const typename Lanes<T, N>::unaligned*>(p);
    return load_half(p, count);
  }
}
template <typename T, int N>
PYNN_INLINE void store_lanes(T* p, typename Lanes<T, N>::vec v, int64_t count) {
  if constexpr (N == kWidth<T>) {
    store(p, v, count);
  } else if (count == N) {
    *reinterpret_cast<typename Lanes<T, N>::unaligned*>(p) = v;
  } else {
    store_half(p, v, count);
  }
}

// Swaps the lanes of a whose number has the bit `step` with the lanes of b whose number has not.
template <typename T, int N, int Step>
PYNN_INLINE void swap_lanes(typename Lanes<T, N>::vec& a, typename Lanes<T, N>::vec& b) {
  typename Lanes<T, N>::ivec low{}, high{};  // a's lanes are 0 to N - 1, b's follow
#pragma GCC unroll 16
  for (int lane = 0; lane < N; ++lane) {
    low[lane] = lane & Step ? N + lane - Step : lane;
    high[lane] = lane & Step ? N + lane : lane + Step;
  }
  const typename Lanes<T, N>::vec first = __builtin_shuffle(a, b, low);
  b = __builtin_shuffle(a, b, high);
  a = first;
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
