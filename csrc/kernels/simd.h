// Vectors of PYNN_VECTOR_BYTES bytes, on GCC's vector extensions: arithmetic, comparisons and `mask ? a : b` work on them
// element by element. Everything is static, and in the namespace of its instruction set (see kernels.h).
#pragma once

#include <stdint.h>
#include <string.h>

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

// The first n elements, the others 0.
template <typename T>
PYNN_INLINE Vec<T> load_part(const T* p, int64_t n) {
  Vec<T> v{};
  memcpy(&v, p, static_cast<size_t>(n) * sizeof(T));
  return v;
}

template <typename T>
PYNN_INLINE void store_part(T* p, Vec<T> v, int64_t n) {
  memcpy(p, &v, static_cast<size_t>(n) * sizeof(T));
}

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
