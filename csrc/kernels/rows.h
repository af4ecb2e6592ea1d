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

// The largest element; NaN if there is one.
template <typename T>
PYNN_INLINE T row_max(const T* x, int64_t n) {
  T highest = x[0];
  int64_t j = 1;
  if (n >= kWidth<T>) {
    Vec<T> best = load(x);
    for (j = kWidth<T>; j + kWidth<T> <= n; j += kWidth<T>) {
      const Vec<T> v = load(x + j);
      best = (v > best) | (v != v) ? v : best;
    }
    for (int64_t lane = 0; lane < kWidth<T>; ++lane)
      if (best[lane] > highest || best[lane] != best[lane]) highest = best[lane];
  }
  for (; j < n; ++j)
    if (x[j] > highest || x[j] != x[j]) highest = x[j];
  return highest;
}

// The first index of the largest element; that of the first NaN if there is one, as in NumPy.
template <typename T>
PYNN_INLINE int64_t row_argmax(const T* x, int64_t n) {
  int64_t best = 0;
  for (int64_t j = 0; j < n; ++j) {
    if (x[j] != x[j]) return j;
    if (x[j] > x[best]) best = j;
  }
  return best;
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
