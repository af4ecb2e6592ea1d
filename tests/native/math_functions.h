// kernels/math.h as functions on arrays, for check_math.cpp.
#pragma once

#include <stdint.h>

namespace pynn {

template <typename T>
using MathFunction = void (*)(T* y, const T* x, int64_t n);

template <typename T>
struct MathFunctions {
  MathFunction<T> exp, tanh, sigmoid, log;
};

}  // namespace pynn
