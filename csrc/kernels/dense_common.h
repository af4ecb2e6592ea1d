// What the two directions of a dense layer have in common.
#pragma once

#include "checks.h"
#include "dense.h"
#include "simd.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Rows of the batch that go through together.
constexpr int64_t kRows = 256, kRowsOfAShare = 64;

// Inputs of a part of the backward pass: few enough for its gradients to be in the nearest cache when the optimizer
// comes for them, and more where dy is packed, and comes from a farther cache for each part. Multiples of 32, for the
// words of Nonzero.
constexpr int64_t kPart = 32, kPackedPart = 64;

// Zeros are passed over where fewer than one element in so many is not 0. (A product of one row passes over any zero.)
constexpr int64_t kSparse = 3;

template <typename T>
PYNN_INLINE bool is_layer(const DenseLayer<T>& d) {
  return d.rows >= 0 && d.inputs > 0 && d.units > 0 && has(d.x, d.rows * d.inputs) && d.kernel != nullptr &&
         (d.nonzero.by_row == nullptr || d.nonzero.stride >= d.rows);
}

template <typename T>
PYNN_INLINE bool calls_blas(const DenseLayer<T>& d) {
  return large_product(d.rows, d.units, d.inputs);
}

// Inputs of a part that goes to BLAS.
PYNN_INLINE int64_t blas_part(int64_t inputs) { return inputs < 1024 ? 128 : 256; }

// Lets p pass over the zeros of its a if there are enough of them. nonzero: see Product.
template <typename T>
PYNN_INLINE void pass_over_zeros(Product<T>& p, const uint32_t* nonzero, int64_t row, int64_t word) {
  int64_t count = 0;
  for (int64_t w = 0; w * 32 < p.k; ++w)
    for (int64_t i = 0; i < p.m; ++i) count += __builtin_popcount(nonzero[i * row + w * word]);
  if (p.m == 1 ? count == p.k : count * kSparse >= p.m * p.k) return;
  p.nonzero = nonzero;
  p.nonzero_row = row;
  p.nonzero_word = word;
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
