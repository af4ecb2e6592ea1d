#include "conv_common.h"

// Groups of few channels and filters: the filters fill the vectors, whatever their groups. Where each channel has one
// filter (depthwise), the input is used as it lies; otherwise planes are made of it, one for each channel of a group,
// with that channel for each filter. Pixels outside of the image are left out of the sums.

namespace pynn {
namespace PYNN_ISA {
namespace {

// A number that is known when compiling.
template <int64_t N>
struct Number {
  constexpr int64_t operator()() const { return N; }
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

// Which of the numbers first, first + divisor, ... (count of them) see something at position k.
Range seeing(const Axis& axis, int64_t first, int64_t count, int64_t k) {
  const int64_t n = first * axis.step + axis.shift + k * axis.dilation;
  if (axis.divisor > 1 && n % axis.divisor != 0) return {0, 0};
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

// Makes N pixels side by side. The first one goes to `to` and sees `from`. A term says where its factors are: how far
// from the pixel that is seen, and how far into the kernel.
template <typename T, int64_t N>
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

// What some pixels see: rows and columns of another image, each (its distance, that of its part of the kernel), and the
// spans (first, last + 1) of the pixels that see a column, in ascending order.
struct View {
  const Strip *rows, *columns, *spans;
  int64_t height, width;
};

// Pixels that are made together; so many that see the same columns are made from a list of terms.
constexpr int64_t kTogether = 8, kFew = 4;

// Moves `seen`, the columns that an earlier pixel sees, on to those that pixel i sees. Returns where the run of pixels
// ends that see the same columns.
int64_t look(const View& view, int64_t i, int64_t pixels, Range& seen) {
  while (seen.end < view.width && view.spans[seen.end].a <= i) ++seen.end;
  while (seen.begin < view.width && view.spans[seen.begin].b <= i) ++seen.begin;
  const int64_t enters = seen.end < view.width ? view.spans[seen.end].a : pixels;
  return seen.begin < view.width ? smaller(enters, view.spans[seen.begin].b) : enters;
}

// The terms of some columns; returns their number.
template <typename T>
int64_t list_terms(const Pixels<T>& p, const View& view, Range columns, Strip* terms) {
  int64_t count = 0;
  for (int64_t k = columns.begin; k < columns.end; ++k)
    for (int64_t row = 0; row < view.height; ++row)
      for (int64_t plane = 0; plane < p.planes; ++plane)
        terms[count++] = {view.rows[row].a + view.columns[k].a + plane * p.filters,
                          view.rows[row].b + view.columns[k].b + plane * p.filters};
  return count;
}

// Makes up to kTogether pixels, each of which sees some of these columns.
template <typename T>
void make_edge(const Pixels<T>& p, const View& view, Range columns, T* to, int64_t to_step, int64_t from_step,
               Range pixels) {
  for_vectors<T>(0, p.filters, [&](int64_t c, int64_t lanes) __attribute__((always_inline)) {
    Vec<T> sum[kTogether];
    for (Vec<T>& value : sum) value = p.bias == nullptr ? Vec<T>{} : load(p.bias + c, lanes);
    for (int64_t k = columns.begin; k < columns.end; ++k) {
      const int64_t begin = larger(pixels.begin, view.spans[k].a), end = smaller(pixels.end, view.spans[k].b);
      for (int64_t row = 0; row < view.height && begin < end; ++row)
        for (int64_t plane = 0; plane < p.planes; ++plane) {
          const int64_t at = plane * p.filters + c;
          const Vec<T> weight = load(p.kernel + view.rows[row].b + view.columns[k].b + at, lanes);
          const T* from = p.from.data + view.rows[row].a + view.columns[k].a + at + begin * from_step;
          if (end - begin == kTogether)
#pragma GCC unroll 8
            for (int64_t i = 0; i < kTogether; ++i) sum[i] += load(from + i * from_step, lanes) * weight;
          else
            for (int64_t i = begin; i < end; ++i, from += from_step)
              sum[i - pixels.begin] += load(from, lanes) * weight;
        }
    }
    for (int64_t i = pixels.begin; i < pixels.end; ++i) store(to + i * to_step + c, sum[i - pixels.begin], lanes);
  });
}

// The pixels that are `to_step` apart, from `to` on.
template <typename T>
void make_line(const Pixels<T>& p, const View& view, T* to, int64_t to_step, int64_t from_step, int64_t pixels,
               Strip* terms) {
  Range seen{0, 0};
  for (int64_t i = 0, end; i < pixels; i = end) {
    end = look(view, i, pixels, seen);
    if (end - i >= kFew) {
      const int64_t count = list_terms(p, view, seen, terms);
      const auto make = [&](auto together) {  // the last ones may be made twice
        for (; i < end; i += together()) {
          const int64_t first = smaller(i, end - together());
          make_pixels<T, together()>(p, to + first * to_step, to_step, p.from.data + first * from_step, from_step,
                                     terms, count);
        }
      };
      if (end - i >= kTogether)
        make(Number<kTogether>{});
      else
        make(Number<kFew>{});
    } else {
      const int64_t first = seen.begin;
      for (int64_t next; end < smaller(pixels, i + kTogether); end = next) {
        next = look(view, end, pixels, seen);
        if (next - end >= kFew) break;
      }
      end = smaller(end, i + kTogether);
      make_edge(p, view, {first, seen.end}, to, to_step, from_step, {i, end});
    }
  }
}

// `width` pixels: row `row` of the result.
template <typename T>
void make_row(const Pixels<T>& p, const Axis& down_axis, const Axis& across_axis, int64_t row, int64_t width,
              Strip* space) {
  Strip *rows = space, *columns = rows + down_axis.positions, *spans = columns + across_axis.positions;
  View view{rows, columns, spans, 0, 0};
  for (int64_t ky = 0; ky < down_axis.positions; ++ky) {
    const int64_t i = seen(down_axis, row, ky);
    if (i >= 0) rows[view.height++] = {(i - p.from.first) * p.from.stride, ky * across_axis.positions * p.position};
  }
  const int64_t divisor = across_axis.divisor;
  for (int64_t first = 0; first < smaller(divisor, width); ++first) {  // of the pixels that see the same positions
    const int64_t pixels = (width - first + divisor - 1) / divisor;
    view.width = 0;
    for (int64_t k = 0; k < across_axis.positions; ++k) {
      const int64_t kx = across_axis.dilation > 0 ? across_axis.positions - 1 - k : k;
      const Range span = seeing(across_axis, first, pixels, kx);
      if (span.begin >= span.end) continue;
      const int64_t at = (first * across_axis.step + across_axis.shift + kx * across_axis.dilation) / divisor;
      columns[view.width] = {at * p.from_pixel, kx * p.position};
      spans[view.width++] = {span.begin, span.end};
    }
    make_line(p, view, p.to + first * p.to_pixel, divisor * p.to_pixel, across_axis.step * p.from_pixel, pixels,
              spans + across_axis.positions);
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
