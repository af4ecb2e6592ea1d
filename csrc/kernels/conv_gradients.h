// What the gradients of a convolution are made of: pieces for one image, or a row of it.
#pragma once

#include "conv.h"

namespace pynn {
namespace PYNN_ISA {

// ---- conv_input.cpp: the gradient of the input

template <typename T>
struct RowSpace {
  Strip* strips;
  T* padded;  // a row of the input as wide as the output sees it
};

template <typename T>
RowSpace<T> row_space(const ConvShape& s, Scratch<T>& scratch);

// kernel (kernel_height, kernel_width, inner, filters) to (groups, kernel_height, outer, kernel_width, inner), so that
// what an output pixel hands back to an input row is a strip of a product too.
template <typename T>
void turn_kernel(const Team& team, T* out, const T* kernel, const ConvShape& s);

// Row `row` of the gradient of an image of the input, given that of the image of the output.
template <typename T>
void input_row(T* to, const T* dy, const T* turned, const ConvShape& s, int64_t row, const RowSpace<T>& space);

// ---- conv_entries.cpp: gradients that are mostly zeros

// What is not 0 of the gradient of an image of the output: by pixels, and by filters.
template <typename T>
struct Entries {
  int32_t* begin;   // (pixels + 1): where those of a pixel begin
  int32_t* filter;  // by pixels
  T* value;
  typename Simd<T>::integer* end;  // (filters): where those of a filter end
  int32_t* offset;                 // by filters: where what the pixel saw begins
  T* factor;                       // by filters: the value
};

template <typename T>
Entries<T> entries_in(const ConvShape& s, Scratch<T>& scratch);

// Finds the entries of the gradient g; false if they are so many that passing over zeros does not pay.
template <typename T>
bool find_entries(const Entries<T>& e, const T* g, const ConvShape& s);

// Elements of an image of the input as the output sees it, padding included; 0 where it is used as it lies.
int64_t frame_size(const ConvShape& s);

// The gradient of an image of the input from the entries. padded: frame_size(s) elements, here and below.
template <typename T>
void input_from_entries(T* dx, const Entries<T>& e, const T* turned, const ConvShape& s, T* padded);

// sum += the gradient of the kernel for one image, turned as by turn_kernel, from the entries.
template <typename T>
void add_kernel_from_entries(T* sum, const T* x, const Entries<T>& e, const ConvShape& s, T* padded);

}  // namespace PYNN_ISA
}  // namespace pynn
