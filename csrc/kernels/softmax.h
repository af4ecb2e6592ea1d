// Softmax and its logarithm.
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
};

}  // namespace pynn
