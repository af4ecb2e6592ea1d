#include "../runtime/blas.h"
#include "register.h"
#include "tile.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// The result is cut into tasks of a fixed shape, whatever the size of the team: how BLAS adds up depends on the shape.
constexpr int64_t kBlasRows = 128, kBlasColumns = 256;
constexpr int64_t kRows = 64;

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
void gemm(const Team& team, T* c, const T* a, const T* b, int64_t m, int64_t n, int64_t k, bool transpose_a,
          bool transpose_b, bool accumulate, T* scratch) {
  if (large_product(m, n, k)) {
    gemm_blas(team, c, a, b, m, n, k, transpose_a, transpose_b, accumulate);
    return;
  }
  const int64_t width = panel_width(T{});
  const Range tasks = team.share(pieces(m, kRows) * pieces(n, width));
  int64_t packed = -1;
  for (int64_t task = tasks.begin; task < tasks.end; ++task) {
    const Block block = block_of(task, m, n, kRows, width);
    const int64_t i = block.rows.begin, j = block.columns.begin, columns = block.columns.end - j;
    if (transpose_b && packed != j) {
      transpose_block(columns, k, b + j * k, k, scratch, columns);
      packed = j;
    }
    multiply_block(block.rows.end - i, columns, k, transpose_a ? a + i : a + i * k, transpose_a ? 1 : k,
                   transpose_a ? m : 1, transpose_b ? scratch : b + j, transpose_b ? columns : n, accumulate,
                   c + i * n + j, n);
    team.poll();
  }
}

template <typename T>
int64_t gemm_scratch(int64_t n, int64_t k) {
  const int64_t width = panel_width(T{});
  return k * (n < width ? n : width);
}

template <typename T>
void fill(Kernels<T>& k) {
  k.gemm = gemm<T>;
  k.gemm_scratch = gemm_scratch<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(gemm)

}  // namespace PYNN_ISA
}  // namespace pynn
