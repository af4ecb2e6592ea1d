// Which elements of a matrix are not 0: samples are mostly zeros, and products pass over them.
#pragma once

#include <stdint.h>

namespace pynn {

// Which elements of a matrix (rows, columns) are not 0, a bit each; null where that is not known. Bits of columns that
// the matrix does not have are 0, before a kernel writes the others too.
struct Nonzero {
  uint32_t* by_row;     // bit j % 32 of word j / 32 * stride + i tells of row i and column j
  uint32_t* by_column;  // bit i % 32 of word i / 32 * columns + j does as well
  int64_t stride;       // at least the number of rows
};

}  // namespace pynn
