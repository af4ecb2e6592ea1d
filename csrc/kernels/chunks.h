// Sums over many rows: in chunks of rows, which depend on the number of rows alone, and added up in order. So they are
// the same bits for any team. Long rows are gone through in parts.
#pragma once

#include "polling.h"
#include "reductions.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

constexpr int64_t kChunks = 64, kFewRows = 32;

// Columns of a chunk that one member takes at a time.
constexpr int64_t kColumns = 1024;

PYNN_INLINE int64_t column_blocks(int64_t columns) { return (columns + kColumns - 1) / kColumns; }

PYNN_INLINE int64_t chunk_rows(int64_t rows) {
  const int64_t each = (rows + kChunks - 1) / kChunks;
  return each < kFewRows ? kFewRows : each;
}

PYNN_INLINE int64_t chunks(int64_t rows) { return (rows + chunk_rows(rows) - 1) / chunk_rows(rows); }

PYNN_INLINE Range chunk(int64_t number, int64_t rows) {
  const int64_t begin = number * chunk_rows(rows), end = begin + chunk_rows(rows);
  return {begin, end < rows ? end : rows};
}

// Calls body(chunk, rows, columns) for this member's share of the chunks of a matrix, cut into blocks of columns.
template <typename Body>
PYNN_INLINE void for_chunks(const Team& team, int64_t rows, int64_t columns, Body body) {
  const int64_t blocks = column_blocks(columns);
  const Range mine = team.share(chunks(rows) * blocks);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t k = unit / blocks, begin = unit % blocks * kColumns, end = begin + kColumns;
    body(k, chunk(k, rows), Range{begin, end < columns ? end : columns});
  }
}

// Elements of a row between two looks for Ctrl-C.
constexpr int64_t kRowPart = 32768;

// Calls body(j, count) for the vectors of a row.
template <typename T, typename Body>
PYNN_INLINE void for_row(Look& look, int64_t columns, Body body) {
  for (int64_t begin = 0; begin < columns; begin += kRowPart) {
    const int64_t end = begin + kRowPart < columns ? begin + kRowPart : columns;
    for_vectors<T>(begin, end, body);
    look.after(end - begin);
  }
}

// Takes term(so_far, i), for i of begin..end-1, into four results in turns, and combines them: a step then waits for
// that before the last three.
template <typename Result, typename Term, typename Combine>
PYNN_INLINE Result fold_terms(int64_t begin, int64_t end, Result first, Term term, Combine combine) {
  Result r[4] = {first, first, first, first};
  int64_t i = begin;
  for (; i + 4 <= end; i += 4)
#pragma GCC unroll 4
    for (int64_t k = 0; k < 4; ++k) term(r[k], i + k);
  for (; i < end; ++i) term(r[0], i);
  return combine(combine(r[0], r[1]), combine(r[2], r[3]));
}

// The same for sums: of vectors, or of some that are made together.
template <typename Sum, typename Term>
PYNN_INLINE Sum sum_terms(int64_t begin, int64_t end, Term term) {
  return fold_terms(begin, end, Sum{}, term, [](const Sum& a, const Sum& b) { return a + b; });
}

// Two sums that are made together.
template <typename T>
struct TwoSums {
  Vec<T> total, products;
  PYNN_INLINE_SPECIAL TwoSums operator+(const TwoSums& other) const {
    return {total + other.total, products + other.products};
  }
};

// to (columns) = the sums over all rows i of term(i, j, count), the vector of `count` elements from column j on. Has a
// barrier inside. shared: chunks(rows) * columns elements of the team.
template <typename T, typename Term>
PYNN_INLINE void sum_rows(const Team& team, T* to, int64_t rows, int64_t columns, bool accumulate, T* shared,
                          Term term) {
  Look look(team);
  for_chunks(team, rows, columns, [&](int64_t k, Range part, Range some) {
    for_vectors<T>(some.begin, some.end, [&](int64_t j, int64_t count) {
      store(shared + k * columns + j,
            sum_terms<Vec<T>>(part.begin, part.end, [&](Vec<T>& total, int64_t i) { total += term(i, j, count); }),
            count);
      look.after(2 * count * (part.end - part.begin));
    });
  });
  team.barrier();
  const Range mine = team.share(columns, 16);
  for_vectors<T>(mine.begin, mine.end, [&](int64_t j, int64_t count) {
    Vec<T> total = accumulate ? load(to + j, count) : Vec<T>{};
    for (int64_t k = 0; k < chunks(rows); ++k) total += load(shared + k * columns + j, count);
    store(to + j, total, count);
    look.after(count * chunks(rows));
  });
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
