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

// A tile of MR rows from row `i` on and `columns` columns from column `at` on, more than (NV - 1) vectors and at most
// NV. Where `Chosen`, its terms are those of p.chosen.
template <typename T, int MR, int NV, bool Chosen>
void multiply_tile(const Product<T>& p, int64_t i, int64_t at, int64_t columns) {
  constexpr int64_t whole = NV * kWidth<T>;
  const T *a = p.a + i * p.a_row, *b = p.b + at;
  const int64_t a_row = p.a_row, a_column = p.a_column, ldb = p.ldb;
  const int32_t* chosen = p.chosen;
  Vec<T> sum[MR][NV] = {};
  // Vectors may read past the end of a row into the next ones, whose lanes are not stored, but not past the end of b.
  const int64_t over = whole - columns, last_row = p.b_rows - (over > 0 ? (over + ldb - 1) / ldb : 0);
  int64_t safe = p.k, t = 0;
  if constexpr (Chosen) {
    while (safe > 0 && chosen[safe - 1] >= last_row) --safe;
    for (; t < safe; ++t) multiply_add<T, MR, NV>(sum, a + chosen[t] * a_column, a_row, b + chosen[t] * ldb);
  } else {
    if (safe > last_row) safe = last_row;
#pragma GCC unroll 2
    for (; t < safe; ++t) {
      multiply_add<T, MR, NV>(sum, a, a_row, b);
      a += a_column;
      b += ldb;
    }
    a -= t * a_column;
    b -= t * ldb;
  }
  for (; t < p.k; ++t) {
    const int64_t term = Chosen ? chosen[t] : t;
    T row[whole] = {};
    memcpy(row, b + term * ldb, static_cast<size_t>(columns) * sizeof(T));
    multiply_add<T, MR, NV>(sum, a + term * a_column, a_row, row);
  }
  const int64_t last = columns - (NV - 1) * kWidth<T>;
#pragma GCC unroll 16
  for (int row = 0; row < MR; ++row) {
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) {
      T* to = p.c + (i + row) * p.ldc + at + j * kWidth<T>;
      const int64_t count = j < NV - 1 ? kWidth<T> : last;
      // A product flushed to -0 would leave -0 where a further term of 0 would have made +0.
      const Vec<T> value = sum[row][j] + Vec<T>{};
      store(to, p.accumulate ? value + load(to, count) : value, count);
    }
  }
}

// `rows` rows, at most MR.
template <typename T, int NV, bool Chosen, int MR>
PYNN_INLINE void multiply_rows(const Product<T>& p, int64_t rows, int64_t i, int64_t at, int64_t columns) {
  if (rows == MR) {
    multiply_tile<T, MR, NV, Chosen>(p, i, at, columns);
  } else if constexpr (MR > 1) {
    multiply_rows<T, NV, Chosen, MR - 1>(p, rows, i, at, columns);
  }
}

// All rows, in tiles of nearly equal height: a last tile of one or two rows would wait for its own additions.
template <typename T, int NV, bool Chosen>
void multiply_panel(const Product<T>& p, int64_t at, int64_t columns) {
  const int64_t tiles = (p.m + kMaxRows[NV] - 1) / kMaxRows[NV];
  const int64_t height = p.m / tiles, taller = p.m % tiles;
  for (int64_t t = 0, i = 0; t < tiles; ++t) {
    const int64_t rows = height + (t < taller);
    multiply_rows<T, NV, Chosen, kMaxRows[NV]>(p, rows, i, at, columns);
    i += rows;
  }
}

template <typename T, bool Chosen>
void multiply(const Product<T>& p) {
  int64_t at = 0;
  if (p.m <= kFewRows) {
    constexpr int64_t wide = kWideVectors * kWidth<T>;
    for (; at + wide <= p.n; at += wide) multiply_rows<T, kWideVectors, Chosen, kFewRows>(p, p.m, 0, at, wide);
  }
  while (at < p.n) {
    const int64_t vectors = (p.n - at + kWidth<T> - 1) / kWidth<T>;
    const int64_t nv = vectors < kMaxVectors ? vectors : kMaxVectors;
    const int64_t columns = p.n - at < nv * kWidth<T> ? p.n - at : nv * kWidth<T>;
    if (nv == 1) multiply_panel<T, 1, Chosen>(p, at, columns);
    if (nv == 2) multiply_panel<T, 2, Chosen>(p, at, columns);
    if constexpr (kMaxVectors > 2) {
      if (nv == 3) multiply_panel<T, 3, Chosen>(p, at, columns);
      if (nv == 4) multiply_panel<T, 4, Chosen>(p, at, columns);
    }
    at += columns;
  }
}

