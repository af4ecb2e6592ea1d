#include "conv.h"

// Groups of few channels and filters: the filters fill the vectors, whatever their groups. Where each channel has one
// filter (depthwise), the input is used as it lies; otherwise planes are made of it, one for each channel of a group,
// with that channel for each filter. Pixels outside of the image are left out of the sums.

namespace pynn {
namespace PYNN_ISA {
namespace {

template <int N>
struct Number {
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

// Pixels side by side to be made of those of another image, `filters` elements each: as sums over the positions of the
// kernel and `planes` elements at each, which lie `filters` apart.
template <typename T>
struct Pixels {
  T* to;
  int64_t to_pixel;
  Rows<T> from;
  int64_t from_pixel;
  const T* kernel;
  int64_t position;  // of the kernel: elements
  int64_t planes;
  const T* bias;  // or null
  int64_t filters;
};

// Makes N of them, the first one at `to` and of `from`: of terms that are so far from a pixel and the kernel.
template <typename T, int N>
PYNN_INLINE void make_pixels(const Pixels<T>& p, T* to, int64_t to_step, const T* from, int64_t from_step,
                             const Strip* terms, int64_t count) {
  const T *kernel = p.kernel, *bias = p.bias;
  for_vectors<T>(0, p.filters, [&](int64_t c, int64_t lanes) {
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

// `width` pixels: row `row` of the result.
template <typename T>
void make_row(const Pixels<T>& p, const Axis& rows, const Axis& columns, int64_t row, int64_t width, Strip* space) {
  Strip *seen_rows = space, *terms = space + rows.positions;
  int64_t height = 0;
  for (int64_t ky = 0; ky < rows.positions; ++ky) {
    const int64_t i = seen(rows, row, ky);
    if (i >= 0) seen_rows[height++] = {(i - p.from.first) * p.from.stride, ky * columns.positions * p.position};
  }
  int64_t count = 0;
  const auto list_terms = [&](int64_t pixel) {
    count = 0;
    for (int64_t kx = 0; kx < columns.positions; ++kx) {
      const int64_t j = seen(columns, pixel, kx);
      if (j < 0) continue;
      const int64_t a = (j - pixel / columns.divisor * columns.step) * p.from_pixel, b = kx * p.position;
      for (int64_t ky = 0; ky < height; ++ky)
        for (int64_t plane = 0; plane < p.planes; ++plane)
          terms[count++] = {seen_rows[ky].a + a + plane * p.filters, seen_rows[ky].b + b + plane * p.filters};
    }
  };
  const int64_t divisor = columns.divisor, to_step = divisor * p.to_pixel, from_step = columns.step * p.from_pixel;
  for (int64_t first = 0; first < smaller(divisor, width); ++first) {
    const int64_t pixels = (width - first + divisor - 1) / divisor;
    Range inside{0, pixels};  // these all see the same positions
    for (int64_t kx = 0; kx < columns.positions; ++kx) {
      const Range some = seeing(columns, first, pixels, kx);
      inside = {larger(inside.begin, some.begin), smaller(inside.end, some.end)};
    }
    const auto make = [&](auto together, int64_t i) {
      make_pixels<T, together()>(p, p.to + (first + i * divisor) * p.to_pixel, to_step, p.from.data + i * from_step,
                                 from_step, terms, count);
    };
    // The last pixels of several may be made twice.
    const auto make_inside = [&](auto together) {
      list_terms(first + inside.begin * divisor);
      for (int64_t i = inside.begin; i < inside.end; i += together())
        make(together, smaller(i, inside.end - together()));
    };
    const int64_t most = inside.end - inside.begin;
    if (most >= 8)
      make_inside(Number<8>{});
    else if (most >= 4)
      make_inside(Number<4>{});
    else if (most > 0)
      make_inside(Number<1>{});
    for (int64_t i = 0; i < pixels; ++i) {
      if (most > 0 && i == inside.begin) i = inside.end;
      if (i == pixels) break;
      list_terms(first + i * divisor);
      make(Number<1>{}, i);
    }
  }
}

// Calls body(number, filters) with the number of filters of a group as a constant, where it is 1, 2 or 4; else with 0.
template <typename Body>
PYNN_INLINE void with_filters(int64_t filters, Body body) {
  if (filters == 1) return body(Number<1>{}, filters);
  if (filters == 2) return body(Number<2>{}, filters);
  if (filters == 4) return body(Number<4>{}, filters);
  body(Number<0>{}, filters);
}

template <typename T>
void result_row(T* y, const Rows<T>& x, const T* kernel, const T* bias, const ConvShape& s, int64_t out_row,
                int64_t width, Strip* space) {
  const int64_t inner = s.channels / s.groups, pixel = inner * s.filters;
  make_row<T>({y, s.filters, x, pixel, kernel, pixel, inner, bias, s.filters}, down(s), across(s), out_row, width,
              space);
}

template <typename T>
void input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row, T* planes, Strip* space) {
  const int64_t inner = s.channels / s.groups, pixel = inner * s.filters;
  T* to = needs_planes(s) ? planes : dx;
  const Rows<T> gradient{dy, 0, s.out_width * s.filters};
  for (int64_t i = 0; i < inner; ++i)
    make_row<T>({to + i * s.filters, pixel, gradient, s.filters, kernel + i * s.filters, pixel, 1, nullptr, s.filters},
                down_back(s), across_back(s), row, s.width, space);
  if (!needs_planes(s)) return;
  with_filters(s.filters / s.groups, [&](auto filters, int64_t outer) {
    const T* from = planes;
    for (int64_t j = 0; j < s.width; ++j, dx += s.channels)
      for (int64_t i = 0; i < inner; ++i)
        for (int64_t g = 0; g < s.groups; ++g) {
          T sum = *from++;
          for (int64_t o = 1; o < (filters() > 0 ? filters() : outer); ++o) sum += *from++;
          dx[g * inner + i] = sum;
        }
  });
}

template <typename T>
void add_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows, Range kernel_rows) {
  const Axis rows = down(s), columns = across(s);
  const int64_t inner = s.channels / s.groups, pixel = inner * s.filters, step = s.stride_x * pixel;
  for (int64_t o = out_rows.begin; o < out_rows.end; ++o)
    for (int64_t at = kernel_rows.begin; at < kernel_rows.end; ++at) {
      const int64_t kx = at / inner % s.kernel_width, row = seen(rows, o, at / inner / s.kernel_width);
      const Range pixels = seeing(columns, 0, s.out_width, kx);
      if (row < 0 || pixels.begin >= pixels.end) continue;
      const T* from =
          x.data + (row - x.first) * x.stride + seen(columns, pixels.begin, kx) * pixel + at % inner * s.filters;
      const T* gradient = dy + (o * s.out_width + pixels.begin) * s.filters;
      for_vectors<T>(0, s.filters, [&](int64_t c, int64_t count) {
        const T *a = from + c, *b = gradient + c;
        Vec<T> total[4] = {};  // an addition takes as long as four of these products
        int64_t j = pixels.begin;
        for (; j + 4 <= pixels.end; j += 4)
#pragma GCC unroll 4
          for (int i = 0; i < 4; ++i, a += step, b += s.filters) total[i] += load(a, count) * load(b, count);
        for (; j < pixels.end; ++j, a += step, b += s.filters) total[0] += load(a, count) * load(b, count);
        T* to = sum + at * s.filters + c;
        store(to, load(to, count) + ((total[0] + total[1]) + (total[2] + total[3])), count);
      });
    }
}

template <typename T>
void planes_of(T* to, const T* x, int64_t pixels, const ConvShape& s) {
  const int64_t inner = s.channels / s.groups;
  with_filters(s.filters / s.groups, [&](auto filters, int64_t outer) {
    for (int64_t j = 0; j < pixels; ++j, x += s.channels)
      for (int64_t i = 0; i < inner; ++i)
        for (int64_t g = 0; g < s.groups; ++g) {
          const T value = x[g * inner + i];
          for (int64_t o = 0; o < (filters() > 0 ? filters() : outer); ++o) *to++ = value;
        }
  });
}

}  // namespace

#define PYNN_DEFINE_SMALL_GROUPS(T)                                                                                  \
  void small_groups_row(T* y, const Rows<T>& x, const T* kernel, const T* bias, const ConvShape& s, int64_t out_row, \
                        int64_t width, Strip* space) {                                                               \
    result_row<T>(y, x, kernel, bias, s, out_row, width, space);                                                     \
  }                                                                                                                  \
  void small_groups_input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row, T* planes,       \
                              Strip* space) {                                                                        \
    input_row<T>(dx, dy, kernel, s, row, planes, space);                                                             \
  }                                                                                                                  \
  void add_small_groups_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows,              \
                             Range kernel_rows) {                                                                    \
    add_rows<T>(sum, x, dy, s, out_rows, kernel_rows);                                                               \
  }                                                                                                                  \
  void make_planes(T* to, const T* x, int64_t pixels, const ConvShape& s) { planes_of<T>(to, x, pixels, s); }
PYNN_DEFINE_SMALL_GROUPS(float)
PYNN_DEFINE_SMALL_GROUPS(double)

}  // namespace PYNN_ISA
}  // namespace pynn
