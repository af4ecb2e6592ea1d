#include "conv.h"

// Each channel has a filter of its own. Pixels outside of the image are left out of the sums, so nothing is copied.

namespace pynn {
namespace PYNN_ISA {
namespace {

template <int N>
struct Pixels {
  constexpr int operator()() const { return N; }
};

// How the rows (or the columns) of a result meet those of what it is made of: number i sees, at position k of the
// kernel, number (i * step + shift + k * dilation) / divisor, if that is whole and one of 0..size-1.
struct Axis {
  int64_t step, shift, dilation, divisor, size, positions;
};

Axis down(const ConvShape& s) { return {s.stride_y, -s.top, s.dilation_y, 1, s.height, s.kernel_height}; }
Axis across(const ConvShape& s) { return {s.stride_x, -s.left, s.dilation_x, 1, s.width, s.kernel_width}; }
Axis down_back(const ConvShape& s) { return {1, s.top, -s.dilation_y, s.stride_y, s.out_height, s.kernel_height}; }
Axis across_back(const ConvShape& s) { return {1, s.left, -s.dilation_x, s.stride_x, s.out_width, s.kernel_width}; }

// What number i sees, or a negative number.
int64_t seen(const Axis& axis, int64_t i, int64_t k) {
  const int64_t n = i * axis.step + axis.shift + k * axis.dilation;
  if (axis.divisor == 1) return n < axis.size ? n : -1;
  return n >= 0 && n % axis.divisor == 0 && n / axis.divisor < axis.size ? n / axis.divisor : -1;
}

// Which of the numbers first, first + divisor, ... (count of them) see something at position k; all, if none can.
Range seeing(const Axis& axis, int64_t first, int64_t count, int64_t k) {
  const int64_t n = first * axis.step + axis.shift + k * axis.dilation;
  if (axis.divisor > 1 && n % axis.divisor != 0) return {0, count};
  const int64_t at = n / axis.divisor, step = axis.step;
  const int64_t begin = at < 0 ? (-at + step - 1) / step : 0;
  const int64_t end = at < axis.size ? (axis.size - at + step - 1) / step : 0;
  return {smaller(begin, count), smaller(end, count)};
}

// Sums of N pixels, from first ones on: of terms that are so far from a pixel and from the kernel.
template <typename T, int N>
PYNN_INLINE void make_pixels(T* to, int64_t to_step, const T* from, int64_t from_step, const T* kernel, const T* bias,
                             const Strip* terms, int64_t count, int64_t channels) {
  for_vectors<T>(0, channels, [&](int64_t c, int64_t lanes) {
    Vec<T> sum[N];
    const Vec<T> first = bias == nullptr ? Vec<T>{} : load(bias + c, lanes);
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) sum[i] = first;
    for (int64_t t = 0; t < count; ++t) {
      const Vec<T> weight = load(kernel + terms[t].b + c, lanes);
      const T* pixel = from + terms[t].a + c;
#pragma GCC unroll 8
      for (int i = 0; i < N; ++i, pixel += from_step) sum[i] += load(pixel, lanes) * weight;
    }
    T* pixel = to + c;
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i, pixel += to_step) store(pixel, sum[i], lanes);
  });
}

// The first `width` pixels of a row of a result.
template <typename T>
void make_row(T* to, const Rows<T>& from, const T* kernel, const T* bias, const Axis& rows, const Axis& columns,
              int64_t row, int64_t width, int64_t channels, Strip* space) {
  Strip *seen_rows = space, *terms = space + rows.positions;
  int64_t height = 0;
  for (int64_t ky = 0; ky < rows.positions; ++ky) {
    const int64_t i = seen(rows, row, ky);
    if (i >= 0) seen_rows[height++] = {(i - from.first) * from.stride, ky * columns.positions * channels};
  }
  int64_t count = 0;
  const auto list_terms = [&](int64_t pixel) {
    count = 0;
    for (int64_t kx = 0; kx < columns.positions; ++kx) {
      const int64_t j = seen(columns, pixel, kx);
      for (int64_t ky = 0; ky < height && j >= 0; ++ky)
        terms[count++] = {seen_rows[ky].a + (j - pixel / columns.divisor * columns.step) * channels,
                          seen_rows[ky].b + kx * channels};
    }
  };
  const int64_t divisor = columns.divisor, to_step = divisor * channels, from_step = columns.step * channels;
  for (int64_t first = 0; first < smaller(divisor, width); ++first) {
    const int64_t pixels = (width - first + divisor - 1) / divisor;
    Range inside{0, pixels};  // these all see the same positions
    for (int64_t kx = 0; kx < columns.positions; ++kx) {
      const Range some = seeing(columns, first, pixels, kx);
      inside = {larger(inside.begin, some.begin), smaller(inside.end, some.end)};
    }
    const auto make = [&](auto together, int64_t i) {
      make_pixels<T, together()>(to + (first + i * divisor) * channels, to_step, from.data + i * from_step, from_step,
                                 kernel, bias, terms, count, channels);
    };
    // The last pixels of several may be made twice.
    const auto make_inside = [&](auto together) {
      list_terms(first + inside.begin * divisor);
      for (int64_t i = inside.begin; i < inside.end; i += together())
        make(together, smaller(i, inside.end - together()));
    };
    const int64_t most = inside.end - inside.begin;
    if (most >= 8)
      make_inside(Pixels<8>{});
    else if (most >= 4)
      make_inside(Pixels<4>{});
    else if (most > 0)
      make_inside(Pixels<1>{});
    for (int64_t i = 0; i < pixels; ++i) {
      if (most > 0 && i == inside.begin) i = inside.end;
      if (i == pixels) break;
      list_terms(first + i * divisor);
      make(Pixels<1>{}, i);
    }
  }
}

template <typename T>
void add_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows, Range kernel_rows) {
  const Axis rows = down(s), columns = across(s);
  const int64_t step = s.stride_x * s.channels;
  for (int64_t o = out_rows.begin; o < out_rows.end; ++o)
    for (int64_t position = kernel_rows.begin; position < kernel_rows.end; ++position) {
      const int64_t kx = position % s.kernel_width, row = seen(rows, o, position / s.kernel_width);
      const Range pixels = seeing(columns, 0, s.out_width, kx);
      if (row < 0 || pixels.begin >= pixels.end) continue;
      const T* from = x.data + (row - x.first) * x.stride + seen(columns, pixels.begin, kx) * s.channels;
      const T* gradient = dy + (o * s.out_width + pixels.begin) * s.channels;
      for_vectors<T>(0, s.channels, [&](int64_t c, int64_t count) {
        const T *a = from + c, *b = gradient + c;
        Vec<T> total[4] = {};  // an addition takes as long as four of these products
        int64_t j = pixels.begin;
        for (; j + 4 <= pixels.end; j += 4)
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i, a += step, b += s.channels) total[i] += load(a, count) * load(b, count);
        for (; j < pixels.end; ++j, a += step, b += s.channels) total[0] += load(a, count) * load(b, count);
        T* to = sum + position * s.channels + c;
        store(to, load(to, count) + ((total[0] + total[1]) + (total[2] + total[3])), count);
      });
    }
}

}  // namespace

#define PYNN_DEFINE_DEPTHWISE(T)                                                                                    \
  void depthwise_row(T* y, const Rows<T>& x, const T* kernel, const T* bias, const ConvShape& s, int64_t out_row,   \
                     int64_t width, Strip* space) {                                                                 \
    make_row<T>(y, x, kernel, bias, down(s), across(s), out_row, width, s.channels, space);                         \
  }                                                                                                                 \
  void depthwise_input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row, Strip* space) {    \
    make_row<T>(dx, {dy, 0, s.out_width * s.channels}, kernel, nullptr, down_back(s), across_back(s), row, s.width, \
                s.channels, space);                                                                                 \
  }                                                                                                                 \
  void add_depthwise_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows,                \
                          Range kernel_rows) {                                                                      \
    add_rows<T>(sum, x, dy, s, out_rows, kernel_rows);                                                              \
  }
PYNN_DEFINE_DEPTHWISE(float)
PYNN_DEFINE_DEPTHWISE(double)

}  // namespace PYNN_ISA
}  // namespace pynn
