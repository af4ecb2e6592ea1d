// Rows divided by their root mean square, or by their norm.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// What a row is divided by is 1 / (shrink factor), where shrink is a power of two. `share` is how much of the gradient
// along the row the divisor takes away.
template <typename T>
struct RowFactors {
  T shrink, factor, share;
};

// x (rows, columns), scale (columns) or null.
template <typename T>
struct RmsKernels {
  // y = x / sqrt(mean(x^2) + epsilon) scale or, with `unit`, y = x / max(|x|, epsilon) scale, row by row. Neither large
  // nor small numbers overflow: a row is brought near 1, by a power of two, before it is squared. y may be x where the
  // gradient is not wanted.
  void (*rms_norm_forward)(const Team& team, T* y, RowFactors<T>* factors, const T* x, const T* scale, int64_t rows,
                           int64_t columns, double epsilon, bool unit);

  // Each of dx and dscale may be null. dx may be dy. Has barriers inside. shared: rms_norm_sums(rows, columns) elements
  // of the team.
  void (*rms_norm_backward)(const Team& team, T* dx, T* dscale, const T* dy, const T* x, const RowFactors<T>* factors,
                            const T* scale, int64_t rows, int64_t columns, bool accumulate, T* shared);
  int64_t (*rms_norm_sums)(int64_t rows, int64_t columns);
};

}  // namespace pynn
