// Shapes of windows, as lists of numbers in the order of the struct's members.
#pragma once

#include <vector>

#include "../kernels/kernels.h"

namespace pynn {

using Numbers = std::vector<int64_t>;

ConvShape conv_shape(const Numbers& numbers);
PoolShape pool_shape(const Numbers& numbers);

}  // namespace pynn
