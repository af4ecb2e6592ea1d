// What the two directions of a convolution have in common: how an image is cut into rows, bands and strips.
#pragma once

#include "activation_blocks.h"
#include "conv.h"
#include "simd.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {

// Rows of an image, or of copies of it, which may have columns of padding or be planes: row i of the image is at data +
// (i - first) * stride.
template <typename T>
struct Rows {
  const T* data;
  int64_t first, stride;
};

namespace {

// Elements of the input rows that are copied together.
constexpr int64_t kBand = 65536;

PYNN_INLINE int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
PYNN_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

// Rows and columns of the input that the output sees, padding included.
PYNN_INLINE int64_t seen_height(const ConvShape& s) {
  return (s.out_height - 1) * s.stride_y + (s.kernel_height - 1) * s.dilation_y + 1;
}
PYNN_INLINE int64_t seen_width(const ConvShape& s) {
  return (s.out_width - 1) * s.stride_x + (s.kernel_width - 1) * s.dilation_x + 1;
}

// The terms of a sum that lie side by side: a row of the kernel or, where that is torn apart, one position of it.
PYNN_INLINE bool whole_rows(const ConvShape& s) { return s.groups == 1 && (s.dilation_x == 1 || s.kernel_width == 1); }

// Whether a group has so few channels and filters that a product of its own would leave vectors empty.
PYNN_INLINE bool has_small_groups(const ConvShape& s) {
  return s.groups > 1 && (s.channels / s.groups) * (s.filters / s.groups) <= PYNN_VECTOR_BYTES / 4;
}

// Whether planes are made of the input first (small_groups.cpp): where groups are more than a channel and its filter.
PYNN_INLINE bool needs_planes(const ConvShape& s) {
  return has_small_groups(s) && (s.channels != s.groups || s.filters != s.groups);
}

// Whether the columns of the input are used as they lie.
PYNN_INLINE bool fits(const ConvShape& s) {
  return has_small_groups(s) ? !needs_planes(s) : s.left == 0 && seen_width(s) <= s.width;
}

// Elements of a row of the input where it is copied.
PYNN_INLINE int64_t copied_row(const ConvShape& s) {
  return needs_planes(s) ? s.width * (s.channels / s.groups) * s.filters : seen_width(s) * s.channels;
}

PYNN_INLINE int64_t image_size(const ConvShape& s) { return s.height * s.width * s.channels; }
PYNN_INLINE int64_t out_size(const ConvShape& s) { return s.out_height * s.out_width * s.filters; }
PYNN_INLINE int64_t kernel_size(const ConvShape& s) {
  return s.kernel_height * s.kernel_width * (s.channels / s.groups) * s.filters;
}

// Of a layer's result for one image.
template <typename T>
PYNN_INLINE int64_t result_size(const ConvLayer<T>& layer) {
  return layer.pooled ? layer.pool.out_height * layer.pool.out_width * layer.pool.channels : out_size(layer.shape);
}

// Output rows whose input rows are copied together.
PYNN_INLINE int64_t band_rows(const ConvShape& s) {
  return larger(1, smaller(s.out_height, kBand / larger(1, s.stride_y * copied_row(s))));
}

// Elements of the copy of what so many output rows see; none where the rows are used as they lie.
PYNN_INLINE int64_t band_elements(const ConvShape& s, int64_t out_rows) {
  const int64_t rows = (out_rows - 1) * s.stride_y + (s.kernel_height - 1) * s.dilation_y + 1;
  return fits(s) ? 0 : smaller(rows, s.height) * copied_row(s);
}

template <typename T>
PYNN_INLINE bool is_layer(const ConvLayer<T>& layer) {
  const ConvShape& s = layer.shape;
  const PoolShape& p = layer.pool;
  return s.height > 0 && s.width > 0 && s.channels > 0 && s.filters > 0 && s.out_height > 0 && s.out_width > 0 &&
         s.kernel_height > 0 && s.kernel_width > 0 && s.stride_y > 0 && s.stride_x > 0 && s.dilation_y > 0 &&
         s.dilation_x > 0 && s.groups > 0 && s.channels % s.groups == 0 && s.filters % s.groups == 0 &&
         layer.kernel != nullptr &&
         (!layer.pooled ||
          (p.height == s.out_height && p.width == s.out_width && p.channels == s.filters && p.top == 0 && p.left == 0 &&
           p.stride_y >= p.window_height && p.stride_x >= p.window_width));
}

// Copies `rows` rows of `length` elements, from and to rows so far apart.
template <typename T>
PYNN_INLINE void copy_rows(T* to, int64_t to_stride, const T* from, int64_t from_stride, int64_t rows, int64_t length) {
  for (int64_t i = 0; i < rows; ++i)
    memcpy(to + i * to_stride, from + i * from_stride, static_cast<size_t>(length) * sizeof(T));
}

}  // namespace

