// What the gradients of a convolution are made of: pieces for one image, or a row of it.
#pragma once

#include "conv_common.h"

namespace pynn {
namespace PYNN_ISA {

// ---- conv_input.cpp: the gradient of the input

// Elements of a small kernel; a larger one is used in panels, and its gradient made row by row.
constexpr int64_t kSmallKernel = 262144;

template <typename T>
struct RowSpace {
  Strip* strips;
  T* rows;  // of the input as wide as the output sees them, or planes of one of them
};

RowSpace<float> row_space(const ConvShape& s, Scratch<float>& scratch);
RowSpace<double> row_space(const ConvShape& s, Scratch<double>& scratch);

// kernel (kernel_height, kernel_width, inner, filters) to (groups, kernel_height, outer, kernel_width, inner), so that
// what an output pixel hands back to an input row is a strip of a product too; a large kernel to panels of its columns
// (kernel_width, inner), each (kernel_height, outer, columns). With small groups it stays as it is.
void turn_kernel(const Team& team, float* out, const float* kernel, const ConvShape& s);
void turn_kernel(const Team& team, double* out, const double* kernel, const ConvShape& s);

// Rows of the input whose gradient is made together, at most.
int64_t input_rows_together(const ConvShape& s);

// dx = these rows of the gradient of an image of the input, given that of the image of the output. ahead: or null.
void input_rows(float* dx, const float* dy, const float* turned, const ConvShape& s, Range rows, Ahead* ahead,
                const RowSpace<float>& space);
void input_rows(double* dx, const double* dy, const double* turned, const ConvShape& s, Range rows, Ahead* ahead,
                const RowSpace<double>& space);

// Calls body(image, rows) for this member's share of the rows of the input.
template <typename Body>
PYNN_INLINE void for_input_rows(const Team& team, int64_t images, const ConvShape& s, Body body) {
  const Range mine = team.share(images * s.height);
  for (int64_t at = mine.begin, end; at < mine.end; at = end) {
    team.poll();
    const int64_t image = at / s.height, first = at - image * s.height;
    end = smaller(smaller(at + input_rows_together(s), (image + 1) * s.height), mine.end);
    body(image, Range{first, first + end - at});
  }
}

// ---- conv_entries.cpp: gradients that are mostly zeros

// What is not 0 of the gradient of an image of the output: by pixels, and by filters.
template <typename T>
struct Entries {
  int32_t* pixel_begin;  // (pixels + 1): where those of a pixel begin
  int32_t* filter;       // by pixels
  T* value;
  typename Simd<T>::integer* filter_end;  // (filters): where those of a filter end
  int32_t* offset;                        // by filters: where what the pixel saw begins
  T* factor;                              // by filters: the value
};

Entries<float> entries_in(const ConvShape& s, Scratch<float>& scratch);
Entries<double> entries_in(const ConvShape& s, Scratch<double>& scratch);

// Finds the entries of the gradient g; false if they are so many that passing over zeros does not pay.
bool find_entries(const Entries<float>& e, const float* g, const ConvShape& s);
bool find_entries(const Entries<double>& e, const double* g, const ConvShape& s);

// Elements of an image of the input as the output sees it, padding included; 0 where it is used as it lies.
int64_t frame_size(const ConvShape& s);

// The gradient of an image of the input from the entries. padded: frame_size(s) elements, here and below.
void input_from_entries(float* dx, const Entries<float>& e, const float* turned, const ConvShape& s, float* padded);
void input_from_entries(double* dx, const Entries<double>& e, const double* turned, const ConvShape& s, double* padded);

// sum += the gradient of the kernel for one image, turned as by turn_kernel, from the entries.
void add_kernel_from_entries(float* sum, const float* x, const Entries<float>& e, const ConvShape& s, float* padded);
void add_kernel_from_entries(double* sum, const double* x, const Entries<double>& e, const ConvShape& s,
                             double* padded);

}  // namespace PYNN_ISA
}  // namespace pynn