template <typename T>
void multiply_some_or_all(const Product<T>& p) {
  if (p.k == 0 && p.accumulate) return;
  if (p.chosen != nullptr)
    multiply<T, true>(p);
  else
    multiply<T, false>(p);
}

// Swaps the lanes of a whose number has the bit `step` with the lanes of b whose number has not.
template <typename T, int Step>
PYNN_INLINE void swap_lanes(Vec<T>& a, Vec<T>& b) {
  IVec<T> low{}, high{};  // a's lanes are 0 to kWidth - 1, b's follow
#pragma GCC unroll 16
  for (int lane = 0; lane < kWidth<T>; ++lane) {
    low[lane] = lane & Step ? static_cast<int>(kWidth<T>) + lane - Step : lane;
    high[lane] = lane & Step ? static_cast<int>(kWidth<T>) + lane : lane + Step;
  }
  const Vec<T> first = __builtin_shuffle(a, b, low);
  b = __builtin_shuffle(a, b, high);
  a = first;
}

template <typename T, int Step>
PYNN_INLINE void transpose_square(Vec<T> (&v)[kWidth<T>]) {
#pragma GCC unroll 16
  for (int i = 0; i < kWidth<T>; ++i)
    if (!(i & Step)) swap_lanes<T, Step>(v[i], v[i | Step]);
  if constexpr (2 * Step < kWidth<T>) transpose_square<T, 2 * Step>(v);
}

template <typename T>
void transpose(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* out, int64_t ldo) {
  constexpr int64_t width = kWidth<T>;
  const int64_t whole_rows = rows / width * width, whole_columns = columns / width * width;
  for (int64_t j = 0; j < whole_columns; j += width)
    for (int64_t i = 0; i < whole_rows; i += width) {
      Vec<T> v[width];
#pragma GCC unroll 16
      for (int l = 0; l < width; ++l) v[l] = load(x + (i + l) * ldx + j);
      transpose_square<T, 1>(v);
#pragma GCC unroll 16
      for (int l = 0; l < width; ++l) store(out + (j + l) * ldo + i, v[l]);
    }
  for (int64_t j = whole_columns; j < columns; ++j)
    for (int64_t i = 0; i < whole_rows; ++i) out[j * ldo + i] = x[i * ldx + j];
  for (int64_t i = whole_rows; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j) out[j * ldo + i] = x[i * ldx + j];
}

// Columns of a panel, but for the last one.
template <typename T>
constexpr int64_t kPanel = kMaxVectors * kWidth<T>;

template <typename T>
void pack_columns(int64_t k, int64_t n, const T* b, int64_t b_row, int64_t b_column, Range columns, T* out) {
  for (int64_t j = columns.begin; j < columns.end; j += kPanel<T>) {
    const int64_t width = n - j < kPanel<T> ? n - j : kPanel<T>;
    T* panel = out + j * k;
    if (b_column == 1)
      for (int64_t p = 0; p < k; ++p)
        memcpy(panel + p * width, b + p * b_row + j, static_cast<size_t>(width) * sizeof(T));
    else
      transpose(width, k, b + j * b_column, b_column, panel, width);
  }
}

template <typename T>
void multiply_panels(Product<T> p) {
  const T* packed = p.b;
  T* c = p.c;
  const int64_t n = p.n;
  for (int64_t j = 0; j < n; j += kPanel<T>) {
    p.n = p.ldb = n - j < kPanel<T> ? n - j : kPanel<T>;
    p.b = packed + j * p.b_rows;
    p.c = c + j;
    multiply_some_or_all(p);
  }
}

}  // namespace

bool large_product(int64_t m, int64_t n, int64_t k) {
#if defined(__AVX2__)
  // Where this file has fused multiply-adds on wide vectors, it is as fast as OpenBLAS at least.
  static_cast<void>(m), static_cast<void>(n), static_cast<void>(k);
  return false;
#else
  return m >= 64 && n >= 64 && k >= 64 && m * n * k >= 128 * 512 * 512;
#endif
}

#define PYNN_DEFINE_TILE(T)                                                                                   \
  void multiply_block(const Product<T>& p) { multiply_some_or_all(p); }                                       \
  void multiply_packed(const Product<T>& p) { multiply_panels(p); }                                           \
  void pack_block(int64_t k, int64_t n, const T* b, int64_t b_row, int64_t b_column, Range columns, T* out) { \
    pack_columns(k, n, b, b_row, b_column, columns, out);                                                     \
  }                                                                                                           \
  void transpose_block(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* out, int64_t ldo) {         \
    transpose(rows, columns, x, ldx, out, ldo);                                                               \
  }                                                                                                           \
  int64_t panel_width(T) { return kPanel<T>; }
PYNN_DEFINE_TILE(float)
PYNN_DEFINE_TILE(double)

}  // namespace PYNN_ISA
}  // namespace pynn
