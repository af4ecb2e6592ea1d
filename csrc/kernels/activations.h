// Activations, gated linear units, (x - mean) * scale + offset, and sums.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "activation_spec.h"

namespace pynn {

template <typename T>
struct ActivationKernels {
  // y = f(x), element by element. y may be x.
  void (*activation_forward)(const Team& team, T* y, const T* x, int64_t n, const ActivationSpec& spec);

  // dx = dy f'(x), given y = f(x) too. dx may be dy.
  void (*activation_backward)(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t n,
                              const ActivationSpec& spec);

  // Whether f'(x) can be had from f(x) alone, as dense_backward does.
  bool (*gradient_from_output)(const ActivationSpec& spec);

  // y = (x - mean) * scale + offset, all three repeated every `period` elements (the size of the last axis, or 1); mean
  // may be null. Where x is near a large mean, x * scale + offset would leave few digits. y may be x.
  void (*rescaling_forward)(const Team& team, T* y, const T* x, int64_t n, const T* mean, const T* scale,
                            const T* offset, int64_t period);
  void (*rescaling_backward)(const Team& team, T* dx, const T* dy, int64_t n, const T* scale, int64_t period);

  // y = a sigmoid(b), a and b being the halves of the rows of x (rows, 2 half); y (rows, half).
  void (*glu_forward)(const Team& team, T* y, const T* x, int64_t rows, int64_t half);
  // da = dy sigmoid(b), db = dy a sigmoid(b) (1 - sigmoid(b)), which are the halves of the rows of dx.
  void (*glu_backward)(const Team& team, T* dx, const T* dy, const T* x, int64_t rows, int64_t half);

  // y += x. No team.
  void (*add_to)(T* y, const T* x, int64_t n);
};

}  // namespace pynn
