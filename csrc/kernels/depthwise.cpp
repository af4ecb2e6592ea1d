#include "conv.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Pixels whose sums are in registers together, and rows of the kernel.
constexpr int kPixels = 8, kRows = 4;

template <int N>
struct Pixels {
  constexpr int operator()() const { return N; }
};

// The rows of the kernel that do not look at padding above or below.
Range inside(const ConvShape& s, int64_t out_row) {
  const int64_t first = out_row * s.stride_y - s.top, step = s.dilation_y;
  const int64_t begin = first < 0 ? (-first + step - 1) / step : 0;
  const int64_t end = first < s.height ? (s.height - first + step - 1) / step : 0;
  return {begin, smaller(end, s.kernel_height)};
}

// What an output row sees of the input, and the distances in it.
template <typename T>
struct Seen {
  const T* x;  // where the first row of the kernel meets the first pixel
  int64_t row, column, pixel;
};

template <typename T>
Seen<T> seen(const ConvShape& s, const Rows<T>& x, int64_t out_row) {
  return {x.data + (out_row * s.stride_y - s.top - x.first) * x.stride, s.dilation_y * x.stride,
          s.dilation_x * s.channels, s.stride_x * s.channels};
}

// A vector of channels of N pixels of an output row.
template <typename T, int N>
PYNN_INLINE void pixels_of_row(T* y, const Seen<T>& seen, const T* kernel, Vec<T> bias, Range rows, int64_t width,
                               int64_t channels, int64_t count) {
  Vec<T> sum[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) sum[i] = bias;
  for (int64_t ky = rows.begin; ky < rows.end; ++ky) {
    const T *x = seen.x + ky * seen.row, *weights = kernel + ky * width * channels;
    for (int64_t kx = 0; kx < width; ++kx, x += seen.column, weights += channels) {
      const Vec<T> weight = load(weights, count);
      const T* pixel = x;
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i, pixel += seen.pixel) sum[i] += load(pixel, count) * weight;
    }
  }
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) store(y + i * channels, sum[i], count);
}

// dx += what N rows of the kernel hand back to a row of the input, in one column of the kernel: a vector of channels.
template <typename T, int N>
PYNN_INLINE void hand_back(T* dx, const T* const* dy, const T* const* weights, int64_t pixels, int64_t step,
                           int64_t channels, int64_t count) {
  Vec<T> weight[N];
#pragma GCC unroll 4
  for (int i = 0; i < N; ++i) weight[i] = load(weights[i], count);
  for (int64_t j = 0; j < pixels; ++j) {
    Vec<T> sum = load(dx + j * step, count);
#pragma GCC unroll 4
    for (int i = 0; i < N; ++i) sum += load(dy[i] + j * channels, count) * weight[i];
    store(dx + j * step, sum, count);
  }
}

template <typename T>
void make_row(T* y, const Rows<T>& x, const T* kernel, const T* bias, const ConvShape& s, int64_t out_row,
              int64_t width) {
  const Range rows = inside(s, out_row);
  const Seen<T> row = seen(s, x, out_row);
  int64_t at = 0;
  const auto make = [&](auto pixels) {
    for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
      const Vec<T> first = bias == nullptr ? Vec<T>{} : load(bias + c, count);
      const Seen<T> from{row.x + at * row.pixel + c, row.row, row.column, row.pixel};
      pixels_of_row<T, pixels()>(y + at * s.channels + c, from, kernel + c, first, rows, s.kernel_width, s.channels,
                                 count);
    });
    at += pixels();
  };
  while (at + kPixels <= width) make(Pixels<kPixels>{});
  while (at < width) make(Pixels<1>{});
}

template <typename T>
void make_input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row) {
  const T *gradients[kRows], *weights[kRows];  // of the rows of the kernel that are gone through together
  int64_t rows = 0;
  const auto hand_back_rows = [&] {
    for (int64_t kx = 0; kx < s.kernel_width; ++kx)
      for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
        const T *from[kRows], *by[kRows];
        for (int64_t i = 0; i < rows; ++i) {
          from[i] = gradients[i] + c;
          by[i] = weights[i] + kx * s.channels + c;
        }
        T* to = dx + kx * s.dilation_x * s.channels + c;
        const int64_t step = s.stride_x * s.channels;
        if (rows == 1) hand_back<T, 1>(to, from, by, s.out_width, step, s.channels, count);
        if (rows == 2) hand_back<T, 2>(to, from, by, s.out_width, step, s.channels, count);
        if (rows == 3) hand_back<T, 3>(to, from, by, s.out_width, step, s.channels, count);
        if (rows == 4) hand_back<T, 4>(to, from, by, s.out_width, step, s.channels, count);
      });
    rows = 0;
  };
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t from = row + s.top - ky * s.dilation_y;
    if (from < 0 || from % s.stride_y != 0 || from / s.stride_y >= s.out_height) continue;
    gradients[rows] = dy + from / s.stride_y * s.out_width * s.channels;
    weights[rows++] = kernel + ky * s.kernel_width * s.channels;
    if (rows == kRows) hand_back_rows();
  }
  hand_back_rows();
}

template <typename T>
void add_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows, Range kernel_rows) {
  for (int64_t o = out_rows.begin; o < out_rows.end; ++o) {
    const Range rows = inside(s, o);
    const Seen<T> at = seen(s, x, o);
    const int64_t begin = larger(kernel_rows.begin, rows.begin * s.kernel_width);
    const int64_t end = smaller(kernel_rows.end, rows.end * s.kernel_width);
    for (int64_t position = begin; position < end; ++position)
      for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
        const T* from = at.x + position / s.kernel_width * at.row + position % s.kernel_width * at.column + c;
        const T* gradient = dy + o * s.out_width * s.channels + c;
        Vec<T> even{}, odd{};
        int64_t j = 0;
        for (; j + 2 <= s.out_width; j += 2, from += 2 * at.pixel, gradient += 2 * s.channels) {
          even += load(from, count) * load(gradient, count);
          odd += load(from + at.pixel, count) * load(gradient + s.channels, count);
        }
        if (j < s.out_width) even += load(from, count) * load(gradient, count);
        T* to = sum + position * s.channels + c;
        store(to, load(to, count) + (even + odd), count);
      });
  }
}

}  // namespace

#define PYNN_DEFINE_DEPTHWISE(T)                                                                                  \
  void depthwise_row(T* y, const Rows<T>& x, const T* kernel, const T* bias, const ConvShape& s, int64_t out_row, \
                     int64_t width) {                                                                             \
    make_row<T>(y, x, kernel, bias, s, out_row, width);                                                           \
  }                                                                                                               \
  void depthwise_input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row) {                \
    make_input_row<T>(dx, dy, kernel, s, row);                                                                    \
  }                                                                                                               \
  void add_depthwise_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows,              \
                          Range kernel_rows) {                                                                    \
    add_rows<T>(sum, x, dy, s, out_rows, kernel_rows);                                                            \
  }
PYNN_DEFINE_DEPTHWISE(float)
PYNN_DEFINE_DEPTHWISE(double)

}  // namespace PYNN_ISA
}  // namespace pynn
