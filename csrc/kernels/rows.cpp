#include "rows.h"

#include "checks.h"
#include "polling.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Vectors of columns that are gone through together: their cache lines come together.
constexpr int64_t kVectors = 4;

// Wide rows are shared by columns, as dense_forward shares the inputs: who gathers them is who multiplies them.
constexpr int64_t kWide = 256;

// Rows that share the words of Nonzero::by_column.
constexpr int64_t kWordRows = 32;

static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the bits of a row are written to its words byte by byte");

// Rows between two looks for Ctrl-C, whole words of the bits of a column.
constexpr int64_t kPartRows = 256 * kWordRows;

// Bytes of rows to ask for ahead: more would push out what is in use.
constexpr int64_t kLine = 64, kMostAhead = 131072;

Range my_columns(const Team& team, int64_t columns) {
  return columns >= kWide ? team.share(columns, 64) : Range{0, columns};
}

Range my_rows(const Team& team, int64_t rows, int64_t columns) {
  return columns >= kWide ? Range{0, rows} : team.share(rows, kWordRows);
}

template <typename T>
PYNN_INLINE Vec<T> load_as(const T* x, int64_t count) {
  return load(x, count);
}

template <typename T>
PYNN_INLINE Vec<T> load_as(const uint8_t* x, int64_t count) {
  return load_bytes<T>(x, count);
}

// Rows in random order are news to the hardware's prefetchers: with row i, row order[i + ahead] is asked for, where i
// is below `end`. One line at a time, as a burst would be dropped.
struct Ahead {
  int64_t rows = 0, end = 0;
};

// Some columns of the rows, NV vectors, of which the last has `last` elements. `column` is a multiple of 8, so that a
// row's bits begin with a byte. out may be null.
template <typename T, int NV, typename Source>
PYNN_INLINE void gather_columns(T* out, const Nonzero& nonzero, const Source* x, const int64_t* order, Ahead ahead,
                                Range rows, int64_t columns, int64_t column, int64_t last,
                                const InputScaling<T>& scaling) {
  IVec<T> seen[NV] = {};  // a bit for each row since the last word began
  const bool scaled = scaling.scale != nullptr;
  Vec<T> mean[NV], scale[NV], offset[NV];
#pragma GCC unroll 4
  for (int v = 0; v < NV; ++v) {
    const int64_t at = column + v * kWidth<T>, count = v < NV - 1 ? kWidth<T> : last;
    const auto of = [&](const T* values, T otherwise) {
      if (values == nullptr) return splat(otherwise);
      return scaling.each_column ? load(values + at, count) : splat(values[0]);
    };
    mean[v] = of(scaling.mean, T{0});
    scale[v] = of(scaling.scale, T{1});
    offset[v] = of(scaling.offset, T{0});
  }
  const int64_t* next = order + ahead.rows;
  for (int64_t i = rows.begin; i < rows.end; ++i) {
    const Source* from = x + (order == nullptr ? i : order[i]) * columns + column;
    const auto bit = static_cast<typename Simd<T>::integer>(uint32_t{1} << i % kWordRows);
    uint64_t bits = 0;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      const int64_t count = v < NV - 1 ? kWidth<T> : last;
      Vec<T> value = load_as<T>(from + v * kWidth<T>, count);
      if (scaled) value = (value - mean[v]) * scale[v] + offset[v];
      if (out != nullptr) store(out + i * columns + column + v * kWidth<T>, value, count);
      const IVec<T> is = value != 0;
      seen[v] |= is & bit;
      bits |= static_cast<uint64_t>(lane_bits<T>(is)) << v * kWidth<T>;
    }
    if (i < ahead.end)
      for (int64_t at = 0; at < NV * kWidth<T>; at += kLine / static_cast<int64_t>(sizeof(Source)))
        __builtin_prefetch(x + next[i] * columns + column + at);
    if (nonzero.by_row == nullptr) continue;
    const int64_t spare = 64 - (NV - 1) * kWidth<T> - last;  // bits of lanes that are no columns, and of none
    bits = bits << spare >> spare;
#pragma GCC unroll 2
    for (int64_t at = 0; at < NV * kWidth<T>; at += 32, bits >>= 32) {
      uint32_t* word = nonzero.by_row + (column + at) / 32 * nonzero.stride + i;
      const int64_t width = NV * kWidth<T> - at < 32 ? NV * kWidth<T> - at : 32;
      memcpy(reinterpret_cast<char*>(word) + column % 32 / 8, &bits, static_cast<size_t>((width + 7) / 8));
    }
    if (i % kWordRows != kWordRows - 1 && i != rows.end - 1) continue;
    uint32_t* word = nonzero.by_column + i / kWordRows * columns + column;
#pragma GCC unroll 4
    for (int v = 0; v < NV; ++v) {
      for (int64_t l = 0; l < (v < NV - 1 ? kWidth<T> : last); ++l)
        word[v * kWidth<T> + l] = static_cast<uint32_t>(seen[v][l]);
      seen[v] = IVec<T>{};
    }
  }
}

