// Products of matrices.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {

template <typename T>
struct GemmKernels {
  // c (m, n) = op(a) op(b) [+ c]. op(a) (m, k), op(b) (k, n). scratch: gemm_scratch elements of this member's own.
  void (*gemm)(const Team& team, T* c, const T* a, const T* b, int64_t m, int64_t n, int64_t k, bool transpose_a,
               bool transpose_b, bool accumulate, T* scratch);
  int64_t (*gemm_scratch)(int64_t m, int64_t n, bool transpose_b);
};

}  // namespace pynn
