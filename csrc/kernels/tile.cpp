#include "tile.h"

#include "lanes.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

constexpr int64_t kWordBits = 32;  // of Product::nonzero

// Rows of a tile by its number of vectors. There are 32 registers with AVX-512 and on Arm, else 16; a tile of MR rows
// by NV vectors keeps MR * NV accumulators and NV vectors of b in them, and wants 8 to 10 accumulators at least, to
// hide the latency of the multiply-add. A product of few rows has them in wide tiles. Where zeros are passed over, few
// rows leave more of them.
constexpr int kWideVectors = 8;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kMaxVectors = 4;
constexpr int kMaxRows[kMaxVectors + 1] = {0, 14, 12, 8, 6}, kWideRows = 3;
constexpr int kSparseRows[kMaxVectors + 1] = {0, 10, 6, 6, 6}, kWideSparseRows = 2;
#else
constexpr int kMaxVectors = 2;
#if defined(__FMA__)
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 6}, kWideRows = 1;
#else
constexpr int kMaxRows[kMaxVectors + 1] = {0, 8, 4}, kWideRows = 1;  // a product needs a register before it is added
#endif
constexpr int kSparseRows[kMaxVectors + 1] = {0, 8, 6}, kWideSparseRows = 1;
#endif

// Whether the last columns, of half a vector at most, are taken by vectors of half the length: many processors do two
// of these at a time.
#if defined(__AVX512F__)
constexpr bool kHalves = true;
#else
constexpr bool kHalves = false;
#endif

template <int NV, bool Sparse>
constexpr int tile_rows() {
  if constexpr (NV == kWideVectors)
    return Sparse ? kWideSparseRows : kWideRows;
  else
    return Sparse ? kSparseRows[NV] : kMaxRows[NV];
}

// One step of the sum: accumulators += (a column of a) * (a row of b).
template <typename T, int W, int MR, int NV>
PYNN_INLINE void multiply_add(typename Lanes<T, W>::vec (&sum)[MR][NV], const T* a, int64_t a_row, const T* b) {
  typename Lanes<T, W>::vec row[NV];
#pragma GCC unroll 8
  for (int j = 0; j < NV; ++j) row[j] = load_lanes<T, W>(b + j * W, W);
#pragma GCC unroll 16
  for (int i = 0; i < MR; ++i) {
    const typename Lanes<T, W>::vec factor = splat_lanes<T, W>(a[i * a_row]);
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) sum[i][j] += factor * row[j];
  }
}

// A tile of MR rows from row `i` on and `columns` columns from column `at` on, more than (NV - 1) vectors of W lanes
// and at most NV. Where Sparse, terms are passed over according to p.nonzero.
template <typename T, int W, int MR, int NV, bool Sparse>
void multiply_tile(const Product<T>& p, int64_t i, int64_t at, int64_t columns) {
  using Vector = typename Lanes<T, W>::vec;
  constexpr int64_t whole = NV * W;
  const T *a = p.a + i * p.a_row, *b = p.b + at;
  const int64_t a_row = p.a_row, a_column = p.a_column, ldb = p.ldb;
  const int64_t last = columns - (NV - 1) * W, ldc = p.ldc;
  Vector sum[MR][NV] = {};
  if (p.bias != nullptr)
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) {
      const Vector first = load_lanes<T, W>(p.bias + at + j * W, j < NV - 1 ? W : last);
#pragma GCC unroll 16
      for (int row = 0; row < MR; ++row) sum[row][j] = first;
    }
  if (p.continues)
#pragma GCC unroll 16
    for (int row = 0; row < MR; ++row)
