#include <string.h>

#include "../runtime/blas.h"
#include "register.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// The own kernel sums up kDepth terms at a time: a panel of so many rows of b stays in a near cache.
constexpr int64_t kRows = 256, kDepth = 256;

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

bool gemm_packs(int64_t m, int64_t n, bool transpose_b) { return transpose_b || pays_to_pack(m, n); }

template <typename T>
void gemm(const Team& team, T* c, const T* a, const T* b, int64_t m, int64_t n, int64_t k, bool transpose_a,
          bool transpose_b, bool accumulate, T* scratch) {
  if (large_product(m, n, k)) {
    gemm_blas(team, c, a, b, m, n, k, transpose_a, transpose_b, accumulate);
    return;
  }
  const int64_t width = panel_width(T{});
  const int64_t rows = m == 0 || m >= kRows * team.size ? kRows : (m + team.size - 1) / team.size;
  const bool pack = gemm_packs(m, n, transpose_b);
  T* const copy = scratch + kDepth * width;
  const Range tasks = team.share(pieces(m, rows) * pieces(n, width));
  for (int64_t p = 0; p < k || p == 0; p += kDepth) {
    const int64_t depth = k - p < kDepth ? k - p : kDepth;
    int64_t packed = -1;
    for (int64_t task = tasks.begin; task < tasks.end; ++task) {
      const Block block = block_of(task, m, n, rows, width);
      const int64_t i = block.rows.begin, j = block.columns.begin;
      const int64_t height = block.rows.end - i, columns = block.columns.end - j;
      Product<T> block_product =
          product<T>(height, columns, depth, transpose_a ? a + i + p * m : a + i * k + p, transpose_a ? 1 : k,
                     transpose_a ? m : 1, b + p * n + j, n, accumulate || p > 0, c + i * n + j, n);
      if (pack && packed != j) {
        pack_block(depth, columns, transpose_b ? b + j * k + p : b + p * n + j, transpose_b ? 1 : n,
                   transpose_b ? k : 1, {0, columns}, scratch);
        packed = j;
      }
      if (pack) {
        block_product.b = scratch;
        block_product.ldb = columns;
      }
      if (pack && transpose_a) {  // columns that lie a power of two apart would push each other out of the cache
        for (int64_t q = 0; q < depth; ++q)
          memcpy(copy + q * height, a + i + (p + q) * m, static_cast<size_t>(height) * sizeof(T));
        block_product.a = copy;
        block_product.a_column = height;
      }
      multiply_block(block_product);
      team.poll();
    }
  }
}

template <typename T>
int64_t gemm_scratch() {
  return kDepth * (panel_width(T{}) + kRows);
}

template <typename T>
void fill(Kernels<T>& k) {
  k.gemm = gemm<T>;
  k.gemm_packs = gemm_packs;
  k.gemm_scratch = gemm_scratch<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(gemm)

}  // namespace PYNN_ISA
}  // namespace pynn
