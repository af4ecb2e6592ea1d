// Functions of each element and of a number that is learned for its column.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// x, y (rows, columns).
template <typename T>
struct ColumnKernels {
  // y = x + bias, for bias (columns). y may be x.
  void (*bias_forward)(const Team& team, T* y, const T* x, const T* bias, int64_t rows, int64_t columns);
  // dbias = the sum of dy's rows. Has a barrier inside. shared: learned_sums(rows, columns) elements of the team.
  void (*bias_backward)(const Team& team, T* dbias, const T* dy, int64_t rows, int64_t columns, bool accumulate,
                        T* shared);

  // y = x where x > 0, otherwise slope x, for slope (columns). y may be x.
  void (*prelu_forward)(const Team& team, T* y, const T* x, const T* slope, int64_t rows, int64_t columns);
  // Each of dx and dslope may be null; where x is 0, so is dx. dx may be dy. Has barriers inside. shared: as above.
  void (*prelu_backward)(const Team& team, T* dx, T* dslope, const T* dy, const T* x, const T* slope, int64_t rows,
                         int64_t columns, bool accumulate, T* shared);

  int64_t (*learned_sums)(int64_t rows, int64_t columns);
};

}  // namespace pynn
