// Vectors of PYNN_VECTOR_BYTES bytes, on GCC's vector extensions: arithmetic, comparisons and `mask ? a : b` work on
// them element by element. Everything is static, and in the namespace of its instruction set (see kernels.h).
#pragma once

#include <stdint.h>
#include <string.h>
#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T>
struct Simd;

template <>
struct Simd<float> {
  typedef float vec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  typedef int32_t ivec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  // Dereferencing this type is an unaligned load or store; GCC 12 would split a memcpy of 64 bytes in two.
  typedef float unaligned __attribute__((vector_size(PYNN_VECTOR_BYTES), aligned(4), may_alias));
  typedef int32_t integer;
};

template <>
struct Simd<double> {
  typedef double vec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  typedef int64_t ivec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  typedef double unaligned __attribute__((vector_size(PYNN_VECTOR_BYTES), aligned(8), may_alias));
  typedef int64_t integer;
};

template <typename T>
using Vec = typename Simd<T>::vec;
template <typename T>
using IVec = typename Simd<T>::ivec;

// Elements in a vector.
template <typename T>
constexpr int64_t kWidth = PYNN_VECTOR_BYTES / static_cast<int64_t>(sizeof(T));

#define PYNN_INLINE static inline __attribute__((always_inline))

template <typename T>
PYNN_INLINE Vec<T> splat(T x) {
  return x - Vec<T>{};  // folds to a broadcast; x + 0 would not, for -0
}

template <typename T>
PYNN_INLINE Vec<T> load(const T* p) {
  return *reinterpret_cast<const typename Simd<T>::unaligned*>(p);
}

template <typename T>
PYNN_INLINE void store(T* p, Vec<T> v) {
  *reinterpret_cast<typename Simd<T>::unaligned*>(p) = v;
}

// 0, 1, 2, ...
template <typename T>
PYNN_INLINE IVec<T> lane_numbers() {
  IVec<T> lanes{};
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i) lanes[i] = static_cast<typename Simd<T>::integer>(i);
  return lanes;
}

// All bits set in the lanes below n.
template <typename T>
PYNN_INLINE IVec<T> lanes_below(int64_t n) {
  return lane_numbers<T>() < static_cast<typename Simd<T>::integer>(n);
}

// load_part: the first n elements, the others 0; 0 < n < the width. store_part: writes the first n elements only.
// A memcpy of n bytes would be a call; the masked instructions do not touch what lies behind.
#if defined(__AVX512F__)
PYNN_INLINE Vec<float> load_part(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
PYNN_INLINE Vec<double> load_part(const double* p, int64_t n) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
}
PYNN_INLINE void store_part(float* p, Vec<float> v, int64_t n) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
PYNN_INLINE void store_part(double* p, Vec<double> v, int64_t n) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#elif defined(__AVX2__)
PYNN_INLINE Vec<float> load_part(const float* p, int64_t n) {
  return _mm256_maskload_ps(p, reinterpret_cast<__m256i>(lanes_below<float>(n)));
}
PYNN_INLINE Vec<double> load_part(const double* p, int64_t n) {
  return _mm256_maskload_pd(p, reinterpret_cast<__m256i>(lanes_below<double>(n)));
}
PYNN_INLINE void store_part(float* p, Vec<float> v, int64_t n) {
  _mm256_maskstore_ps(p, reinterpret_cast<__m256i>(lanes_below<float>(n)), v);
}
PYNN_INLINE void store_part(double* p, Vec<double> v, int64_t n) {
  _mm256_maskstore_pd(p, reinterpret_cast<__m256i>(lanes_below<double>(n)), v);
}
#else
template <typename T>
PYNN_INLINE Vec<T> load_part(const T* p, int64_t n) {
  Vec<T> v{};
  for (int64_t i = 0; i < n; ++i) v[i] = p[i];
  return v;
}
template <typename T>
PYNN_INLINE void store_part(T* p, Vec<T> v, int64_t n) {
  for (int64_t i = 0; i < n; ++i) p[i] = v[i];
}
#endif

template <typename T>
PYNN_INLINE IVec<T> as_bits(Vec<T> v) {
  return reinterpret_cast<IVec<T>>(v);
}

template <typename T>
PYNN_INLINE Vec<T> from_bits(IVec<T> v) {
  return reinterpret_cast<Vec<T>>(v);
}

template <typename T>
PYNN_INLINE Vec<T> absolute(Vec<T> v) {
  return v < 0 ? -v : v;
}

// NaN in `v` stays; NaN in `bound` does not occur.
template <typename T>
PYNN_INLINE Vec<T> at_least(Vec<T> v, T bound) {
  return v < bound ? splat<T>(bound) : v;
}

template <typename T>
PYNN_INLINE Vec<T> at_most(Vec<T> v, T bound) {
  return v > bound ? splat<T>(bound) : v;
}

// The sum of the elements, by halves: always the same order.
template <typename T>
PYNN_INLINE T sum(Vec<T> v) {
  T x[kWidth<T>];
  memcpy(x, &v, sizeof(v));
  for (int64_t half = kWidth<T> / 2; half > 0; half /= 2)
    for (int64_t i = 0; i < half; ++i) x[i] += x[i + half];
  return x[0];
}

// Calls body(i, count) for vectors of i..end-1; count is the vector's width but for the last, which may be shorter.
template <typename T, typename Body>
PYNN_INLINE void for_vectors(int64_t begin, int64_t end, Body body) {
  int64_t i = begin;
  for (; i + kWidth<T> <= end; i += kWidth<T>) body(i, kWidth<T>);
  if (i < end) body(i, end - i);
}

// load/store that take for_vectors' count; the comparison is folded away in the main loop.
template <typename T>
PYNN_INLINE Vec<T> load(const T* p, int64_t count) {
  return count == kWidth<T> ? load(p) : load_part(p, count);
}

template <typename T>
PYNN_INLINE void store(T* p, Vec<T> v, int64_t count) {
  if (count == kWidth<T>)
    store(p, v);
  else
    store_part(p, v, count);
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