#pragma GCC unroll 8
      for (int j = 0; j < NV; ++j)
        sum[row][j] = load_lanes<T, W>(p.c + (i + row) * ldc + at + j * W, j < NV - 1 ? W : last);
  // Vectors may read past the end of a row into the next ones, whose lanes are not stored, but not past the end of b.
  const int64_t strip = p.strips == nullptr ? p.k : p.strip;
  const int64_t over = whole - columns, short_rows = over > 0 ? (over + ldb - 1) / ldb : 0;
  const int64_t safe = strip > short_rows ? strip - short_rows : 0;
  const auto add_last_term = [&](const T* factors, const T* from) {
    T row[whole] = {};
    memcpy(row, from, static_cast<size_t>(columns) * sizeof(T));
    multiply_add<T, W, MR, NV>(sum, factors, a_row, row);
  };
  if constexpr (Sparse) {
    const uint32_t* words = p.nonzero + i * p.nonzero_row;
    for (int64_t from = 0; from < p.k; from += kWordBits, words += p.nonzero_word) {
      uint32_t bits = 0;
#pragma GCC unroll 16
      for (int row = 0; row < MR; ++row) bits |= words[row * p.nonzero_row];
      for (; bits != 0; bits &= bits - 1) {
        const int64_t t = from + __builtin_ctz(bits);
        if (t < safe)
          multiply_add<T, W, MR, NV>(sum, a + t * a_column, a_row, b + t * ldb);
        else
          add_last_term(a + t * a_column, b + t * ldb);
      }
    }
  } else {
    if (p.accumulate)  // these rows may lie far apart, where the processor would not foresee them
#pragma GCC unroll 16
      for (int row = 0; row < MR; ++row)
#pragma GCC unroll 8
        for (int j = 0; j < NV; ++j) __builtin_prefetch(p.c + (i + row) * p.ldc + at + j * W, 1);
    for (int64_t from = 0, s = 0; from < p.k; from += strip, ++s) {
      const T* factors = p.strips == nullptr ? a : a + p.strips[s].a;
      const T* row = p.strips == nullptr ? b : b + p.strips[s].b;
#pragma GCC unroll 2
      for (int64_t t = 0; t < safe; ++t) {
        multiply_add<T, W, MR, NV>(sum, factors, a_row, row);
        factors += a_column;
        row += ldb;
      }
      for (int64_t t = safe; t < strip; ++t) {
        add_last_term(factors, row);
        factors += a_column;
        row += ldb;
      }
    }
  }
  const bool accumulate = p.accumulate;  // read before c is written, which might be p for all the compiler knows
  T* c = p.c + i * ldc + at;
#pragma GCC unroll 16
  for (int row = 0; row < MR; ++row, c += ldc) {
#pragma GCC unroll 8
    for (int j = 0; j < NV; ++j) {
      T* to = c + j * W;
      const int64_t count = j < NV - 1 ? W : last;
      // A product flushed to -0 would leave -0 where a further term of 0 would have made +0.
      const Vector value = sum[row][j] + Vector{};
      store_lanes<T, W>(to, accumulate ? value + load_lanes<T, W>(to, count) : value, count);
    }
  }
}

// `rows` rows, at most MR.
template <typename T, int W, int NV, bool Sparse, int MR>
PYNN_INLINE void multiply_rows(const Product<T>& p, int64_t rows, int64_t i, int64_t at, int64_t columns) {
  if (rows == MR) {
    multiply_tile<T, W, MR, NV, Sparse>(p, i, at, columns);
  } else if constexpr (MR > 1) {
    multiply_rows<T, W, NV, Sparse, MR - 1>(p, rows, i, at, columns);
  }
}

// All rows, in tiles of nearly equal height: a last tile of one or two rows would wait for its own additions.
template <typename T, int W, int NV, bool Sparse>
void multiply_panel(const Product<T>& p, int64_t at, int64_t columns) {
  constexpr int most = tile_rows<NV, Sparse>();
  const int64_t tiles = (p.m + most - 1) / most;
  const int64_t height = p.m / tiles, taller = p.m % tiles;
  for (int64_t t = 0, i = 0; t < tiles; ++t) {
    const int64_t rows = height + (t < taller);
    if (at == 0 && p.ahead != nullptr) ask_for(*p.ahead, rows);
    multiply_rows<T, W, NV, Sparse, most>(p, rows, i, at, columns);
    i += rows;
  }
}

