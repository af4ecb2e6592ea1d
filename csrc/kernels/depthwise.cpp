#include "conv.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Pixels that share a load of the kernel.
constexpr int kPixels = 4;

// The position in the kernel of an element of its (kernel_height * kernel_width) rows, as a distance in the input.
template <typename T>
int64_t reach(const ConvShape& s, const Rows<T>& x, int64_t out_row, int64_t ky, int64_t kx) {
  return (out_row * s.stride_y - s.top + ky * s.dilation_y - x.first) * x.stride + kx * s.dilation_x * s.channels;
}

bool is_inside(const ConvShape& s, int64_t out_row, int64_t ky) {
  const int64_t i = out_row * s.stride_y - s.top + ky * s.dilation_y;
  return 0 <= i && i < s.height;
}

// Some channels of N pixels of an output row.
template <typename T, int N>
PYNN_INLINE void pixels_of_row(T* y, const Rows<T>& x, const T* kernel, const ConvShape& s, int64_t out_row, int64_t at,
                               int64_t c, int64_t count) {
  const int64_t step = s.stride_x * s.channels;
  Vec<T> sum[N] = {};
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    if (!is_inside(s, out_row, ky)) continue;
    for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
      const Vec<T> weight = load(kernel + (ky * s.kernel_width + kx) * s.channels + c, count);
      const T* from = x.data + reach(s, x, out_row, ky, kx) + at * step + c;
#pragma GCC unroll 4
      for (int i = 0; i < N; ++i) sum[i] += load(from + i * step, count) * weight;
    }
  }
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) store(y + (at + i) * s.channels + c, sum[i], count);
}

}  // namespace

template <typename T>
void depthwise_row(T* y, const Rows<T>& x, const T* kernel, const ConvShape& s, int64_t out_row, int64_t width) {
  for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
    int64_t at = 0;
    for (; at + kPixels <= width; at += kPixels) pixels_of_row<T, kPixels>(y, x, kernel, s, out_row, at, c, count);
    for (; at < width; ++at) pixels_of_row<T, 1>(y, x, kernel, s, out_row, at, c, count);
  });
}

template <typename T>
void depthwise_input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row) {
  const int64_t step = s.stride_x * s.channels;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t from = row + s.top - ky * s.dilation_y;
    if (from < 0 || from % s.stride_y != 0 || from / s.stride_y >= s.out_height) continue;
    const T* gradient = dy + from / s.stride_y * s.out_width * s.channels;
    for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
      T* to = dx + kx * s.dilation_x * s.channels;
      for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
        const Vec<T> weight = load(kernel + (ky * s.kernel_width + kx) * s.channels + c, count);
        for (int64_t j = 0; j < s.out_width; ++j) {
          T* sum = to + j * step + c;
          store(sum, load(sum, count) + load(gradient + j * s.channels + c, count) * weight, count);
        }
      });
    }
  }
}

template <typename T>
void add_depthwise_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows, Range kernel_rows) {
  for (int64_t position = kernel_rows.begin; position < kernel_rows.end; ++position) {
    const int64_t ky = position / s.kernel_width, kx = position % s.kernel_width;
    for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
      Vec<T> even{}, odd{};
      for (int64_t o = out_rows.begin; o < out_rows.end; ++o) {
        if (!is_inside(s, o, ky)) continue;
        const T *from = x.data + reach(s, x, o, ky, kx) + c, *gradient = dy + o * s.out_width * s.channels + c;
        const auto product_at = [&](int64_t j) {
          return load(from + j * s.stride_x * s.channels, count) * load(gradient + j * s.channels, count);
        };
        int64_t j = 0;
        for (; j + 2 <= s.out_width; j += 2) {
          even += product_at(j);
          odd += product_at(j + 1);
        }
        if (j < s.out_width) even += product_at(j);
      }
      T* to = sum + position * s.channels + c;
      store(to, load(to, count) + (even + odd), count);
    });
  }
}

#define PYNN_INSTANTIATE(T)                                                                         \
  template void depthwise_row<T>(T*, const Rows<T>&, const T*, const ConvShape&, int64_t, int64_t); \
  template void depthwise_input_row<T>(T*, const T*, const T*, const ConvShape&, int64_t);          \
  template void add_depthwise_rows<T>(T*, const Rows<T>&, const T*, const ConvShape&, Range, Range);
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace PYNN_ISA
}  // namespace pynn
