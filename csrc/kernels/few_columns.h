// The product of a matrix with few columns: a tile of tile.h would leave most lanes of its vectors empty.
#pragma once

#include "tile.h"

namespace pynn {
namespace PYNN_ISA {

// Whether a product of n columns is faster as sums over vectors of its terms: k of them, in strips.
bool pays_by_terms(float, int64_t n, int64_t k, int64_t strip);
bool pays_by_terms(double, int64_t n, int64_t k, int64_t strip);

// c (m, n) = a b, as multiply_block, but each element is summed over vectors of its terms, whose lanes are added up at
// the end, in an order that depends on k and the strips alone. p.b is the transpose of b: its rows, ldb apart, are
// columns of b, and strips are offsets in them. The terms of a lie side by side, and so do the rows of c. Nothing is
// passed over, accumulated or continued.
void multiply_by_terms(const Product<float>& p);
void multiply_by_terms(const Product<double>& p);

}  // namespace PYNN_ISA
}  // namespace pynn
