// Maps of groups of elements: padding, cropping, upsampling, transposing.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// A linear map of samples x (inputs, inner) to y (outputs, inner), the same for all of `inner`: group p of y is the sum
// of weight[k] times group index[k] of x, in order, for k of begin[p]..begin[p+1]-1; zeros if there is none.
template <typename T>
struct SparseMap {
  int64_t inputs, outputs, inner;
  const int64_t* begin;  // (outputs + 1)
  const int64_t* index;  // (begin[outputs])
  const T* weight;       // (begin[outputs]), or null where all are 1
};

template <typename T>
struct ResampleKernels {
  // y (samples, outputs, inner), given x (samples, inputs, inner). Given dy, the transposed map makes dx.
  void (*resample)(const Team& team, T* y, const T* x, int64_t samples, const SparseMap<T>& map);
};

}  // namespace pynn
