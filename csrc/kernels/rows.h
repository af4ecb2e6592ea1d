// Rows of samples on their way into the network.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"
#include "nonzero.h"

namespace pynn {

// What becomes of numbers on their way into the network: (x - mean) * scale + offset.
template <typename T>
struct InputScaling {
  const T *scale, *offset;  // of each column or, for all, one; null: x as it is
  bool each_column;
  const T* mean = nullptr;  // as many; null: 0
};

template <typename T>
struct RowKernels {
  // out (rows, columns) = the rows order[0..rows-1] of x, or the first rows where order is null, scaled; bytes are
  // converted. nonzero, where not null, becomes that of out. In `order`, next_rows more rows follow, of which some are
  // asked for in passing, so that the next gather finds them in the caches.
  void (*gather)(const Team& team, T* out, const Nonzero& nonzero, const T* x, const int64_t* order, int64_t rows,
                 int64_t next_rows, int64_t columns, const InputScaling<T>& scaling);
  void (*gather_bytes)(const Team& team, T* out, const Nonzero& nonzero, const uint8_t* x, const int64_t* order,
                       int64_t rows, int64_t next_rows, int64_t columns, const InputScaling<T>& scaling);

  // nonzero = that of x (rows, columns).
  void (*find_nonzero)(const Team& team, const Nonzero& nonzero, const T* x, int64_t rows, int64_t columns);

  // The index of the first NaN or infinity of x[begin..end-1], or -1.
  int64_t (*first_non_finite)(const T* x, Range part);
};

}  // namespace pynn
