#include "conv_phases.h"

#include "few_columns.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// The pixels of a row of dx whose number has the same remainder by the stride see the same columns of the kernel, each
// the same number of pixels away in dy. So they are the rows of one product, whose strips are what they see of dy.

// Where more elements of a row get something at a time, or a phase sees fewer places, adding up in memory is as fast.
// So a gradient that is made from entries (conv_entries.cpp) is never made so: its rows of the kernel have 16 elements.
constexpr int64_t kMostAtATime = 9;

PYNN_INLINE int64_t positions(int64_t kernel, int64_t stride) { return (kernel + stride - 1) / stride; }

// A quotient that is rounded down, and one that is rounded up.
PYNN_INLINE int64_t down(int64_t a, int64_t b) { return a >= 0 ? a / b : -((b - 1 - a) / b); }
PYNN_INLINE int64_t up(int64_t a, int64_t b) { return -down(-a, b); }

// Columns of zeros in front of a row of dy and behind it.
PYNN_INLINE int64_t zeros_in_front(const ConvShape& s) {
  return larger(0, up((s.kernel_width - 1) * s.dilation_x - s.left, s.stride_x));
}
PYNN_INLINE int64_t zeros_behind(const ConvShape& s) {
  return larger(0, down(s.width - 1 + s.left, s.stride_x) - (s.out_width - 1));
}
PYNN_INLINE int64_t padded_row(const ConvShape& s) {
  return (zeros_in_front(s) + s.out_width + zeros_behind(s)) * s.filters;
}

// The rows of dy that these rows of dx see.
PYNN_INLINE Range rows_seen(const ConvShape& s, Range rows) {
  const int64_t begin = up(rows.begin + s.top - (s.kernel_height - 1) * s.dilation_y, s.stride_y);
  const int64_t end = down(rows.end - 1 + s.top, s.stride_y) + 1;
  return {larger(0, begin), smaller(s.out_height, end)};
}

PYNN_INLINE int64_t pixels_of_a_phase(const ConvShape& s) { return (s.width + s.stride_x - 1) / s.stride_x; }

template <typename T>
bool pays(const ConvShape& s) {
  const int64_t places = positions(s.kernel_height, s.stride_y) * positions(s.kernel_width, s.stride_x);
  return s.groups == 1 && s.kernel_width * s.channels * s.stride_x <= kMostAtATime &&
         pays_by_terms(T{}, s.channels, places * s.filters, s.filters);
}

template <typename T>
PhaseSpace<T> space_in(const ConvShape& s, int64_t rows, Scratch<T>& scratch) {
  Strip* of_row = scratch.template take<Strip>(s.kernel_width);
  Strip* strips = scratch.template take<Strip>(s.kernel_height * s.kernel_width);
  const int64_t seen = smaller(s.out_height, ((rows - 1) + (s.kernel_height - 1) * s.dilation_y) / s.stride_y + 2);
  T* padded = scratch.template take<T>(seen * padded_row(s));
  return {of_row, strips, padded, scratch.template take<T>(pixels_of_a_phase(s) * s.channels)};
}

// kernel (kernel_height, kernel_width, channels, filters) to (channels, kernel_height, kernel_width, filters).
template <typename T>
void turn(const Team& team, T* out, const T* kernel, const ConvShape& s) {
  const int64_t places = s.kernel_height * s.kernel_width;
  const Range mine = team.share(places);
  for (int64_t place = mine.begin; place < mine.end; ++place)
    copy_rows(out + place * s.filters, places * s.filters, kernel + place * s.channels * s.filters, s.filters,
              s.channels, s.filters);
}

// The rows of dy from seen.begin to seen.end, with zeros in front of them and behind.
template <typename T>
void pad(T* to, const T* dy, const ConvShape& s, Range seen) {
  const int64_t row = padded_row(s), front = zeros_in_front(s) * s.filters, length = s.out_width * s.filters;
  for (int64_t i = seen.begin; i < seen.end; ++i, to += row) {
    memset(to, 0, static_cast<size_t>(front) * sizeof(T));
    memcpy(to + front, dy + i * length, static_cast<size_t>(length) * sizeof(T));
    memset(to + front + length, 0, static_cast<size_t>(row - front - length) * sizeof(T));
  }
}

