// How the gradient of a parameter goes from the kernel that makes it to the optimizer.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// The gradient of some parameters: their elements or, where these are null, the factors of the matrix (whole rows of
// `columns` each) that they are, element (i, j) being of_row[i] * of_column[j]: so may be that of a batch of one.
template <typename T>
struct Gradient {
  const T* elements;
  const T *of_row, *of_column;
  int64_t columns;
};

// Called with each part of a parameter's gradient when it is complete, while it is in the nearest cache; `call` may be
// null. `part` counts rows of the parameter.
template <typename T>
struct PartReady {
  void (*call)(void* context, Range part, const Gradient<T>& gradient);
  void* context;
  bool not_for_zeros;  // rows whose gradient is known to be 0 may be left out
};

}  // namespace pynn
