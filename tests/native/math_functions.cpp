// Compiled once for each instruction set, so the rules of csrc/kernels/kernels.h hold: C headers only, nothing inline.
#include "math_functions.h"

#include "../../csrc/kernels/math.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T, typename Function>
PYNN_INLINE void for_all(T* y, const T* x, int64_t n, Function function) {
  for_vectors<T>(0, n, [&](int64_t i, int64_t count) { store(y + i, function(load(x + i, count)), count); });
}

template <typename T>
void fill(MathFunctions<T>& functions) {
  functions.exp = [](T* y, const T* x, int64_t n) { for_all(y, x, n, [](Vec<T> v) { return exp<T>(v); }); };
  functions.tanh = [](T* y, const T* x, int64_t n) { for_all(y, x, n, [](Vec<T> v) { return tanh<T>(v); }); };
  functions.sigmoid = [](T* y, const T* x, int64_t n) { for_all(y, x, n, [](Vec<T> v) { return sigmoid<T>(v); }); };
  functions.log = [](T* y, const T* x, int64_t n) { for_all(y, x, n, [](Vec<T> v) { return log<T>(v); }); };
}

}  // namespace

void math_functions(MathFunctions<float>& functions) { fill(functions); }
void math_functions(MathFunctions<double>& functions) { fill(functions); }

}  // namespace PYNN_ISA
}  // namespace pynn
