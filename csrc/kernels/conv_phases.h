// Transposed convolutions to few channels: each element is one sum, where input_rows would add up a few columns in
// memory. In terms of the convolution that is transposed: x has its filters, and y its channels.
#pragma once

#include "conv_common.h"

namespace pynn {
namespace PYNN_ISA {

template <typename T>
struct PhaseSpace {
  Strip *of_row, *strips;  // of a row of the kernel, and of all
  T* padded;               // rows of x with zeros at their ends
  T* pixels;               // those of a row of y that see the same columns of the kernel
};

// Whether this is the faster way.
bool pays_by_phases(float, const ConvShape& s);
bool pays_by_phases(double, const ConvShape& s);

// For so many rows of y together.
PhaseSpace<float> phase_space(const ConvShape& s, int64_t rows, Scratch<float>& scratch);
PhaseSpace<double> phase_space(const ConvShape& s, int64_t rows, Scratch<double>& scratch);

// kernel (kernel_height, kernel_width, channels, filters) to (channels, kernel_height, kernel_width, filters).
void turn_by_channels(const Team& team, float* out, const float* kernel, const ConvShape& s);
void turn_by_channels(const Team& team, double* out, const double* kernel, const ConvShape& s);

// y = these rows of the transposed convolution of an image x. bias (channels): or null.
void rows_by_phases(float* y, const float* x, const float* turned, const float* bias, const ConvShape& s, Range rows,
                    const PhaseSpace<float>& space);
void rows_by_phases(double* y, const double* x, const double* turned, const double* bias, const ConvShape& s,
                    Range rows, const PhaseSpace<double>& space);

}  // namespace PYNN_ISA
}  // namespace pynn
