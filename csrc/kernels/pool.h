// Pooling.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "enumeration.h"

namespace pynn {

#define PYNN_POOLINGS(X) X(max) X(average)
PYNN_ENUMERATION(Pooling, PYNN_POOLINGS)

// A pooling of images x (height, width, channels) to y (out_height, out_width, channels): y at (i, j) is made of x from
// (i stride_y - top, j stride_x - left) on, as far as the window and the image reach.
struct PoolShape {
  int64_t height, width, channels;
  int64_t out_height, out_width;
  int64_t window_height, window_width;
  int64_t stride_y, stride_x;
  int64_t top, left;
};

template <typename T>
struct PoolKernels {
  // The largest element of each window, NaN if there is one; or the mean of the elements inside the image.
  void (*pool_forward)(const Team& team, T* y, const T* x, int64_t images, const PoolShape& shape, Pooling kind);

  // The gradient of a maximum goes to the first element that has it.
  void (*pool_backward)(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t images,
                        const PoolShape& shape, Pooling kind);
};

}  // namespace pynn
