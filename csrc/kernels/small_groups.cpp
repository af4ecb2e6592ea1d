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

// a / b; divisions take long, and most are by 1.
int64_t quotient(int64_t a, int64_t b) { return b == 1 ? a : a / b; }

// What number i sees at position k without an end of the image, or kNothing if that is not whole.
constexpr int64_t kNothing = INT64_MIN;
int64_t seen_unbounded(const Axis& axis, int64_t i, int64_t k) {
  const int64_t n = i * axis.step + axis.shift + k * axis.dilation, at = quotient(n, axis.divisor);
  return at * axis.divisor == n ? at : kNothing;
}

// Which of `count` numbers, from `first` on, see something at position k; where the divisor is 1.
Range seeing(const Axis& axis, int64_t first, int64_t count, int64_t k) {
  const int64_t at = first * axis.step + axis.shift + k * axis.dilation, step = axis.step;
  const int64_t begin = at < 0 ? quotient(-at + step - 1, step) : 0;
  const int64_t end = at < axis.size ? quotient(axis.size - at + step - 1, step) : 0;
  return {begin, smaller(end, count)};
}

// What number i sees, or a negative number.
int64_t seen(const Axis& axis, int64_t i, int64_t k) {
  const int64_t at = seen_unbounded(axis, i, k);
  return at < axis.size ? at : -1;
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

// Pixels that are made together, and columns of the kernel that are used together: both fit into the registers.
constexpr int64_t kTogether = 8, kColumns = 5;

// Calls body(number) with 1 <= n <= kColumns as a constant.
template <typename Body>
PYNN_INLINE void with_constant(int64_t n, Body body) {
  static_assert(kColumns == 5, "one case for each number");
  if (n == 3) return body(Number<3>{});
  if (n == 1) return body(Number<1>{});
  if (n == 5) return body(Number<5>{});
  if (n == 2) return body(Number<2>{});
  body(Number<4>{});
}

// Columns of the kernel that are joined: pixel i sees at column k what pixel i + 1 sees at column k - 1. It is inside
// of the image if i + k is one of `within`. at: what pixel 0 sees at the first column, and where that is in the kernel.
struct Piece {
  Strip at;
  Range within;
  int64_t columns;
};
static_assert(sizeof(Piece) <= 3 * sizeof(Strip), "small_groups_space");

// A line of pixels, what they see (rows, each its distance and that of its part of the kernel, and pieces of columns),
// and the distances between the pixels, between what they see, and between the columns of a piece.
template <typename T>
struct Line {
  T* to;
  int64_t pixels;
  const Strip* rows;
  const Piece* pieces;
  int64_t row_count, piece_count;
  int64_t to_step, from_step, kernel_step;
};

// A load that stays one: GCC would load again for each use.
template <typename T>
PYNN_INLINE Vec<T> load_once(const T* from, int64_t lanes) {
  return rounded<T>(load(from, lanes));
}

// Adds to pixels side by side what they see of a row in a piece. Each load of what is seen serves all columns.
template <typename T, int64_t Columns, bool Whole>
PYNN_INLINE void add_seen(Vec<T>* sum, const T* from, int64_t from_step, const T* kernel, int64_t kernel_step,
                          Range within, int64_t lanes) {
  Vec<T> weights[Columns];
#pragma GCC unroll 5
  for (int64_t k = 0; k < Columns; ++k) weights[k] = load(kernel + k * kernel_step, lanes);
#pragma GCC unroll 12
  for (int64_t n = 0; n < kTogether + Columns - 1; ++n) {
    if (!Whole && (n < within.begin || n >= within.end)) continue;
    const Vec<T> value = load_once(from + n * from_step, lanes);
#pragma GCC unroll 5
    for (int64_t k = 0; k < Columns; ++k)
      if (n >= k && n - k < kTogether) sum[n - k] += value * weights[k];
  }
}

// Makes the pixels of a line. No number that is not constant looks up a sum, so these stay in registers.
template <typename T>
void make_line(const Pixels<T>& p, const Line<T>& of) {
  const Line<T> line = of;  // what is stored does not change a copy
  const T *from = p.from.data, *kernel = p.kernel, *bias = p.bias;
  const int64_t filters = p.filters;
  T* to = line.to;
  for (int64_t i = 0; i < line.pixels; i += kTogether, to += kTogether * line.to_step) {
    const int64_t count = smaller(kTogether, line.pixels - i);
    for_vectors<T>(0, filters, [&](int64_t c, int64_t lanes) __attribute__((always_inline)) {
      Vec<T> sum[kTogether];
      const Vec<T> first = bias == nullptr ? Vec<T>{} : load(bias + c, lanes);
#pragma GCC unroll 8
      for (int64_t j = 0; j < kTogether; ++j) sum[j] = first;
      for (const Piece* piece = line.pieces; piece < line.pieces + line.piece_count; ++piece) {
        const T *seen_from = from + (piece->at.a + i * line.from_step + c), *weights = kernel + piece->at.b + c;
        const Range within{piece->within.begin - i, smaller(piece->within.end - i, count + piece->columns - 1)};
        if (within.begin >= within.end) continue;
        with_constant(piece->columns, [&](auto columns) __attribute__((always_inline)) {
          const auto add = [&](auto whole) __attribute__((always_inline)) {
            for (const Strip* row = line.rows; row < line.rows + line.row_count; ++row)
              add_seen<T, columns(), whole() == 1>(sum, seen_from + row->a, line.from_step, weights + row->b,
                                                   line.kernel_step, within, lanes);
          };
          if (within.begin <= 0 && within.end == kTogether + columns() - 1)
            add(Number<1>{});
          else
            add(Number<0>{});
        });
      }
      T* pixel = to + c;
      if (count == kTogether)
#pragma GCC unroll 8
        for (int64_t j = 0; j < kTogether; ++j, pixel += line.to_step) store(pixel, sum[j], lanes);
      else
#pragma GCC unroll 8
        for (int64_t j = 0; j < kTogether; ++j, pixel += line.to_step)
          if (j < count) store(pixel, sum[j], lanes);
    });
  }
}

// The least common multiple of two numbers.
int64_t common_multiple(int64_t a, int64_t b) {
  int64_t multiple = larger(a, b);
  if (smaller(a, b) > 1)
    while (multiple % smaller(a, b) != 0) multiple += larger(a, b);
  return multiple;
}

// How columns are joined: pixels a period apart see the same at columns a spacing apart, and a piece has up to `most`.
struct Joints {
  int64_t period, spacing, most;
};

Joints joints_of(const Axis& axis, int64_t width, int64_t few) {
  if (axis.positions == 1) return {axis.divisor, 1, 1};  // whatever its dilation
  const int64_t dilation = larger(axis.dilation, -axis.dilation), step = axis.step * axis.divisor;
  const int64_t multiple = common_multiple(step, dilation), period = quotient(multiple, axis.step);
  // Where too few pixels are a period apart, columns are used one by one.
  if (multiple > step && period * few > width) return {axis.divisor, axis.positions, 1};
  const int64_t spacing = quotient(multiple, dilation), columns = quotient(axis.positions + spacing - 1, spacing);
  const int64_t pieces = (columns + kColumns - 1) / kColumns;  // of nearly equal size
  return {period, spacing, quotient(columns + pieces - 1, pieces)};
}

// Lists in pieces the columns that `pixels` pixels see: number `first`, and then each that is a period further. Returns
// the number of pieces. Pixels that are seen, and positions of the kernel, have so many elements. Where a piece begins
// does not depend on the number of pixels, and so the order of a pixel's sums does not.
int64_t list_pieces(Piece* pieces, const Axis& axis, const Joints& joints, int64_t first, int64_t pixels, int64_t pixel,
                    int64_t position) {
  const int64_t step = quotient(axis.step * joints.period, axis.divisor);
  Piece* next = pieces;
  for (int64_t begin = 0; begin < smaller(joints.spacing, axis.positions); ++begin) {
    const auto kx = [&](int64_t k) { return axis.dilation > 0 ? k : axis.positions - 1 - k; };  // from left to right
    const int64_t at = seen_unbounded(axis, first, kx(begin));
    if (at == kNothing) continue;
    // Numbers below 0 do not occur, so it does not matter how they are rounded.
    const Range within{quotient(step - 1 - at, step), quotient(axis.size - at + step - 1, step)};
    const Piece* start = next;
    for (int64_t k = begin, before = 0; k < axis.positions; k += joints.spacing, ++before) {
      const Range seeing{within.begin - before, within.end - before};
      if (seeing.begin >= pixels || seeing.end <= 0) continue;
      if (next == start || before % joints.most == 0)
        *next++ = {{(at + before * step) * pixel, kx(k) * position}, seeing, 0};
      ++next[-1].columns;
    }
  }
  return next - pieces;
}

// The first `width` pixels of row `row` of the result, which has `whole`.
template <typename T>
void make_row(const Pixels<T>& p, const Axis& down_axis, const Axis& axis, int64_t row, int64_t width, int64_t whole,
              Strip* space) {
  Strip* rows = space;
  Piece* pieces = reinterpret_cast<Piece*>(space + down_axis.positions * p.planes);
  const Joints joints = joints_of(axis, whole, kTogether);
  const int64_t period = joints.period, kernel_step = (axis.dilation > 0 ? 1 : -1) * joints.spacing * p.position;
  const int64_t from_step = quotient(axis.step * period, axis.divisor) * p.from_pixel;
  Line<T> line{p.to, 0, rows, pieces, 0, 0, period * p.to_pixel, from_step, kernel_step};
  for (int64_t ky = 0; ky < down_axis.positions; ++ky) {
    const int64_t i = seen(down_axis, row, ky);
    for (int64_t plane = 0; i >= 0 && plane < p.planes * p.filters; plane += p.filters)
      rows[line.row_count++] = {(i - p.from.first) * p.from.stride + plane, ky * axis.positions * p.position + plane};
  }
  for (int64_t first = 0; first < smaller(period, width); ++first, line.to += p.to_pixel) {
    line.pixels = quotient(width - first + period - 1, period);
    line.piece_count = list_pieces(pieces, axis, joints, first, line.pixels, p.from_pixel, p.position);
    make_line(p, line);
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
              s.out_width, space);
}

template <typename T>
void input_row(T* dx, const T* dy, const T* kernel, const ConvShape& s, int64_t row, T* planes, Strip* space) {
  const int64_t inner = s.channels / s.groups, pixel = inner * s.filters;
  T* to = needs_planes(s) ? planes : dx;
  const Rows<T> gradient{dy, 0, s.out_width * s.filters};
  for (int64_t i = 0; i < inner; ++i)
    make_row<T>({to + i * s.filters, pixel, gradient, s.filters, kernel + i * s.filters, pixel, 1, nullptr, s.filters},
                down_back(s), across_back(s), row, s.width, s.width, space);
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

// Pixels whose products are added at once; and those, about, before they go to the sums: rounding grows with a sum.
constexpr int64_t kAtOnce = 4, kPixels = 64;

// Rows of pixels side by side, and how far rows and pixels lie apart.
template <typename T>
struct Block {
  const T* data;
  int64_t row, pixel;
};

// Adds the products of Count pixels of dy, from `slopes` on, with what they see in joined columns, from `from` on.
// Pixels that follow each other add to different sums, as an addition waits for the one before.
template <typename T, int64_t Count, int64_t Columns, int64_t Sums>
PYNN_INLINE void add_products(Vec<T> (&sum)[Columns][Sums], const T* from, int64_t from_step, const T* slopes,
                              int64_t slope_step, Range within, int64_t lanes) {
  constexpr int64_t first = Count == 1 ? 2 : 0;  // one pixel comes behind two
  Vec<T> slope[Count];
#pragma GCC unroll 8
  for (int64_t n = 0; n < Count + Columns - 1; ++n) {
    if (n < Count) slope[n] = load(slopes + n * slope_step, lanes);
    if (Columns > 1 && (n < within.begin || n >= within.end)) continue;
    const Vec<T> value = load_once(from + n * from_step, lanes);
#pragma GCC unroll 5
    for (int64_t k = 0; k < Columns; ++k)
      if (n >= k && n - k < Count) sum[k][(first + n - k) % Sums] += value * slope[n - k];
  }
}

// Adds to the gradients of joined columns, to_step apart, what comes from (height, width) pixels: `from` is what these
// see in the first column, and dy their gradient. As in a Piece, what is seen is inside of the image if `within`.
template <typename T, int64_t Columns>
PYNN_INLINE void add_block(T* to, int64_t to_step, const Block<T>& from, const Block<T>& dy, int64_t height,
                           int64_t width, Range within, int64_t c, int64_t lanes) {
  constexpr int64_t Sums = Columns < 3 ? 4 : 2;
  // The pixels that see the only column; or all, and it is looked at each time whether a column is inside.
  const int64_t begin = Columns == 1 ? larger(0, within.begin) : 0;
  const int64_t end = Columns == 1 ? smaller(width, within.end) : width;
  Vec<T> sum[Columns][Sums] = {};
  for (int64_t i = 0; i < height; ++i) {
    const T* pixel = from.data + (i * from.row + begin * from.pixel + c);
    const T* slopes = dy.data + (i * dy.row + begin * dy.pixel + c);
    int64_t j = begin;
    const auto add = [&](auto count) __attribute__((always_inline)) {
      for (; j + count() <= end; j += count()) {
        add_products<T, count(), Columns, Sums>(sum, pixel, from.pixel, slopes, dy.pixel,
                                                {within.begin - j, within.end - j}, lanes);
        pixel += count() * from.pixel;
        slopes += count() * dy.pixel;
      }
    };
    add(Number<kAtOnce>{});
    add(Number<2>{});
    add(Number<1>{});
  }
#pragma GCC unroll 5
  for (int64_t k = 0; k < Columns; ++k) {
    Vec<T> total = sum[k][0] + sum[k][1];
    if constexpr (Sums == 4) total += sum[k][2] + sum[k][3];
    T* at = to + k * to_step + c;
    store(at, load(at, lanes) + total, lanes);
  }
}

template <typename T>
void add_rows(T* sum, const Rows<T>& x, const T* dy, const ConvShape& s, Range out_rows, Range kernel_rows,
              Strip* space) {
  const Axis down_axis = down(s), axis = across(s);
  const int64_t inner = s.channels / s.groups, pixel = inner * s.filters, row_size = s.kernel_width * inner;
  const Joints joints = joints_of(axis, s.out_width, s.out_height > 1 ? kAtOnce : 2 * kAtOnce);
  const int64_t period = joints.period, from_step = period * s.stride_x * pixel;
  const int64_t most = larger(1, kPixels * period / s.out_width);
  Piece* pieces = reinterpret_cast<Piece*>(space);
  for (int64_t top = out_rows.begin; top < out_rows.end; top += most)
    for (int64_t first = 0; first < smaller(period, s.out_width); ++first) {
      const int64_t height = smaller(most, out_rows.end - top);
      const int64_t width = quotient(s.out_width - first + period - 1, period);
      const int64_t piece_count = list_pieces(pieces, axis, joints, first, width, pixel, pixel);
      for (int64_t ky = kernel_rows.begin / row_size; ky < kernel_rows.end / row_size; ++ky) {
        const Range rows = seeing(down_axis, top, height, ky);
        if (rows.begin >= rows.end) continue;
        const int64_t o = top + rows.begin, i = seen(down_axis, o, ky) - x.first;
        for (const Piece* piece = pieces; piece < pieces + piece_count; ++piece)
          for (int64_t plane = 0; plane < pixel; plane += s.filters)
            for (int64_t left = 0; left < width; left += kPixels) {
              const int64_t at = first + left * period;
              const Block<T> from{x.data + (i * x.stride + piece->at.a + left * from_step + plane),
                                  s.stride_y * x.stride, from_step};
              const Block<T> gradient{dy + (o * s.out_width + at) * s.filters, s.out_width * s.filters,
                                      period * s.filters};
              T* to = sum + (ky * row_size * s.filters + piece->at.b + plane);
              const Range within{piece->within.begin - left, piece->within.end - left};
              with_constant(piece->columns, [&](auto columns) __attribute__((always_inline)) {
                for_vectors<T>(0, s.filters, [&](int64_t c, int64_t lanes) __attribute__((always_inline)) {
                  add_block<T, columns()>(to, joints.spacing * pixel, from, gradient, rows.end - rows.begin,
                                          smaller(kPixels, width - left), within, c, lanes);
                });
              });
            }
      }
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
                             Range kernel_rows, Strip* space) {                                                      \
    add_rows<T>(sum, x, dy, s, out_rows, kernel_rows, space);                                                        \
  }                                                                                                                  \
  void make_planes(T* to, const T* x, int64_t pixels, const ConvShape& s) { planes_of<T>(to, x, pixels, s); }
PYNN_DEFINE_SMALL_GROUPS(float)
PYNN_DEFINE_SMALL_GROUPS(double)

}  // namespace PYNN_ISA
}  // namespace pynn