// What the pixels of a phase see of one row of dy, for one row of the kernel; returns the number of strips.
int64_t strips_of_a_phase(const ConvShape& s, int64_t phase, Strip* strips) {
  int64_t count = 0;
  for (int64_t kx = 0; kx < s.kernel_width; ++kx) {
    const int64_t column = phase + s.left - kx * s.dilation_x, at = down(column, s.stride_x);
    if (at * s.stride_x == column) strips[count++] = {(at + zeros_in_front(s)) * s.filters, kx * s.filters};
  }
  return count;
}

// The strips of the pixels of a phase of row `row` of dx, made of those above; returns their number. first: the row of
// dy that `padded` begins with.
int64_t strips_of_a_row(const ConvShape& s, int64_t row, int64_t first, const Strip* of_row, int64_t in_row,
                        Strip* strips) {
  int64_t count = 0;
  for (int64_t ky = 0; ky < s.kernel_height; ++ky) {
    const int64_t from = row + s.top - ky * s.dilation_y;
    if (from < 0 || from % s.stride_y != 0 || from / s.stride_y >= s.out_height) continue;
    const int64_t a = (from / s.stride_y - first) * padded_row(s), b = ky * s.kernel_width * s.filters;
    for (int64_t i = 0; i < in_row; ++i) strips[count++] = {a + of_row[i].a, b + of_row[i].b};
  }
  return count;
}

template <typename T>
void make_rows(T* dx, const T* dy, const T* turned, const ConvShape& s, Range rows, Ahead* ahead,
               const PhaseSpace<T>& space) {
  const Range seen = rows_seen(s, rows);
  pad(space.padded, dy, s, seen);
  const bool one_phase = s.stride_x == 1;
  for (int64_t phase = 0; phase < smaller(s.stride_x, s.width); ++phase) {
    const int64_t in_row = strips_of_a_phase(s, phase, space.of_row);
    const int64_t pixels = (s.width - phase + s.stride_x - 1) / s.stride_x;
    T* row_of_dx = dx;
    for (int64_t row = rows.begin; row < rows.end; ++row, row_of_dx += s.width * s.channels) {
      const int64_t strips = strips_of_a_row(s, row, seen.begin, space.of_row, in_row, space.strips);
      T* to = one_phase ? row_of_dx : space.pixels;
      Product<T> p = product<T>(pixels, s.channels, strips * s.filters, space.padded, s.filters, 1, turned,
                                kernel_size(s) / s.channels, false, to, s.channels);
      p.strips = space.strips;
      p.strip = s.filters;
      p.ahead = ahead;
      multiply_by_terms(p);
      for (int64_t i = 0; i < pixels && !one_phase; ++i)
        for (int64_t c = 0; c < s.channels; ++c)
          row_of_dx[(phase + i * s.stride_x) * s.channels + c] = to[i * s.channels + c];
    }
  }
}

}  // namespace

#define PYNN_DEFINE_PHASES(T)                                                                                          \
  bool pays_by_phases(T, const ConvShape& s) { return pays<T>(s); }                                                    \
  PhaseSpace<T> phase_space(const ConvShape& s, int64_t rows, Scratch<T>& scratch) {                                   \
    return space_in<T>(s, rows, scratch);                                                                              \
  }                                                                                                                    \
  void turn_by_channels(const Team& team, T* out, const T* kernel, const ConvShape& s) { turn(team, out, kernel, s); } \
  void rows_by_phases(T* dx, const T* dy, const T* turned, const ConvShape& s, Range rows, Ahead* ahead,               \
                      const PhaseSpace<T>& space) {                                                                    \
    make_rows<T>(dx, dy, turned, s, rows, ahead, space);                                                               \
  }
PYNN_DEFINE_PHASES(float)
PYNN_DEFINE_PHASES(double)

}  // namespace PYNN_ISA
}  // namespace pynn
