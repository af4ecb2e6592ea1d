// Reductions of one row, in an order that depends on its length alone.
#pragma once

#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// v with the lanes from `count` on set to 0.
template <typename T>
PYNN_INLINE Vec<T> keep(Vec<T> v, int64_t count) {
  return count == kWidth<T> ? v : (lanes_below<T>(count) ? v : Vec<T>{});
}

// The sum of body(j, count) over the vectors of a row; lanes past the end do not count.
template <typename T, typename Body>
PYNN_INLINE T sum_row(int64_t n, Body body) {
  Vec<T> total{};
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) { total += keep<T>(body(j, count), count); });
  return sum<T>(total);
}

// The sum of f(x[i]), in double.
template <typename T, typename F>
PYNN_INLINE double sum_in_double(const T* x, int64_t n, F f) {
  constexpr int64_t lanes = 16;
  double total[lanes] = {};
  int64_t i = 0;
  for (; i + lanes <= n; i += lanes)
    for (int64_t lane = 0; lane < lanes; ++lane) total[lane] += f(static_cast<double>(x[i + lane]));
  for (int64_t lane = 0; i + lane < n; ++lane) total[lane] += f(static_cast<double>(x[i + lane]));
  double sum = 0;
  for (int64_t lane = 0; lane < lanes; ++lane) sum += total[lane];
  return sum;
}

// A setting as T has it. One that is above 0, but subnormal in T, counts as the smallest number that is not: where
// kernels run, subnormal numbers are 0.
template <typename T>
PYNN_INLINE T positive(double value) {
  constexpr T smallest = sizeof(T) == sizeof(float) ? static_cast<T>(__FLT_MIN__) : static_cast<T>(__DBL_MIN__);
  uint64_t bits;
  memcpy(&bits, &value, sizeof(bits));
  if (bits << 1 == 0) return 0;  // value == 0 would be true of a subnormal one, too
  const T rounded = static_cast<T>(value);
  return rounded < smallest ? smallest : rounded;
}

// The largest |x[i]|; NaN if there is one.
template <typename T>
PYNN_INLINE T row_magnitude(const T* x, int64_t n) {
  const auto larger = [](Vec<T> best, Vec<T> v) { return (v > best) | (v != v) ? v : best; };
  Vec<T> best{};
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) { best = larger(best, absolute<T>(load(x + j, count))); });
  return fold<T>(best, larger);
}

// Whether there is neither NaN nor infinity: x - x is 0 for a finite number and NaN otherwise.
template <typename T>
PYNN_INLINE bool all_finite(const T* x, int64_t n) {
  Vec<T> zeros{};
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> v = load(x + j, count);
    zeros += v - v;
  });
  return sum<T>(zeros) == 0;
}

// The largest element; NaN if there is one. Without branches, as the processor cannot foresee which is the largest.
template <typename T>
PYNN_INLINE T row_max(const T* x, int64_t n) {
  const auto larger = [](Vec<T> best, Vec<T> v) { return (v > best) | (v != v) ? v : best; };
  Vec<T> best = splat(static_cast<T>(-__builtin_inf()));
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> v = load(x + j, count);
    best = larger(best, count == kWidth<T> ? v : (lanes_below<T>(count) ? v : best));
  });
  return fold<T>(best, larger);
}

// The first index of the largest element; that of the first NaN if there is one, as in NumPy.
template <typename T>
PYNN_INLINE int64_t row_argmax(const T* x, int64_t n) {
  const T highest = row_max(x, n);
  for (int64_t j = 0; j < n; ++j)
    if (x[j] == highest || x[j] != x[j]) return j;
  return 0;
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
