// The axes of samples in another order.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

// An order of axes as many transpositions of matrices, the same for each sample: x (rows, columns, inner) becomes
// y (columns, rows, inner). There is one for each position along the outer axes, of which there are at most kMostOuter:
// each is longer than 1, and a sample has at most 2^57 elements.
struct AxisOrder {
  static constexpr int kMostOuter = 55;
  int64_t elements;  // of a sample
  int64_t rows, columns, inner;
  int64_t x_row, y_row;  // elements between two rows of x, and of y
  int outer;
  int64_t length[kMostOuter], x_step[kMostOuter], y_step[kMostOuter];
};

template <typename T>
struct PermuteKernels {
  // y (samples, elements), given x.
  void (*permute)(const Team& team, T* y, const T* x, int64_t samples, const AxisOrder& order);
};

}  // namespace pynn
