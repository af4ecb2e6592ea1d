// Softmax, its logarithm, and sparsemax.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

template <typename T>
struct SoftmaxKernels {
  // Over the middle axis of x (outer, axis, inner): y_i = exp(x_i) / sum_j exp(x_j), or its logarithm. y may be x.
  void (*softmax_forward)(const Team& team, T* y, const T* x, int64_t outer, int64_t axis, int64_t inner, bool log);

  // dx_i = y_i (dy_i - sum_j dy_j y_j), or for the logarithm dx_i = dy_i - exp(y_i) sum_j dy_j. dx may be dy.
  void (*softmax_backward)(const Team& team, T* dx, const T* dy, const T* y, int64_t outer, int64_t axis, int64_t inner,
                           bool log);

  // Over the middle axis of x: y_i = max(x_i - t, 0), with the t for which sum_i y_i = 1 (Martins and Astudillo, 2016,
  // From softmax to sparsemax). y may be x.
  void (*sparsemax_forward)(const Team& team, T* y, const T* x, int64_t outer, int64_t axis, int64_t inner);

  // dx_i = dy_i - mean of dy over the j with y_j > 0, where y_i > 0; else 0. dx may be dy.
  void (*sparsemax_backward)(const Team& team, T* dx, const T* dy, const T* y, int64_t outer, int64_t axis,
                             int64_t inner);
};

}  // namespace pynn
