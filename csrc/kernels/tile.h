// The product of small blocks: what gemm.cpp and dense.cpp are made of.
#pragma once

#include "kernels.h"

namespace pynn {
namespace PYNN_ISA {

// c (m, n) = a b [+ c] on one thread, for blocks that fit the caches. a (m, k) with any strides: a_row between its
// rows, a_column between its columns. b (k, n) and c have contiguous rows, ldb and ldc apart.
// Each element of c is one sum over k in ascending order (fused multiply-adds where the instruction set has them), so
// it does not depend on how a caller cuts m and n.
void multiply_block(int64_t m, int64_t n, int64_t k, const float* a, int64_t a_row, int64_t a_column, const float* b,
                    int64_t ldb, bool accumulate, float* c, int64_t ldc);
void multiply_block(int64_t m, int64_t n, int64_t k, const double* a, int64_t a_row, int64_t a_column, const double* b,
                    int64_t ldb, bool accumulate, double* c, int64_t ldc);

// out (columns, rows) = x^T, for x (rows, columns) with rows ldx apart, out with rows ldo apart.
void transpose_block(int64_t rows, int64_t columns, const float* x, int64_t ldx, float* out, int64_t ldo);
void transpose_block(int64_t rows, int64_t columns, const double* x, int64_t ldx, double* out, int64_t ldo);

// Whether a product goes to BLAS: where there is enough of it, the packing of BLAS pays (docs/architecture.md has the
// measurements).
bool large_product(int64_t m, int64_t n, int64_t k);

// Columns of the widest tile: what a panel of b is packed to.
int64_t panel_width(float);
int64_t panel_width(double);

}  // namespace PYNN_ISA
}  // namespace pynn