template <typename T, bool Sparse>
void multiply(const Product<T>& p) {
  constexpr int W = static_cast<int>(kWidth<T>);
  constexpr int64_t wide = kWideVectors * W;
  int64_t at = 0;
  for (; (Sparse || p.m <= kWideRows) && at + wide <= p.n; at += wide)
    multiply_panel<T, W, kWideVectors, Sparse>(p, at, wide);
  while (at < p.n) {
    const int64_t left = p.n - at;
    if constexpr (kHalves) {
      if (left <= W / 2) return multiply_panel<T, W / 2, 1, Sparse>(p, at, left);
    }
    const bool half_behind = kHalves && left % W > 0 && left % W <= W / 2;
    const int64_t vectors = half_behind ? left / W : (left + W - 1) / W;
    const int64_t nv = vectors < kMaxVectors ? vectors : kMaxVectors;
    const int64_t columns = left < nv * W ? left : nv * W;
    if (nv == 1) multiply_panel<T, W, 1, Sparse>(p, at, columns);
    if (nv == 2) multiply_panel<T, W, 2, Sparse>(p, at, columns);
    if constexpr (kMaxVectors > 2) {
      if (nv == 3) multiply_panel<T, W, 3, Sparse>(p, at, columns);
      if (nv == 4) multiply_panel<T, W, 4, Sparse>(p, at, columns);
    }
    at += columns;
  }
}

template <typename T>
void multiply_some_or_all(const Product<T>& p) {
  if (p.m == 0 || (p.k == 0 && (p.accumulate || p.continues))) return;
  if (p.nonzero != nullptr)
    multiply<T, true>(p);
  else
    multiply<T, false>(p);
}

template <typename T, int N, int Step>
PYNN_INLINE void swap_squares(typename Lanes<T, N>::vec (&v)[N]) {
#pragma GCC unroll 16
  for (int i = 0; i < N; ++i)
    if (!(i & Step)) swap_lanes<T, N, Step>(v[i], v[i | Step]);
  if constexpr (2 * Step < N) swap_squares<T, N, 2 * Step>(v);
}

template <typename T, int N>
PYNN_INLINE void transpose_square(const T* x, int64_t ldx, T* out, int64_t ldo) {
  using Unaligned = typename Lanes<T, N>::unaligned;
  typename Lanes<T, N>::vec v[N];
#pragma GCC unroll 16
  for (int l = 0; l < N; ++l) v[l] = *reinterpret_cast<const Unaligned*>(x + l * ldx);
  swap_squares<T, N, 1>(v);
#pragma GCC unroll 16
  for (int l = 0; l < N; ++l) *reinterpret_cast<Unaligned*>(out + l * ldo) = v[l];
}

// `length` times `width` elements, at most Width, with any steps.
template <typename T, int Width>
PYNN_INLINE void transpose_strip(int64_t length, int64_t width, const T* x, int64_t x_along, int64_t x_across, T* out,
                                 int64_t along, int64_t across) {
  if (width == Width) {
    for (int64_t i = 0; i < length; ++i)
#pragma GCC unroll 4
      for (int j = 0; j < Width; ++j) out[i * along + j * across] = x[i * x_along + j * x_across];
  } else if constexpr (Width > 1) {
    transpose_strip<T, Width - 1>(length, width, x, x_along, x_across, out, along, across);
  }
}

// In squares of N by N, as large as fit in.
template <typename T, int N = static_cast<int>(kWidth<T>)>
void transpose(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* out, int64_t ldo) {
  if (rows < N || columns < N) {
    if constexpr (N * sizeof(T) > 16)
      transpose<T, N / 2>(rows, columns, x, ldx, out, ldo);
    else if (rows < N)
      transpose_strip<T, N - 1>(columns, rows, x, 1, ldx, out, ldo, 1);
    else
      transpose_strip<T, N - 1>(rows, columns, x, ldx, 1, out, 1, ldo);
    return;
  }
  // The last squares begin earlier where they would not be whole: they do some elements again.
  for (int64_t j = 0; j < columns; j += N) {
    const int64_t column = j + N <= columns ? j : columns - N;
    for (int64_t i = 0; i < rows; i += N) {
      const int64_t row = i + N <= rows ? i : rows - N;
      transpose_square<T, N>(x + row * ldx + column, ldx, out + column * ldo + row, ldo);
    }
  }
}

