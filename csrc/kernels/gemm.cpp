#include "gemm.h"

#include "../runtime/blas.h"
#include "checks.h"
#include "register.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// The own kernel sums up kDepth terms at a time: a panel of so many rows of b stays in a near cache. Where both
// operands are packed, a copied block of a stays in the second cache, and meets kColumns columns of b.
constexpr int64_t kRows = 256, kDepth = 256, kColumns = 512;

struct Block {
  Range rows, columns;
};

int64_t pieces(int64_t n, int64_t size) { return (n + size - 1) / size; }

// Task number `task` of those that cut (m, n) into blocks, all rows of a column of blocks first.
Block block_of(int64_t task, int64_t m, int64_t n, int64_t rows, int64_t columns) {
  const int64_t i = task % pieces(m, rows) * rows, j = task / pieces(m, rows) * columns;
  return {{i, i + rows < m ? i + rows : m}, {j, j + columns < n ? j + columns : n}};
}

template <typename T>
void gemm_blas(const Team& team, T* c, const T* a, const T* b, int64_t m, int64_t n, int64_t k, bool transpose_a,
               bool transpose_b, bool accumulate) {
  const Range tasks = team.share(pieces(m, kBlasRows) * pieces(n, kBlasColumns));
  for (int64_t task = tasks.begin; task < tasks.end; ++task) {
    const Block block = block_of(task, m, n, kBlasRows, kBlasColumns);
    const int64_t i = block.rows.begin, j = block.columns.begin;
    blas::gemm(transpose_a, transpose_b, block.rows.end - i, block.columns.end - j, k, transpose_a ? a + i : a + i * k,
               transpose_a ? m : k, transpose_b ? b + j * k : b + j, transpose_b ? k : n, accumulate, c + i * n + j, n);
    team.poll();
  }
}

template <typename T>
int64_t gemm_scratch(int64_t m, int64_t n, bool transpose_b) {
  return pays_to_pack(m, n) ? kDepth * (kColumns + kRows) : transpose_b ? kDepth * panel_width(T{}) : 0;
}

template <typename T>
void gemm(const Team& team, T* c, const T* a, const T* b, int64_t m, int64_t n, int64_t k, bool transpose_a,
          bool transpose_b, bool accumulate, T* scratch) {
  assert(is_member(team) && has(a, m * k) && has(b, k * n) && has(c, m * n) && m >= 0 && n >= 0 && k >= 0);
  assert(apart(c, m * n, a, m * k) && apart(c, m * n, b, k * n));
  assert(scratch != nullptr || gemm_scratch<T>(m, n, transpose_b) == 0);
  if (large_product(m, n, k)) {
    gemm_blas(team, c, a, b, m, n, k, transpose_a, transpose_b, accumulate);
    return;
  }
  const bool pack_a = pays_to_pack(m, n), pack = pack_a || transpose_b;
  const int64_t width = pack_a ? kColumns : panel_width(T{});
  const int64_t rows = m == 0 || m >= kRows * team.size ? kRows : (m + team.size - 1) / team.size;
  T* const copy_of_a = scratch + kDepth * width;
  const Range tasks = team.share(pieces(m, rows) * pieces(n, width));
  for (int64_t p = 0; p < k || p == 0; p += kDepth) {
    const int64_t depth = k - p < kDepth ? k - p : kDepth;
    int64_t packed = -1;
    for (int64_t task = tasks.begin; task < tasks.end; ++task) {
      const Block block = block_of(task, m, n, rows, width);
      const int64_t i = block.rows.begin, j = block.columns.begin;
      Product<T> block_product =
          product<T>(block.rows.end - i, block.columns.end - j, depth, transpose_a ? a + i + p * m : a + i * k + p,
                     transpose_a ? 1 : k, transpose_a ? m : 1, b + p * n + j, n, accumulate || p > 0, c + i * n + j, n);
      if (pack) {
        if (packed != j)
          pack_block(depth, block_product.n, transpose_b ? b + j * k + p : b + p * n + j, transpose_b ? 1 : n,
                     transpose_b ? k : 1, {0, block_product.n}, scratch);
        packed = j;
        block_product.b = scratch;
        if (pack_a) copy_a(block_product, copy_of_a);
        multiply_packed(block_product);
      } else {
        multiply_block(block_product);
      }
      team.poll();
    }
  }
}

template <typename T>
void fill(GemmKernels<T>& k) {
  k.gemm = gemm<T>;
  k.gemm_scratch = gemm_scratch<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(gemm, GemmKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
