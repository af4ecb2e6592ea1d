#include "few_columns.h"

#include "lanes.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// With short vectors a tile of multiply_block is as fast: few sums would wait for their own additions.
template <typename T>
constexpr int64_t kMostColumns = kWidth<T> >= 8 ? 4 : kWidth<T> / 4;

// What these cost, in multiply-adds: adding up the lanes of a sum, and the last terms of a strip, which fill a part of
// a vector. Without masked instructions these are loaded one by one.
constexpr int64_t kLastSteps = 4;
#if defined(__AVX2__)
constexpr int64_t kLastTerms = 1;
#else
constexpr int64_t kLastTerms = 8;
#endif

template <typename T>
bool pays(int64_t n, int64_t k, int64_t strip) {
  if (n > kMostColumns<T> || strip == 0) return false;
  const int64_t steps = strip / kWidth<T> + (strip % kWidth<T> > 0 ? kLastTerms : 0);
  return n * (k / strip * steps + kLastSteps) <= k;
}

// The sums of the lanes of kWidth vectors, as the lanes of one.
template <typename T, int Step = static_cast<int>(kWidth<T> / 2)>
PYNN_INLINE Vec<T> sums_of_lanes(Vec<T> (&v)[kWidth<T>]) {
#pragma GCC unroll 16
  for (int i = 0; i < Step; ++i) {
    swap_lanes<T, static_cast<int>(kWidth<T>), Step>(v[i], v[i + Step]);
    v[i] += v[i + Step];
  }
  if constexpr (Step == 1)
    return v[0];
  else
    return sums_of_lanes<T, Step / 2>(v);
}

// R rows from row `i` on of all N columns; R * N is at most kWidth. bias: of each element of them.
template <typename T, int R, int N>
PYNN_INLINE void multiply_rows(const Product<T>& p, int64_t i, Vec<T> bias) {
  Vec<T> sums[kWidth<T>] = {};
  const int64_t a_row = p.a_row, ldb = p.ldb, strip = p.strips == nullptr ? p.k : p.strip;
  for (int64_t from = 0, s = 0; from < p.k; from += strip, ++s) {
    const T* a = p.a + i * a_row + (p.strips == nullptr ? 0 : p.strips[s].a);
    const T* b = p.b + (p.strips == nullptr ? 0 : p.strips[s].b);
    for_vectors<T>(0, strip, [&](int64_t t, int64_t count) {
      Vec<T> column[N];
#pragma GCC unroll 4
      for (int j = 0; j < N; ++j) column[j] = load(b + j * ldb + t, count);
#pragma GCC unroll 16
      for (int row = 0; row < R; ++row) {
        const Vec<T> terms = load(a + row * a_row + t, count);
#pragma GCC unroll 4
        for (int j = 0; j < N; ++j) sums[row * N + j] += terms * column[j];
      }
    });
  }
  store(p.c + i * N, sums_of_lanes<T>(sums) + bias, R * N);
}

// The rows from row `i` on, R at a time. Where fewer are left, the last R rows are made, some of them again; a product
// of fewer rows than R has them R / 2 at a time.
template <typename T, int R, int N>
void multiply_from(const Product<T>& p, int64_t i, Vec<T> bias) {
  for (; i + R <= p.m; i += R) {
    if (p.ahead != nullptr) ask_for(*p.ahead, R);
    multiply_rows<T, R, N>(p, i, bias);
  }
  if (i == p.m) return;
  if (p.m >= R) {
    if (p.ahead != nullptr) ask_for(*p.ahead, p.m - i);
    multiply_rows<T, R, N>(p, p.m - R, bias);
  } else if constexpr (R > 1) {
    multiply_from<T, R / 2, N>(p, i, bias);
  }
}

template <typename T, int N>
void multiply_columns(const Product<T>& p) {
  T bias[kWidth<T>] = {};
  for (int64_t i = 0; i < kWidth<T> && p.bias != nullptr; ++i) bias[i] = p.bias[i % N];
  constexpr int rows = static_cast<int>(kWidth<T> / N);
  multiply_from<T, rows, N>(p, 0, load(bias));
}

template <typename T, int N = static_cast<int>(kMostColumns<T>)>
void multiply(const Product<T>& p) {
  if constexpr (N > 0) {
    if (p.n == N) return multiply_columns<T, N>(p);
    multiply<T, N - 1>(p);
  }
}

}  // namespace

#define PYNN_DEFINE_FEW_COLUMNS(T)                                                            \
  bool pays_by_terms(T, int64_t n, int64_t k, int64_t strip) { return pays<T>(n, k, strip); } \
  void multiply_by_terms(const Product<T>& p) { multiply(p); }
PYNN_DEFINE_FEW_COLUMNS(float)
PYNN_DEFINE_FEW_COLUMNS(double)

}  // namespace PYNN_ISA
}  // namespace pynn
