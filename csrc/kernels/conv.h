// Convolutions, with the activation and the pooling behind them, and transposed convolutions.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "activation_spec.h"
#include "pool.h"

namespace pynn {

// A convolution of images x (height, width, channels) with a kernel (kernel_height, kernel_width, channels / groups,
// filters) to y (out_height, out_width, filters): y at (i, j) is the sum over the kernel's positions (ky, kx) of
// x at (i stride_y - top + ky dilation_y, j stride_x - left + kx dilation_x), 0 outside the image, times the kernel
// there. Group g takes the g-th part of the channels to the g-th part of the filters.
struct ConvShape {
  int64_t height, width, channels;
  int64_t out_height, out_width, filters;
  int64_t kernel_height, kernel_width;
  int64_t stride_y, stride_x, dilation_y, dilation_x;
  int64_t top, left;
  int64_t groups;
};

// y (images, out_height, out_width, filters) = f(conv(x) + bias), or the maxima of that if it is pooled, by windows
// that neither overlap nor reach over the top or the left edge.
template <typename T>
struct ConvLayer {
  ConvShape shape;
  ActivationSpec activation;
  const T *kernel, *bias;  // bias (filters), or null
  bool pooled;
  PoolShape pool;
};

template <typename T>
struct ConvGradients {
  T *x, *kernel, *bias;
};

template <typename T>
struct ConvKernels {
  // ---- conv.cpp

  // y = the result of the layer for x (images, height, width, channels). which, if asked for: where it is pooled, the
  // number of each element of y in its window. Has a barrier inside. shared: conv_forward_shared(images, layer)
  // elements of the team, own: conv_forward_own(layer) elements of this member; as many do for fewer images.
  void (*conv_forward)(const Team& team, T* y, uint8_t* which, const T* x, int64_t images, const ConvLayer<T>& layer,
                       T* shared, T* own);
  int64_t (*conv_forward_shared)(int64_t images, const ConvLayer<T>& layer);
  int64_t (*conv_forward_own)(const ConvLayer<T>& layer);

  // ---- conv_input.cpp

  // The transposed convolution: y (images, height, width, channels) = f(y + bias), where y is the gradient of conv(y)
  // for y, given x, that of its result; the bias has `channels` elements. The layer is not pooled. Has a barrier
  // inside. shared: as many elements of the team as the kernel has, own: conv_transpose_own(layer) of this member.
  void (*conv_transpose)(const Team& team, T* y, const T* x, int64_t images, const ConvLayer<T>& layer, T* shared,
                         T* own);
  int64_t (*conv_transpose_own)(const ConvLayer<T>& layer);

  // ---- conv_backward.cpp

  // The gradients of the layer for x and, [+]=, for its kernel and its bias; any may be null. Given x, y and `which` as
  // conv_forward has them, and dy, which may be overwritten; y is not read, and dy not written, where the layer is
  // linear and not pooled. Has barriers inside. shared: conv_backward_shared(images, layer) elements of the team, own:
  // conv_backward_own(layer) elements of this member; as many do for fewer images.
  void (*conv_backward)(const Team& team, const ConvGradients<T>& gradients, T* dy, const T* x, const T* y,
                        const uint8_t* which, int64_t images, const ConvLayer<T>& layer, bool accumulate, T* shared,
                        T* own);
  int64_t (*conv_backward_shared)(int64_t images, const ConvLayer<T>& layer);
  int64_t (*conv_backward_own)(const ConvLayer<T>& layer);
};

}  // namespace pynn
