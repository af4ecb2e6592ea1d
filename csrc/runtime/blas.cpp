#include "blas.h"

#include <cblas.h>

#include <limits>
#include <stdexcept>
#include <string>

#define PYNN_JOIN_(a, b) a##b
#define PYNN_JOIN(a, b) PYNN_JOIN_(a, b)
#define PYNN_BLAS(function) PYNN_JOIN(PYNN_BLAS_PREFIX, function)

namespace pynn {
namespace blas {
namespace {

// BLAS takes int; a dimension beyond that is refused in the face, so this is a second line of defence.
int as_int(int64_t n) {
  if (n > std::numeric_limits<int>::max()) throw std::length_error("matrix dimension exceeds what BLAS can take");
  return static_cast<int>(n);
}

CBLAS_TRANSPOSE op(bool transpose) { return transpose ? CblasTrans : CblasNoTrans; }

}  // namespace

void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a, int64_t lda,
          const float* b, int64_t ldb, bool accumulate, float* c, int64_t ldc) {
  PYNN_BLAS(cblas_sgemm)
  (CblasRowMajor, op(transpose_a), op(transpose_b), as_int(m), as_int(n), as_int(k), 1.0f, a, as_int(lda), b,
   as_int(ldb), accumulate ? 1.0f : 0.0f, c, as_int(ldc));
}

void gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const double* a, int64_t lda,
          const double* b, int64_t ldb, bool accumulate, double* c, int64_t ldc) {
  PYNN_BLAS(cblas_dgemm)
  (CblasRowMajor, op(transpose_a), op(transpose_b), as_int(m), as_int(n), as_int(k), 1.0, a, as_int(lda), b,
   as_int(ldb), accumulate ? 1.0 : 0.0, c, as_int(ldc));
}

#if defined(PYNN_BLAS_OPENBLAS)

extern "C" {
int PYNN_BLAS(openblas_get_num_threads)(void);
void PYNN_BLAS(openblas_set_num_threads)(int);
char* PYNN_BLAS(openblas_get_config)(void);
}

void keep_serial() {
  if (PYNN_BLAS(openblas_get_num_threads)() != 1) PYNN_BLAS(openblas_set_num_threads)(1);
}

const char* name() {
  static const std::string text = PYNN_BLAS(openblas_get_config)();
  return text.c_str();
}

#else

void keep_serial() {}

const char* name() { return "system CBLAS"; }

#endif

}  // namespace blas
}  // namespace pynn