// Columns of a panel, but for the last one.
template <typename T>
constexpr int64_t kPanel = kMaxVectors * kWidth<T>;

template <typename T>
void pack_columns(int64_t k, int64_t n, const T* b, int64_t b_row, int64_t b_column, Range columns, T* out) {
  for (int64_t j = columns.begin; j < columns.end; j += kPanel<T>) {
    const int64_t width = n - j < kPanel<T> ? n - j : kPanel<T>;
    T* panel = out + j * k;
    if (b_column == 1 && width == kPanel<T>)
      for (int64_t p = 0; p < k; ++p)
#pragma GCC unroll 4
        for (int v = 0; v < kMaxVectors; ++v)
          store(panel + p * width + v * kWidth<T>, load(b + p * b_row + j + v * kWidth<T>));
    else if (b_column == 1)
      for (int64_t p = 0; p < k; ++p)
        memcpy(panel + p * width, b + p * b_row + j, static_cast<size_t>(width) * sizeof(T));
    else
      transpose(width, k, b + j * b_column, b_column, panel, width);
  }
}

template <typename T>
void multiply_panels(Product<T> p) {
  const T *packed = p.b, *bias = p.bias;
  T* c = p.c;
  const int64_t n = p.n;
  for (int64_t j = 0; j < n; j += kPanel<T>) {
    p.n = p.ldb = n - j < kPanel<T> ? n - j : kPanel<T>;
    p.b = packed + j * p.k;
    p.c = c + j;
    p.bias = bias == nullptr ? nullptr : bias + j;
    multiply_some_or_all(p);
  }
}

template <typename T>
void copy_rows_or_columns(Product<T>& p, T* to) {
  const bool columns = p.a_row == 1;
  const int64_t count = columns ? p.k : p.m, length = columns ? p.m : p.k, apart = columns ? p.a_column : p.a_row;
  for (int64_t i = 0; i < count; ++i) memcpy(to + i * length, p.a + i * apart, static_cast<size_t>(length) * sizeof(T));
  p.a = to;
  (columns ? p.a_column : p.a_row) = length;
}

}  // namespace

bool pays_to_pack(int64_t m, int64_t n) { return m >= 128 && n >= 256; }

bool large_product(int64_t m, int64_t n, int64_t k) {
#if defined(__AVX2__)
  // Where this file has fused multiply-adds on wide vectors, it is about as fast as OpenBLAS.
  static_cast<void>(m), static_cast<void>(n), static_cast<void>(k);
  return false;
#else
  return m >= 64 && n >= 64 && k >= 64 && static_cast<double>(m) * static_cast<double>(n * k) >= 128 * 512 * 512;
#endif
}

#define PYNN_DEFINE_TILE(T)                                                                                   \
  void multiply_block(const Product<T>& p) { multiply_some_or_all(p); }                                       \
  void multiply_packed(const Product<T>& p) { multiply_panels(p); }                                           \
  void pack_block(int64_t k, int64_t n, const T* b, int64_t b_row, int64_t b_column, Range columns, T* out) { \
    pack_columns(k, n, b, b_row, b_column, columns, out);                                                     \
  }                                                                                                           \
  void copy_a(Product<T>& p, T* to) { copy_rows_or_columns(p, to); }                                          \
  void transpose_block(int64_t rows, int64_t columns, const T* x, int64_t ldx, T* out, int64_t ldo) {         \
    transpose(rows, columns, x, ldx, out, ldo);                                                               \
  }                                                                                                           \
  int64_t panel_width(T) { return kPanel<T>; }                                                                \
  bool narrow_panels(T) { return kPanel<T> * static_cast<int64_t>(sizeof(T)) <= 64; }
PYNN_DEFINE_TILE(float)
PYNN_DEFINE_TILE(double)

}  // namespace PYNN_ISA
}  // namespace pynn
