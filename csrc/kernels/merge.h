// Functions of two tensors, element by element, and tensors side by side.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "enumeration.h"

namespace pynn {

#define PYNN_BINARIES(X) \
  X(add)                 \
  X(subtract)            \
  X(multiply)            \
  X(divide)              \
  X(power)               \
  X(maximum)             \
  X(minimum)             \
  X(floor_divide)        \
  X(remainder)           \
  X(less)                \
  X(less_equal)          \
  X(not_equal)
PYNN_ENUMERATION(Binary, PYNN_BINARIES)

// An axis of y = f(a, b): its size, and how far its elements lie apart in a and in b; 0 where the operand has one
// element, which is repeated.
struct BroadcastAxis {
  int64_t size, a, b;
};

// The axes of y, from the outermost one. The size of the first is that of one sample, and counts once for each sample.
// In the last one the elements of an operand lie 1 apart, or it is repeated. An operand that is repeated along all axes
// is a constant, and has no gradient.
struct Broadcast {
  int64_t count;  // at least 1
  const BroadcastAxis* axes;
};

template <typename T>
struct MergeKernels {
  // y = f(a, b). y may be an operand that is not repeated.
  void (*binary_forward)(const Team& team, T* y, const T* a, const T* b, Binary function, int64_t samples,
                         const Broadcast& shape);
  // da = dy df/da, db = dy df/db, summed up over the axes along which the operand is repeated. Either may be null.
  // Where a = b, maximum and minimum give half of dy to each. df/db of a power is 0 where a <= 0. Comparisons, which
  // are 1 or 0, and floor_divide have slopes of 0.
  void (*binary_backward)(const Team& team, T* da, T* db, const T* dy, const T* a, const T* b, const T* y,
                          Binary function, int64_t samples, const Broadcast& shape);

  // y (rows, columns) = x, where the rows lie ldy and ldx apart. Where ldx is 0, x is one row, which is repeated.
  void (*copy_columns)(const Team& team, T* y, const T* x, int64_t rows, int64_t columns, int64_t ldy, int64_t ldx);
};

}  // namespace pynn
