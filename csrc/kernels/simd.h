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
  typedef uint32_t uvec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  // Dereferencing this type is an unaligned load or store; GCC 12 would split a memcpy of 64 bytes in two.
  typedef float unaligned __attribute__((vector_size(PYNN_VECTOR_BYTES), aligned(4), may_alias));
  typedef int32_t unaligned_integers __attribute__((vector_size(PYNN_VECTOR_BYTES), aligned(4), may_alias));
  typedef uint8_t bytes __attribute__((vector_size(PYNN_VECTOR_BYTES / 4)));
  typedef int32_t integer;
};

template <>
struct Simd<double> {
  typedef double vec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  typedef int64_t ivec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  typedef uint64_t uvec __attribute__((vector_size(PYNN_VECTOR_BYTES)));
  typedef double unaligned __attribute__((vector_size(PYNN_VECTOR_BYTES), aligned(8), may_alias));
  typedef int64_t unaligned_integers __attribute__((vector_size(PYNN_VECTOR_BYTES), aligned(8), may_alias));
  typedef uint8_t bytes __attribute__((vector_size(PYNN_VECTOR_BYTES / 8)));
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
#define PYNN_INLINE_SPECIAL inline __attribute__((always_inline))  // of a static template

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

template <typename T>
PYNN_INLINE IVec<T> load_integers(const typename Simd<T>::integer* p) {
  return *reinterpret_cast<const typename Simd<T>::unaligned_integers*>(p);
}

template <typename T>
PYNN_INLINE void store_integers(typename Simd<T>::integer* p, IVec<T> v) {
  *reinterpret_cast<typename Simd<T>::unaligned_integers*>(p) = v;
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

// As many bytes as a vector has elements, converted.
template <typename T>
PYNN_INLINE Vec<T> load_bytes(const uint8_t* p) {
  Vec<T> v{};
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i) v[i] = static_cast<T>(p[i]);
  return v;
}
#if defined(__AVX512F__)
template <>
PYNN_INLINE_SPECIAL Vec<float> load_bytes<float>(const uint8_t* p) {
  const __m512i v = _mm512_maskz_cvtepu8_epi32(0xffff, _mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
  return __builtin_convertvector(reinterpret_cast<IVec<float>>(v), Vec<float>);
}
#elif defined(__AVX2__)
template <>
PYNN_INLINE_SPECIAL Vec<float> load_bytes<float>(const uint8_t* p) {
  return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p))));
}
#endif

// The lanes of a comparison that are true, a bit each.
template <typename T>
PYNN_INLINE uint32_t lane_bits(IVec<T> is) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_movepi32_mask(reinterpret_cast<__m512i>(is));
  else
    return _mm512_movepi64_mask(reinterpret_cast<__m512i>(is));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return static_cast<uint32_t>(_mm256_movemask_ps(reinterpret_cast<__m256>(is)));
  else
    return static_cast<uint32_t>(_mm256_movemask_pd(reinterpret_cast<__m256d>(is)));
#else
  uint32_t bits = 0;
#pragma GCC unroll 4
  for (int64_t i = 0; i < kWidth<T>; ++i) bits |= static_cast<uint32_t>(is[i] & 1) << i;
  return bits;
#endif
}

// Appends what the bits choose of v to `values`, and its lane number + `first` to `numbers`. Up to kMostLanes elements
// behind them are overwritten.
constexpr int64_t kMostLanes = 16;

template <typename T>
PYNN_INLINE void append_lanes(int32_t* numbers, T* values, int32_t first, Vec<T> v, uint32_t bits) {
#if defined(__AVX512F__)
  const __m512i all = reinterpret_cast<__m512i>(lane_numbers<float>() + first);
  _mm512_storeu_si512(numbers, _mm512_maskz_compress_epi32(static_cast<__mmask16>(bits), all));
  if constexpr (sizeof(T) == 4)
    store<T>(values, _mm512_maskz_compress_ps(static_cast<__mmask16>(bits), v));
  else
    store<T>(values, _mm512_maskz_compress_pd(static_cast<__mmask8>(bits), v));
#else
  for (; bits != 0; bits &= bits - 1) {
    const int lane = __builtin_ctz(bits);
    *numbers++ = first + lane;
    *values++ = v[lane];
  }
#endif
}

template <typename T>
PYNN_INLINE IVec<T> as_bits(Vec<T> v) {
  return reinterpret_cast<IVec<T>>(v);
}

template <typename T>
PYNN_INLINE Vec<T> from_bits(IVec<T> v) {
  return reinterpret_cast<Vec<T>>(v);
}

// a + b and a - b of bits taken as numbers. They wrap round: lanes whose result is not used may hold anything, and
// overflow of signed numbers is undefined.
template <typename T>
PYNN_INLINE IVec<T> wrapping_sum(IVec<T> a, IVec<T> b) {
  using U = typename Simd<T>::uvec;
  return reinterpret_cast<IVec<T>>(reinterpret_cast<U>(a) + reinterpret_cast<U>(b));
}

template <typename T>
PYNN_INLINE IVec<T> wrapping_difference(IVec<T> a, IVec<T> b) {
  using U = typename Simd<T>::uvec;
  return reinterpret_cast<IVec<T>>(reinterpret_cast<U>(a) - reinterpret_cast<U>(b));
}

template <typename T>
PYNN_INLINE Vec<T> absolute(Vec<T> v) {
  return v < 0 ? -v : v;
}

