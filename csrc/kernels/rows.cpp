#include "rows.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Vectors of columns that are gone through together: their cache lines come together.
constexpr int64_t kVectors = 4;

// Wide rows are shared by columns, as dense_forward shares the inputs: who gathers them is who multiplies them.
constexpr int64_t kWide = 256;

Range my_columns(const Team& team, int64_t columns) {
  return columns >= kWide ? team.share(columns, 64) : Range{0, columns};
}

Range my_rows(const Team& team, int64_t rows, int64_t columns) {
  return columns >= kWide ? Range{0, rows} : team.share(rows);
}

template <typename T>
PYNN_INLINE Vec<T> load_as(const T* x, int64_t count) {
  return load(x, count);
}

template <typename T>
PYNN_INLINE Vec<T> load_as(const uint8_t* x, int64_t count) {
  if (count == kWidth<T>) return load_bytes<T>(x);
  Vec<T> v{};
  for (int64_t i = 0; i < count; ++i) v[i] = static_cast<T>(x[i]);
  return v;
}

// Some columns of the rows, NV vectors, of which the last has `last` elements.
template <typename T, int NV, typename Source>
PYNN_INLINE void gather_columns(T* out, uint8_t* nonzero, const Source* x, const int64_t* order, Range rows,
                                int64_t columns, int64_t column, int64_t last, const InputScaling<T>& scaling) {
  IVec<T> seen[NV] = {};
  const bool scaled = scaling.scale != nullptr;
  Vec<T> scale[NV], offset[NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const int64_t at = column + v * kWidth<T>, count = v < NV - 1 ? kWidth<T> : last;
    const auto of = [&](const T* values, T otherwise) {
      if (values == nullptr) return splat(otherwise);
      return scaling.each_column ? load(values + at, count) : splat(values[0]);
    };
    scale[v] = of(scaling.scale, T{1});
    offset[v] = of(scaling.offset, T{0});
  }
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const Source* from = x + (order == nullptr ? i : order[i]) * columns + column;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const int64_t count = v < NV - 1 ? kWidth<T> : last;
      Vec<T> value = load_as<T>(from + v * kWidth<T>, count);
      if (scaled) value = value * scale[v] + offset[v];
      seen[v] |= value != 0;
      store(out + i * columns + column + v * kWidth<T>, value, count);
    }
  }
  if (nonzero == nullptr) return;
  for (int v = 0; v < NV; ++v)
    for (int64_t l = 0; l < (v < NV - 1 ? kWidth<T> : last); ++l) nonzero[column + v * kWidth<T> + l] = seen[v][l] != 0;
}

template <typename T, typename Source>
void gather_rows(const Team& team, T* out, uint8_t* nonzero, const Source* x, const int64_t* order, int64_t rows,
                 int64_t columns, const InputScaling<T>& scaling) {
  const Range r = my_rows(team, rows, columns), c = my_columns(team, columns);
  constexpr int64_t block = kVectors * kWidth<T>;
  int64_t j = c.begin;
  for (; j + block <= c.end; j += block)
    gather_columns<T, kVectors>(out, nonzero, x, order, r, columns, j, kWidth<T>, scaling);
  for (; j < c.end; j += kWidth<T>)
    gather_columns<T, 1>(out, nonzero, x, order, r, columns, j, c.end - j < kWidth<T> ? c.end - j : kWidth<T>, scaling);
}

template <typename T>
void gather(const Team& team, T* out, uint8_t* nonzero, const T* x, const int64_t* order, int64_t rows, int64_t columns,
            const InputScaling<T>& scaling) {
  gather_rows(team, out, nonzero, x, order, rows, columns, scaling);
}

template <typename T>
void gather_bytes(const Team& team, T* out, uint8_t* nonzero, const uint8_t* x, const int64_t* order, int64_t rows,
                  int64_t columns, const InputScaling<T>& scaling) {
  gather_rows(team, out, nonzero, x, order, rows, columns, scaling);
}

// Most columns are known after a row or two.
template <typename T>
void find_nonzero(const Team& team, uint8_t* nonzero, const T* x, int64_t rows, int64_t columns) {
  const Range mine = team.share(columns, kWidth<T>);
  for_vectors<T>(mine.begin, mine.end, [&](int64_t j, int64_t count) {
    IVec<T> seen{};
    int64_t found = 0;
    for (int64_t i = 0; i < rows && found < count; ++i) {
      seen |= load(x + i * columns + j, count) != 0;
      found = 0;
      for (int64_t l = 0; l < kWidth<T>; ++l) found -= seen[l];
    }
    for (int64_t l = 0; l < count; ++l) nonzero[j + l] = seen[l] != 0;
  });
}

// Rows in random order are news to the hardware's prefetchers.
void prefetch_rows(const Team& team, const void* x, const int64_t* order, int64_t rows, int64_t bytes) {
  constexpr int64_t line = 64, most = 65536;  // more than that would push out what is in use
  const Range r = my_rows(team, rows, bytes), c = my_columns(team, bytes);
  if ((r.end - r.begin) * (c.end - c.begin) > most) return;
  for (int64_t i = r.begin; i < r.end; ++i)
    for (int64_t at = c.begin; at < c.end; at += line)
      __builtin_prefetch(static_cast<const char*>(x) + order[i] * bytes + at);
}

template <typename T>
int64_t first_non_finite(const T* x, Range part) {
  constexpr int64_t block = 1024;
  for (int64_t i = part.begin; i < part.end; i += block) {
    const int64_t end = i + block < part.end ? i + block : part.end;
    if (all_finite(x + i, end - i)) continue;
    for (int64_t j = i; j < end; ++j)
      if (!__builtin_isfinite(x[j])) return j;
  }
  return -1;
}

template <typename T>
void fill(Kernels<T>& k) {
  k.gather = gather<T>;
  k.gather_bytes = gather_bytes<T>;
  k.find_nonzero = find_nonzero<T>;
  k.prefetch_rows = prefetch_rows;
  k.first_non_finite = first_non_finite<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(rows)

}  // namespace PYNN_ISA
}  // namespace pynn
