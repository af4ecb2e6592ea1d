#include "tile.h"

#include "simd.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Vector registers: 32 with AVX-512 and on Arm, else 16. A tile of MR rows by NV vectors keeps MR * NV accumulators and
// NV vectors of b in them; it wants at least 8 to 10 accumulators, to hide the latency of the multiply-add.
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kMaxVectors = 4;
constexpr int kMaxRows[kMaxVectors + 1] = {0, 14, 12, 8, 6};
constexpr int kFewRows = 3;
#else
constexpr int kMaxVectors = 2;
constexpr int kFewRows = 1;
#if defined(__FMA__)
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6};
#else
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 4};  // the product needs a register before it is added
#endif
#endif

// A product of so few rows takes wider tiles, to have accumulators enough.
constexpr int kWideVectors = 8;

// One step of the sum: accumulators += (a column of a) * (a row of b).
template <typename T, int MR, int NV>
PYNN_INLINE void multiply_add(Vec<T> (&sum)[MR][NV], const T* a, int64_t a_row, const T* b) {
  Vec<T> row[NV];
#pragma GCC unroll 8
  for (int j = 0; j < NV; ++j) row[j] = load(b + j * kWidth<T>);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const Vec<T> factor = splat(a[i * a_row]);
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) sum[i][j] += factor * row[j];
  }
}

// A tile of MR rows and `columns` columns, more than (NV - 1) vectors and at most NV.
template <typename T, int MR, int NV>
void multiply_tile(int64_t columns, int64_t k, const T* a, int64_t a_row, int64_t a_column, const T* b, int64_t ldb,
                   bool accumulate, T* c, int64_t ldc) {
  constexpr int64_t whole = NV * kWidth<T>;
  Vec<T> sum[MR][NV] = {};
  // Vectors may read past the end of a row into the next ones, whose lanes are not stored, but not past the end of b.
  const int64_t over = whole - columns;
  int64_t safe = k;
  if (over > 0) safe = k - (over + ldb - 1) / ldb;
  int64_t p = 0;
  for (; p < safe; ++p) {
    multiply_add<T, MR, NV>(sum, a, a_row, b);
    a += a_column;
    b += ldb;
  }
  for (; p < k; ++p) {
    T row[whole] = {};
    memcpy(row, b, static_cast<size_t>(columns) * sizeof(T));
    multiply_add<T, MR, NV>(sum, a, a_row, row);
    a += a_column;
    b += ldb;
  }
  const int64_t last = columns - (NV - 1) * kWidth<T>;
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) {
      T* at = c + i * ldc + j * kWidth<T>;
      const int64_t count = j < NV - 1 ? kWidth<T> : last;
      store(at, accumulate ? sum[i][j] + load(at, count) : sum[i][j], count);
    }
  }
}

// `rows` rows of c, at most MR.
template <typename T, int NV, int MR>
PYNN_INLINE void multiply_rows(int64_t rows, int64_t columns, int64_t k, const T* a, int64_t a_row, int64_t a_column,
                               const T* b, int64_t ldb, bool accumulate, T* c, int64_t ldc) {
  if (rows == MR) {
    multiply_tile<T, MR, NV>(columns, k, a, a_row, a_column, b, ldb, accumulate, c, ldc);
  } else if constexpr (MR > 1) {
    multiply_rows<T, NV, MR - 1>(rows, columns, k, a, a_row, a_column, b, ldb, accumulate, c, ldc);
  }
}

// m rows of c in tiles of nearly equal height: a last tile of one or two rows would wait for its own additions.
template <typename T, int NV>
void multiply_panel(int64_t m, int64_t columns, int64_t k, const T* a, int64_t a_row, int64_t a_column, const T* b,
                    int64_t ldb, bool accumulate, T* c, int64_t ldc) {
  const int64_t tiles = (m + kMaxRows[NV] - 1) / kMaxRows[NV];
  for (int64_t t = 0; t < tiles; ++t) {
    const int64_t begin = m * t / tiles, end = m * (t + 1) / tiles;
    multiply_rows<T, NV, kMaxRows[NV]>(end - begin, columns, k, a + begin * a_row, a_row, a_column, b, ldb, accumulate,
                                       c + begin * ldc, ldc);
  }
}

template <typename T>
void multiply(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_column, const T* b, int64_t ldb,
              bool accumulate, T* c, int64_t ldc) {
  if (k == 0 && accumulate) return;
  int64_t j = 0;
  if (m <= kFewRows) {
    constexpr int64_t wide = kWideVectors * kWidth<T>;
    for (; j + wide <= n; j += wide)
      multiply_rows<T, kWideVectors, kFewRows>(m, wide, k, a, a_row, a_column, b + j, ldb, accumulate, c + j, ldc);
  }
  while (j < n) {
    const int64_t vectors = (n - j + kWidth<T> - 1) / kWidth<T>;
    const int64_t nv = vectors < kMaxVectors ? vectors : kMaxVectors;
    const int64_t columns = n - j < nv * kWidth<T> ? n - j : nv * kWidth<T>;
    const auto panel = [&](auto multiply_panel_nv) {
      multiply_panel_nv(m, columns, k, a, a_row, a_column, b + j, ldb, accumulate, c + j, ldc);
    };
    if (nv == 1) panel(multiply_panel<T, 1>);
    if (nv == 2) panel(multiply_panel<T, 2>);
    if constexpr (kMaxVectors > 2) {
      if (nv == 3) panel(multiply_panel<T, 3>);
      if (nv == 4) panel(multiply_panel<T, 4>);
    }
    j += columns;
  }
}

template <typename T>
void transpose(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* out, int64_t ldo) {
  // Square blocks, so that the lines being written stay in the nearest cache.
  constexpr int64_t block = 16;
  for (int64_t j0 = 0; j0 < columns; j0 += block) {
    const int64_t j1 = j0 + block < columns ? j0 + block : columns;
    for (int64_t i = 0; i < rows; ++i)
      for (int64_t j = j0; j < j1; ++j) out[j * ldo + i] = x[i * ldx + j];
  }
}

}  // namespace

bool large_product(int64_t m, int64_t n, int64_t k) {
  return m >= 64 && n >= 64 && k >= 64 && m * n * k >= 128 * 512 * 512;
}

#define PYNN_DEFINE_TILE(T)                                                                                     \
  void multiply_block(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_column, const T* b, \
                      int64_t ldb, bool accumulate, T* c, int64_t ldc) {                                        \
    multiply(m, n, k, a, a_row, a_column, b, ldb, accumulate, c, ldc);                                          \
  }                                                                                                             \
  void transpose_block(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* out, int64_t ldo) {           \
    transpose(rows, columns, x, ldx, out, ldo);                                                                 \
  }                                                                                                             \
  int64_t panel_width(T) { return kMaxVectors * kWidth<T>; }
PYNN_DEFINE_TILE(float)
PYNN_DEFINE_TILE(double)

}  // namespace PYNN_ISA
}  // namespace pynn
