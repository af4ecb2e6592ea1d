// Dense layers.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "activation_spec.h"
#include "gradient.h"
#include "nonzero.h"

namespace pynn {

// y = f(x kernel + bias), f an activation.
template <typename T>
struct DenseLayer {
  int64_t rows, inputs, units;
  const T* x;       // (rows, inputs)
  const T* kernel;  // (inputs, units)
  const T* bias;    // (units), or null
  // Of x. What is 0 is passed over; it is for the caller to see that the kernel is finite, as 0 times infinity is not
  // 0.
  Nonzero nonzero;
};

template <typename T>
struct DenseKernels {
  // ---- dense.cpp

  // y (rows, units) = f(x kernel + bias). shared: dense_shared(rows, inputs, units, members, false) elements of the
  // team, own: dense_own(inputs, units, false) elements of this member; as many do for fewer rows and fewer members.
  // Has barriers inside.
  void (*dense_forward)(const Team& team, T* y, const DenseLayer<T>& layer, const ActivationSpec& activation, T* shared,
                        T* own);

  int64_t (*dense_shared)(int64_t rows, int64_t inputs, int64_t units, int members, bool backward);
  // Whether members may take some of at most so many rows each, rather than own rows of the kernel. dense_backward then
  // has no barrier inside, and does not use `shared`, where dx is null.
  bool (*dense_splits_rows)(int64_t rows, int64_t inputs, int64_t units);
  int64_t (*dense_own)(int64_t inputs, int64_t units, bool backward);

  // ---- dense_backward.cpp

  // Given dy (rows, units), the gradient of x kernel + bias: dkernel [+]= x^T dy, and dx = dy kernel^T * g'(x), where
  // x = g(...) came out of the activation `below`, one that gradient_from_output allows.
  // dx may be null; so may dkernel, and then its parts are in scratch, or factors, when `ready` gets them.
  // A member owns some of the inputs: these columns of dx, and these rows of the kernel and of dkernel. It goes through
  // them in parts, and calls ready after each: no one reads these rows of the kernel any more, so they may be changed.
  // Has barriers inside. shared, own: as above, for the backward pass.
  void (*dense_backward)(const Team& team, T* dx, T* dkernel, const T* dy, const DenseLayer<T>& layer,
                         const ActivationSpec& below, bool accumulate, T* shared, T* own, const PartReady<T>& ready);

  // dbias[part] [+]= the sums of dy's columns.
  void (*dense_backward_bias)(const Team& team, T* dbias, const T* dy, int64_t rows, int64_t units, Range part,
                              bool accumulate);
};

}  // namespace pynn
