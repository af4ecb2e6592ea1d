// How the gradient of a parameter goes from the kernel that makes it to the optimizer.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// The gradient of a part of a parameter: its elements. Where `elements` is null, the part is a matrix of whole rows of
// `columns` elements, and element (i, j) is of_row[i] * of_column[j]. A batch of one hands out its gradient so.
template <typename T>
struct Gradient {
  const T* elements;
  const T *of_row, *of_column;
  int64_t columns;
};

// Called with each part of a parameter's gradient as soon as that is complete and still in the nearest cache. `call`
// may be null. `part` counts rows of the parameter.
template <typename T>
struct PartReady {
  void (*call)(void* context, Range part, const Gradient<T>& gradient);
  void* context;
  bool skip_zero_gradients;  // `call` is not needed for rows whose gradient is known to be 0
};

}  // namespace pynn
