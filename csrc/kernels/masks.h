// Masks: numbers that say which steps of a sequence are real, 1, and which are padding, 0.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// The steps of a sample lie between other axes: (outer, steps, inner).
struct StepShape {
  int64_t outer, steps, inner;
};

template <typename T>
struct MaskKernels {
  // y (count) = 1 where the id is not `value`, else 0.
  void (*not_equal_ids)(const Team& team, T* y, const int32_t* ids, int32_t value, int64_t count);

  // y (rows) = 1 where an element of the row of x (rows, columns) is not `value`, else 0.
  void (*any_not_equal)(const Team& team, T* y, const T* x, T value, int64_t rows, int64_t columns);

  // y (rows, columns) = the rows of x whose mask (rows) is not 0; the others are 0, whatever x has there. y may be x.
  void (*keep_rows)(const Team& team, T* y, const T* x, const T* mask, int64_t rows, int64_t columns);

  // y (kept, columns) = the rows of x (rows, columns) whose mask (rows) is not 0, one after the other. Returns how many
  // they are.
  int64_t (*pack_rows)(const Team& team, T* y, const T* x, const T* mask, int64_t rows, int64_t columns);

  // y (samples, outer, inner) = the mean of x over the steps whose mask (samples, steps) is not 0, in their order; 0
  // where there are none.
  void (*masked_mean_forward)(const Team& team, T* y, const T* x, const T* mask, int64_t samples,
                              const StepShape& shape);
  // dx, which is 0 at the other steps.
  void (*masked_mean_backward)(const Team& team, T* dx, const T* dy, const T* mask, int64_t samples,
                               const StepShape& shape);
};

}  // namespace pynn