// to (pixels, inner, filters): a plane for each channel of a group, which has it for each filter (small_groups.cpp).
void make_planes(float* to, const float* x, int64_t pixels, const ConvShape& s);
void make_planes(double* to, const double* x, int64_t pixels, const ConvShape& s);

namespace {

// What the output rows see of the image x.
template <typename T>
PYNN_INLINE Rows<T> rows_for(const ConvShape& s, const T* x, Range out_rows, T* copy) {
  if (fits(s)) return {x, 0, s.width * s.channels};
  const int64_t first = larger(0, out_rows.begin * s.stride_y - s.top);
  const int64_t last = (out_rows.end - 1) * s.stride_y - s.top + (s.kernel_height - 1) * s.dilation_y;
  const int64_t rows = larger(0, smaller(s.height, last + 1) - first), stride = copied_row(s);
  if (needs_planes(s)) {
    make_planes(copy, x + first * s.width * s.channels, rows * s.width, s);
    return {copy, first, stride};
  }
  const int64_t before = s.left * s.channels;
  const int64_t length = smaller(s.width * s.channels, stride - before), after = before + length;
  for (int64_t i = 0; i < rows; ++i) {
    T* to = copy + i * stride;
    memset(to, 0, static_cast<size_t>(before) * sizeof(T));
    memcpy(to + before, x + (first + i) * s.width * s.channels, static_cast<size_t>(length) * sizeof(T));
    memset(to + after, 0, static_cast<size_t>(stride - after) * sizeof(T));
  }
  return {copy, first, stride};
}

}  // namespace

// Cuts memory into pieces, each of which begins where a vector may: scratch of a kernel, or where there is none (null)
// its size.
template <typename T>
class Scratch {
 public:
  PYNN_INLINE_SPECIAL explicit Scratch(T* memory) : memory_(memory) {}
  template <typename U>
  PYNN_INLINE_SPECIAL U* take(int64_t count) {
    const int64_t at = used_;
    used_ +=
        (count * static_cast<int64_t>(sizeof(U)) + kPiece - 1) / kPiece * (kPiece / static_cast<int64_t>(sizeof(T)));
    return memory_ == nullptr ? nullptr : reinterpret_cast<U*>(memory_ + at);
  }
  PYNN_INLINE_SPECIAL int64_t used() const { return used_; }  // elements

 private:
  static constexpr int64_t kPiece = 64;  // bytes
  T* memory_;
  int64_t used_ = 0;
};

// ---- small_groups.cpp: the filters side by side, kernel (kernel_height, kernel_width, inner, filters)

// Strips of `space` below: rows of what is seen, and pieces of columns.
PYNN_INLINE int64_t small_groups_space(const ConvShape& s) {
  return s.kernel_height * (s.channels / s.groups) + 3 * s.kernel_width;
}

// What convolve_row (with bias, where it is not null), input_rows and add_kernel_rows do, without turning the kernel.
// planes: of a row of the input, where it needs them. kernel_rows: whole rows of a kernel with all their channels.
void small_groups_row(float* y, const Rows<float>& x, const float* kernel, const float* bias, const ConvShape& s,
                      int64_t out_row, int64_t width, Strip* space);
void small_groups_row(double* y, const Rows<double>& x, const double* kernel, const double* bias, const ConvShape& s,
                      int64_t out_row, int64_t width, Strip* space);
void small_groups_input_row(float* dx, const float* dy, const float* kernel, const ConvShape& s, int64_t row,
                            float* planes, Strip* space);
void small_groups_input_row(double* dx, const double* dy, const double* kernel, const ConvShape& s, int64_t row,
                            double* planes, Strip* space);
void add_small_groups_rows(float* sum, const Rows<float>& x, const float* dy, const ConvShape& s, Range out_rows,
                           Range kernel_rows, Strip* space);
void add_small_groups_rows(double* sum, const Rows<double>& x, const double* dy, const ConvShape& s, Range out_rows,
                           Range kernel_rows, Strip* space);

}  // namespace PYNN_ISA
}  // namespace pynn