template <typename T, typename Source, int NV = kVectors>
PYNN_INLINE void gather_last_columns(T* out, const Nonzero& nonzero, const Source* x, const int64_t* order, Ahead ahead,
                                     Range rows, int64_t columns, Range last, const InputScaling<T>& scaling) {
  const int64_t before = (NV - 1) * kWidth<T>, left = last.end - last.begin;
  if (left > before)
    gather_columns<T, NV>(out, nonzero, x, order, ahead, rows, columns, last.begin, left - before, scaling);
  else if constexpr (NV > 1)
    gather_last_columns<T, Source, NV - 1>(out, nonzero, x, order, ahead, rows, columns, last, scaling);
}

template <typename T, typename Source>
void gather_rows(const Team& team, T* out, const Nonzero& nonzero, const Source* x, const int64_t* order, int64_t rows,
                 int64_t next_rows, int64_t columns, const InputScaling<T>& scaling) {
  assert(is_member(team) && rows >= 0 && next_rows >= 0 && columns > 0 && has(x, rows));
  assert(out == nullptr || static_cast<const void*>(out) != x);
  assert((nonzero.by_row == nullptr) == (nonzero.by_column == nullptr));
  assert(nonzero.by_row == nullptr || nonzero.stride >= rows);
  assert((scaling.scale == nullptr) == (scaling.offset == nullptr));
  const Range r = my_rows(team, rows, columns), c = my_columns(team, columns);
  if (c.begin >= c.end) return;
  // All rows of the next gather, or, where that is too much, some of those that follow.
  const int64_t row_bytes = (c.end - c.begin) * static_cast<int64_t>(sizeof(Source));
  const bool all = (r.end - r.begin) * row_bytes <= kMostAhead;
  Ahead ahead;
  if (order != nullptr) ahead.rows = all ? rows : kMostAhead / row_bytes / kWordRows * kWordRows;
  if (ahead.rows > 0) {
    const int64_t known = all || columns >= kWide ? rows + next_rows : r.end;  // where the rows of others begin
    ahead.end = r.end < known - ahead.rows ? r.end : known - ahead.rows;
  }
  const int64_t part_rows = all || ahead.rows == 0 ? kPartRows : ahead.rows;
  constexpr int64_t block = kVectors * kWidth<T>;
  Look look(team);
  for (int64_t begin = r.begin; begin < r.end; begin += part_rows) {
    const Range part{begin, begin + part_rows < r.end ? begin + part_rows : r.end};
    int64_t j = c.begin;
    for (; j + block <= c.end; j += block) {
      gather_columns<T, kVectors>(out, nonzero, x, order, ahead, part, columns, j, kWidth<T>, scaling);
      look.after((part.end - part.begin) * block);
    }
    gather_last_columns<T>(out, nonzero, x, order, ahead, part, columns, {j, c.end}, scaling);
    look.after((part.end - part.begin) * block);
  }
}

template <typename T>
void gather(const Team& team, T* out, const Nonzero& nonzero, const T* x, const int64_t* order, int64_t rows,
            int64_t next_rows, int64_t columns, const InputScaling<T>& scaling) {
  gather_rows(team, out, nonzero, x, order, rows, next_rows, columns, scaling);
}

template <typename T>
void gather_bytes(const Team& team, T* out, const Nonzero& nonzero, const uint8_t* x, const int64_t* order,
                  int64_t rows, int64_t next_rows, int64_t columns, const InputScaling<T>& scaling) {
  gather_rows(team, out, nonzero, x, order, rows, next_rows, columns, scaling);
}

template <typename T>
void find_nonzero(const Team& team, const Nonzero& nonzero, const T* x, int64_t rows, int64_t columns) {
  gather_rows<T, T>(team, nullptr, nonzero, x, nullptr, rows, 0, columns, {});
}

template <typename T>
int64_t first_non_finite(const T* x, Range part) {
  assert(part.begin >= 0 && (part.begin >= part.end || x != nullptr));
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
void fill(RowKernels<T>& k) {
  k.gather = gather<T>;
  k.gather_bytes = gather_bytes<T>;
  k.find_nonzero = find_nonzero<T>;
  k.first_non_finite = first_non_finite<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(rows, RowKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
