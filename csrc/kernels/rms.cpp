#include "rms.h"

#include "checks.h"
#include "chunks.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// The power of two that makes a number of [1, 4) of `size`; 1 for 0, infinity and NaN.
PYNN_INLINE float shrinking(float size) {
  if (!(size >= 0x1p-126f && size <= 0x1.fffffep127f)) return 1;
  if (size > 0x1p126f) return 0x1p-126f;
  uint32_t bits;
  memcpy(&bits, &size, sizeof bits);
  bits &= 0x7f800000;
  memcpy(&size, &bits, sizeof bits);
  return 1 / size;
}
PYNN_INLINE double shrinking(double size) {
  if (!(size >= 0x1p-1022 && size <= 0x1.fffffffffffffp1023)) return 1;
  if (size > 0x1p1022) return 0x1p-1022;
  uint64_t bits;
  memcpy(&bits, &size, sizeof bits);
  bits &= 0x7ff0000000000000;
  memcpy(&size, &bits, sizeof bits);
  return 1 / size;
}

template <typename T>
PYNN_INLINE T root(T x) {
  return square_root<T>(splat(x))[0];
}

template <typename T>
RowFactors<T> row_factors(Look& look, const T* x, int64_t columns, T least, bool unit) {
  T largest = 0;
  for (int64_t begin = 0; begin < columns; begin += kRowPart) {
    const int64_t n = begin + kRowPart < columns ? kRowPart : columns - begin;
    const T here = row_magnitude(x + begin, n);
    largest = here > largest || here != here ? here : largest;
    look.after(n);
  }
  const T lowest = unit ? least : root(least);
  const T shrink = shrinking(largest < lowest ? lowest : largest);
  Vec<T> squares{};
  for_row<T>(look, columns, [&](int64_t j, int64_t count) {
    const Vec<T> v = keep<T>(load(x + j, count) * shrink, count);
    squares += v * v;
  });
  const T total = sum<T>(squares), n = static_cast<T>(columns);
  if (!unit) return {shrink, 1 / root(total / n + least * shrink * shrink), 1 / n};
  const T norm = root(total), bound = least * shrink;
  return norm < bound ? RowFactors<T>{shrink, 1 / bound, 0} : RowFactors<T>{shrink, 1 / norm, 1};
}

// The row without its scale.
template <typename T>
PYNN_INLINE Vec<T> normal(const T* x, int64_t count, const RowFactors<T>& f) {
  return load(x, count) * f.shrink * f.factor;
}

template <typename T>
void rms_norm_forward(const Team& team, T* y, RowFactors<T>* factors, const T* x, const T* scale, int64_t rows,
                      int64_t columns, double epsilon, bool unit) {
  assert(is_member(team) && rows >= 0 && columns > 0 && has(x, rows * columns) && has(factors, rows));
  assert(has(y, rows * columns) && same_or_apart<T>(y, x, rows * columns));
  const T least = positive<T>(epsilon);
  const Range mine = team.share(rows);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const T* from = x + i * columns;
    const RowFactors<T> f = factors[i] = row_factors(look, from, columns, least, unit);
    for_row<T>(look, columns, [&](int64_t j, int64_t count) {
      const Vec<T> v = normal(from + j, count, f);
      store(y + i * columns + j, scale == nullptr ? v : v * load(scale + j, count), count);
    });
  }
}

template <typename T>
void rms_norm_backward(const Team& team, T* dx, T* dscale, const T* dy, const T* x, const RowFactors<T>* factors,
                       const T* scale, int64_t rows, int64_t columns, bool accumulate, T* shared) {
  assert(is_member(team) && rows > 0 && columns > 0 && has(dy, rows * columns) && has(x, rows * columns));
  assert(factors != nullptr && same_or_apart<T>(dx, dy, rows * columns));
  assert(apart(dx, rows * columns, x, rows * columns) && (shared != nullptr || dscale == nullptr));
  if (dscale != nullptr) {
    sum_rows<T>(team, dscale, rows, columns, accumulate, shared, [&](int64_t i, int64_t j, int64_t count) {
      const int64_t at = i * columns + j;
      return load(dy + at, count) * normal(x + at, count, factors[i]);
    });
    team.barrier();  // dx may be dy
  }
  if (dx == nullptr) return;
  const Range mine = team.share(rows);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const RowFactors<T>& f = factors[i];
    const T* from = x + i * columns;
    const auto gradient = [&](int64_t j, int64_t count) {
      const Vec<T> g = load(dy + i * columns + j, count);
      return scale == nullptr ? g : g * load(scale + j, count);
    };
    Vec<T> products{};
    for_row<T>(look, columns, [&](int64_t j, int64_t count) {
      products += keep<T>(gradient(j, count) * normal(from + j, count, f), count);
    });
    const T along = sum<T>(products) * f.share;
    for_row<T>(look, columns, [&](int64_t j, int64_t count) {
      const Vec<T> rest = gradient(j, count) - normal(from + j, count, f) * along;
      store(dx + i * columns + j, rest * f.factor * f.shrink, count);
    });
  }
}

int64_t rms_norm_sums(int64_t rows, int64_t columns) { return chunks(rows) * columns; }

template <typename T>
void fill(RmsKernels<T>& k) {
  k.rms_norm_forward = rms_norm_forward<T>;
  k.rms_norm_backward = rms_norm_backward<T>;
  k.rms_norm_sums = rms_norm_sums;
}

}  // namespace

PYNN_DEFINE_REGISTER(rms, RmsKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
