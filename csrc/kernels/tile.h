// The product of small blocks: what products, dense layers and convolutions are made of.
#pragma once

#include <stdint.h>

#include "../runtime/team.h"

namespace pynn {
namespace PYNN_ISA {

// Where the terms of a product that come in strips begin: offsets of a strip in a and in b.
struct Strip {
  int64_t a, b;
};

// Memory that is needed soon. A part of it is asked for with each tile, as the processor waits for many requests at
// once.
struct Ahead {
  const char* at;
  int64_t lines;      // of a cache, from there on
  int64_t rate, due;  // 1/256 lines: for each row of a product, and those that are late
};

// c (m, n) = a b [+ c]: a (m, k) with any strides, b (k, n) and c with contiguous rows, ldb and ldc apart. Rows of c
// may overlap (ldc < n) where they are accumulated: they are added to one after the other.
template <typename T>
struct Product {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_column;  // between the rows of a, and between its columns
  const T* b;
  int64_t ldb;
  T* c;
  int64_t ldc;
  bool accumulate;
  // Where not null, which elements of a are not 0: bit t % 32 of word i * nonzero_row + t / 32 * nonzero_word tells of
  // row i and column t. Terms that are 0 in all rows of a tile are passed over.
  const uint32_t* nonzero;
  int64_t nonzero_row, nonzero_word;
  // Where not null, the k terms are strips of `strip` each, which begin where this says. Not with zeros passed over.
  const Strip* strips;
  int64_t strip;
  // Where not null, what the sums of each row begin with: (n), instead of zeros. Not where they are accumulated.
  const T* bias;
  Ahead* ahead;    // or null
  bool continues;  // the sums begin with c: as if its terms came first. Not with accumulate, bias or zeros passed over.
};

namespace {

// Of c in the blocks that BLAS gets: of a fixed shape, whatever the size of the team, since its sums depend on it.
constexpr int64_t kBlasRows = 128, kBlasColumns = 256;

template <typename T>
inline Product<T> product(int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row, int64_t a_column, const T* b,
                          int64_t ldb, bool accumulate, T* c, int64_t ldc) {
  return {m, n, k, a, a_row, a_column, b, ldb, c, ldc, accumulate, nullptr, 0, 0, nullptr, 0, nullptr, nullptr, false};
}

// To be asked for in the course of so many rows of products.
template <typename T>
inline Ahead ahead_of(const T* data, int64_t count, int64_t rows) {
  const int64_t lines = count * static_cast<int64_t>(sizeof(T)) / 64;
  return {reinterpret_cast<const char*>(data), lines, 256 * lines / (rows + 1) + 1, 0};
}

inline void ask_for(Ahead& ahead, int64_t rows) {
  ahead.due += rows * ahead.rate;
  const int64_t lines = ahead.due / 256 < ahead.lines ? ahead.due / 256 : ahead.lines;
  const char* at = ahead.at;
  for (int64_t i = 0; i < lines; ++i) __builtin_prefetch(at + 64 * i, 0, 2);
  ahead.at += 64 * lines;
  ahead.lines -= lines;
  ahead.due %= 256;
}

}  // namespace

// On one thread, for blocks that fit the caches. Each element of c is one sum over k in ascending order (fused
// multiply-adds where the instruction set has them), so it does not depend on how a caller cuts m and n; nor does it
// on the terms passed over, if b is finite.
void multiply_block(const Product<float>& p);
void multiply_block(const Product<double>& p);

// The same with b packed by pack_block; ldb does not count.
void multiply_packed(const Product<float>& p);
void multiply_packed(const Product<double>& p);

// Copies b (k, n), b_row and b_column between its rows and columns, of which one is 1, to panels of panel_width columns
// (the last one may be narrower): panel after panel, row after row. Only the panels that begin in `columns`.
void pack_block(int64_t k, int64_t n, const float* b, int64_t b_row, int64_t b_column, Range columns, float* out);
void pack_block(int64_t k, int64_t n, const double* b, int64_t b_row, int64_t b_column, Range columns, double* out);

// Has p read a from a copy in `to`, of m k elements: rows or columns that lie a power of two apart push each other out
// of the caches.
void copy_a(Product<float>& p, float* to);
void copy_a(Product<double>& p, double* to);

// out (columns, rows) = x^T, for x (rows, columns) with rows ldx apart, out with rows ldo apart.
void transpose_block(int64_t rows, int64_t columns, const float* x, int64_t ldx, float* out, int64_t ldo);
void transpose_block(int64_t rows, int64_t columns, const double* x, int64_t ldx, double* out, int64_t ldo);

// Columns of a panel: those of the widest tile. Whether a row of it is no more than a line of a cache.
int64_t panel_width(float);
int64_t panel_width(double);
bool narrow_panels(float);
bool narrow_panels(double);

// Whether copies of b (k, n) in panels pay for m rows of a: its rows lie far apart, and are used often.
bool pays_to_pack(int64_t m, int64_t n);

// Whether a product goes to BLAS (docs/decisions/own-products.md has the measurements).
bool large_product(int64_t m, int64_t n, int64_t k);

}  // namespace PYNN_ISA
}  // namespace pynn
