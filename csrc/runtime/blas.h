// The BLAS library: the only door to it, and always one thread inside.
#pragma once

#include <stdint.h>

namespace pynn {
namespace blas {

// c (m, n) = op(a) op(b) [+ c], all row-major with leading dimensions lda, ldb, ldc; op(a) (m, k), op(b) (k, n).
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
          const float* b, int64_t ldb, bool accumulate, float* c, int64_t ldc);
void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double* a, int64_t lda,
          const double* b, int64_t ldb, bool accumulate, double* c, int64_t ldc);

// Makes sure that the library uses one thread, whatever set it to more since (threadpoolctl may). Before each region.
void keep_serial();

const char* name();

}  // namespace blas
}  // namespace pynn
