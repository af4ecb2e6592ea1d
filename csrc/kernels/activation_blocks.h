// Activations of blocks: what products end in.
#pragma once

#include <stdint.h>

#include "activation_spec.h"

namespace pynn {
namespace PYNN_ISA {

// y = f(y), for rows `ld` apart.
void activate_block(float* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec);
void activate_block(double* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec);

// dy *= f'(x), given y = f(x), for the activations of which gradient_from_output is true.
void slope_block(float* dy, const float* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec);
void slope_block(double* dy, const double* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec);

}  // namespace PYNN_ISA
}  // namespace pynn
