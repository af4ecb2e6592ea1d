// What csrc/runtime/blas.cpp has from a library, as plain loops: there may be no BLAS for the processor.
#include "../../csrc/runtime/blas.h"

namespace pynn {
namespace blas {
namespace {

template <typename T>
void plain_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const T* a, int64_t lda,
                const T* b, int64_t ldb, bool accumulate, T* c, int64_t ldc) {
  for (int64_t i = 0; i < m; ++i) {
    if (!accumulate)
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = 0;
    for (int64_t p = 0; p < k; ++p) {
      const T factor = transpose_a ? a[p * lda + i] : a[i * lda + p];
      for (int64_t j = 0; j < n; ++j) c[i * ldc + j] += factor * (transpose_b ? b[j * ldb + p] : b[p * ldb + j]);
    }
  }
}

}  // namespace

void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
          const float* b, int64_t ldb, bool accumulate, float* c, int64_t ldc) {
  plain_gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc);
}

void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double* a, int64_t lda,
          const double* b, int64_t ldb, bool accumulate, double* c, int64_t ldc) {
  plain_gemm(transpose_a, transpose_b, m, n, k, a, lda, b, ldb, accumulate, c, ldc);
}

void keep_serial() {}

const char* name() { return "plain loops"; }

}  // namespace blas
}  // namespace pynn
