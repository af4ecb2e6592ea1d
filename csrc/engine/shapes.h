// Checks of what the kernels are told about shapes. The Python face never gives them cause to throw.
#pragma once

#include "../kernels/kernels.h"

namespace pynn {

// Throws std::invalid_argument unless the numbers fit together.
void check_shape(const ConvShape& shape);
void check_shape(const PoolShape& shape);
void check_shape(const SparseMap<double>& map);

// Whether a convolution can take over the pooling of its result: windows that neither overlap nor reach over the top or
// the left edge, with elements that a byte can count, over images that a member may keep for itself.
bool can_pool(const ConvShape& shape, const PoolShape& pool);

// The same convolution of images with fewer and longer rows, where its kernel is a single position: longer products.
ConvShape with_longer_rows(const ConvShape& shape);

// Multiply-adds of a convolution of one image.
double work(const ConvShape& shape);

}  // namespace pynn
