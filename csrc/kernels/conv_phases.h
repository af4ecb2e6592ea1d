// The gradient of the input of a convolution of few channels, and so transposed convolutions to few channels: each
// element is one sum, where it would take long to add up a few columns at a time in memory.
#pragma once

#include "conv_common.h"

namespace pynn {
namespace PYNN_ISA {

template <typename T>
struct PhaseSpace {
  Strip *of_row, *strips;  // of a row of the kernel, and of all
  T* padded;               // rows of dy with zeros at their ends
  T* pixels;               // those of a row of dx that see the same columns of the kernel
};

// Whether this is the faster way.
bool pays_by_phases(float, const ConvShape& s);
bool pays_by_phases(double, const ConvShape& s);

// For so many rows of dx together.
PhaseSpace<float> phase_space(const ConvShape& s, int64_t rows, Scratch<float>& scratch);
PhaseSpace<double> phase_space(const ConvShape& s, int64_t rows, Scratch<double>& scratch);

// kernel (kernel_height, kernel_width, channels, filters) to (channels, kernel_height, kernel_width, filters).
void turn_by_channels(const Team& team, float* out, const float* kernel, const ConvShape& s);
void turn_by_channels(const Team& team, double* out, const double* kernel, const ConvShape& s);

// dx = these rows of the gradient of an image of the input, given that of the image of the output. ahead: or null.
void rows_by_phases(float* dx, const float* dy, const float* turned, const ConvShape& s, Range rows, Ahead* ahead,
                    const PhaseSpace<float>& space);
void rows_by_phases(double* dx, const double* dy, const double* turned, const ConvShape& s, Range rows, Ahead* ahead,
                    const PhaseSpace<double>& space);

}  // namespace PYNN_ISA
}  // namespace pynn