// v < bound ? bound : v, and v > bound ? bound : v. NaN in `v` stays; NaN in `bound` does not occur. The instructions
// give their second operand where neither is the larger one; GCC would compare and choose, which takes longer.
template <typename T>
PYNN_INLINE Vec<T> at_least(Vec<T> v, T bound) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_max_ps(0xffff, splat<T>(bound), v);
  else
    return _mm512_maskz_max_pd(0xff, splat<T>(bound), v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return _mm256_max_ps(splat<T>(bound), v);
  else
    return _mm256_max_pd(splat<T>(bound), v);
#else
  return v < bound ? splat<T>(bound) : v;
#endif
}

template <typename T>
PYNN_INLINE Vec<T> at_most(Vec<T> v, T bound) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_min_ps(0xffff, splat<T>(bound), v);
  else
    return _mm512_maskz_min_pd(0xff, splat<T>(bound), v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return _mm256_min_ps(splat<T>(bound), v);
  else
    return _mm256_min_pd(splat<T>(bound), v);
#else
  return v > bound ? splat<T>(bound) : v;
#endif
}

// x as a number of its own: the compiler fuses no product with an addition across this.
template <typename T>
PYNN_INLINE Vec<T> rounded(Vec<T> x) {
#if defined(__AVX512F__)
  asm("" : "+v"(x));
#elif defined(__x86_64__)
  asm("" : "+x"(x));
#elif defined(__aarch64__)
  asm("" : "+w"(x));
#endif
  return x;
}

// Folds the upper half of the lanes onto the lower one, and so on, with combine(lower, upper): always the same order.
template <typename T, int64_t Half = kWidth<T> / 2, typename Combine>
PYNN_INLINE T fold(Vec<T> v, Combine combine) {
  IVec<T> upper{};
#pragma GCC unroll 16
  for (int64_t lane = 0; lane < Half; ++lane) upper[lane] = static_cast<typename Simd<T>::integer>(lane + Half);
  const Vec<T> folded = combine(v, __builtin_shuffle(v, upper));
  if constexpr (Half > 1)
    return fold<T, Half / 2>(folded, combine);
  else
    return folded[0];
}

// The sum of the elements.
template <typename T>
PYNN_INLINE T sum(Vec<T> v) {
  return fold<T>(v, [](Vec<T> a, Vec<T> b) { return a + b; });
}

template <typename T>
PYNN_INLINE Vec<T> square_root(Vec<T> x) {
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i)
    x[i] = sizeof(T) == 4 ? __builtin_sqrtf(static_cast<float>(x[i])) : static_cast<T>(__builtin_sqrt(x[i]));
  return x;
}

// sqrt(v) and a / b by Newton's iteration from the processor's guesses, within 2 units in the last place: where vectors
// are wide the divider is slow, and this costs a third. v of [0, infinity) counts as at least 2^-126, and b must lie in
// [2^-126, 2^126].
#if defined(__AVX512F__)
PYNN_INLINE Vec<float> fast_square_root(Vec<float> v) {
  v = _mm512_maskz_max_ps(0xffff, splat(0x1p-126f), v);        // NaN stays
  v = _mm512_maskz_min_ps(0xffff, splat(0x1.fffffep127f), v);  // infinity times its inverse root would be NaN
  const Vec<float> guess = _mm512_maskz_rsqrt14_ps(0xffff, v), root = v * guess;
  return root + root * 0.5f * (1 - root * guess);
}
PYNN_INLINE Vec<float> fast_quotient(Vec<float> a, Vec<float> b) {
  const Vec<float> guess = _mm512_maskz_rcp14_ps(0xffff, b);
  return a * (guess * (2 - b * guess));
}
#else
PYNN_INLINE Vec<float> fast_square_root(Vec<float> v) {
#if defined(__AVX2__)
  v = _mm256_min_ps(splat(0x1.fffffep127f), _mm256_max_ps(splat(0x1p-126f), v));
  Vec<float> r = _mm256_rsqrt_ps(v);  // 11 bits
  constexpr int iterations = 2;
#else
  v = at_most<float>(at_least<float>(v, 0x1p-126f), 0x1.fffffep127f);
  Vec<float> r = reinterpret_cast<Vec<float>>(0x5f375a86 - (reinterpret_cast<IVec<float>>(v) >> 1));  // Lomont (2003)
  constexpr int iterations = 3;
#endif
#pragma GCC unroll 3
  for (int i = 0; i < iterations; ++i) r = r * (1.5f - 0.5f * (v * r) * r);  // v / 2 might be subnormal
  return v * r;
}
PYNN_INLINE Vec<float> fast_quotient(Vec<float> a, Vec<float> b) { return a / b; }
#endif
PYNN_INLINE Vec<double> fast_square_root(Vec<double> v) { return square_root<double>(v); }
PYNN_INLINE Vec<double> fast_quotient(Vec<double> a, Vec<double> b) { return a / b; }

// Calls body(i, count) for vectors of i..end-1; count is the vector's width but for the last, which may be shorter.
template <typename T, typename Body>
PYNN_INLINE void for_vectors(int64_t begin, int64_t end, Body body) {
  int64_t i = begin;
  for (; i + kWidth<T> <= end; i += kWidth<T>) body(i, kWidth<T>);
  if (i < end) body(i, end - i);
}

// As many bytes as for_vectors says, converted; and back from integers that fit.
template <typename T>
PYNN_INLINE Vec<T> load_bytes(const uint8_t* p, int64_t count) {
  if (count == kWidth<T>) return load_bytes<T>(p);
  Vec<T> v{};
  for (int64_t i = 0; i < count; ++i) v[i] = static_cast<T>(p[i]);
  return v;
}

template <typename T>
PYNN_INLINE void store_bytes(uint8_t* p, IVec<T> v, int64_t count) {
  const auto bytes = __builtin_convertvector(v, typename Simd<T>::bytes);
  if (count == kWidth<T>)
    memcpy(p, &bytes, sizeof(bytes));
  else
    for (int64_t i = 0; i < count; ++i) p[i] = bytes[i];
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
