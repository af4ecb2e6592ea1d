// Which activation is meant: of the kernels of activations, and of those that end in one.
#pragma once

#include "enumeration.h"

namespace pynn {

// The last five are functions of elements that no layer has as its activation.
#define PYNN_ACTIVATIONS(X) \
  X(linear)                 \
  X(relu)                   \
  X(relu6)                  \
  X(leaky_relu)             \
  X(elu)                    \
  X(selu)                   \
  X(celu)                   \
  X(gelu)                   \
  X(gelu_tanh)              \
  X(silu)                   \
  X(mish)                   \
  X(sigmoid)                \
  X(log_sigmoid)            \
  X(hard_sigmoid)           \
  X(hard_silu)              \
  X(tanh)                   \
  X(hard_tanh)              \
  X(softplus)               \
  X(softsign)               \
  X(exponential)            \
  X(step)                   \
  X(squareplus)             \
  X(hard_shrink)            \
  X(soft_shrink)            \
  X(tanh_shrink)            \
  X(threshold)              \
  X(log)                    \
  X(log1p)                  \
  X(sin)                    \
  X(cos)                    \
  X(stop_gradient)
PYNN_ENUMERATION(Activation, PYNN_ACTIVATIONS)

// relu: a = negative_slope, b = max_value, c = threshold. leaky_relu: a = negative_slope. elu, celu: a = alpha.
// squareplus: a = b. hard_shrink, soft_shrink: a = threshold. threshold: a = threshold, b = default_value.
struct ActivationSpec {
  Activation kind;
  double a, b, c;
};

constexpr ActivationSpec no_activation{Activation::linear, 0, 0, 0};

}  // namespace pynn
