#include "columns.h"

#include "checks.h"
#include "chunks.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Calls body(at, j, count) for this member's share of a matrix: for the `count` elements from number `at` on, which are
// of one row, the first of them in column j.
template <typename T, typename Body>
PYNN_INLINE void for_elements(const Team& team, int64_t rows, int64_t columns, Body body) {
  const Range mine = team.share(rows * columns, 64);
  Look look(team);
  for (int64_t at = mine.begin, j = at % columns; at < mine.end; j = 0) {
    const int64_t end = columns - j < mine.end - at ? at + columns - j : mine.end, first = at - j;
    for_vectors<T>(at, end, [&](int64_t i, int64_t count) {
      body(i, i - first, count);
      look.after(count);
    });
    at = end;
  }
}

template <typename T>
void bias_forward(const Team& team, T* y, const T* x, const T* bias, int64_t rows, int64_t columns) {
  assert(is_member(team) && rows >= 0 && columns > 0 && has(x, rows * columns) && has(bias, columns));
  assert(has(y, rows * columns) && same_or_apart<T>(y, x, rows * columns));
  for_elements<T>(team, rows, columns, [&](int64_t at, int64_t j, int64_t count) {
    store(y + at, load(x + at, count) + load(bias + j, count), count);
  });
}

template <typename T>
void bias_backward(const Team& team, T* dbias, const T* dy, int64_t rows, int64_t columns, bool accumulate, T* shared) {
  assert(is_member(team) && rows > 0 && columns > 0 && has(dy, rows * columns) && has(dbias, columns) && shared);
  sum_rows<T>(team, dbias, rows, columns, accumulate, shared,
              [&](int64_t i, int64_t j, int64_t count) { return load(dy + i * columns + j, count); });
}

template <typename T>
void prelu_forward(const Team& team, T* y, const T* x, const T* slope, int64_t rows, int64_t columns) {
  assert(is_member(team) && rows >= 0 && columns > 0 && has(x, rows * columns) && has(slope, columns));
  assert(has(y, rows * columns) && same_or_apart<T>(y, x, rows * columns));
  for_elements<T>(team, rows, columns, [&](int64_t at, int64_t j, int64_t count) {
    const Vec<T> v = load(x + at, count);
    store(y + at, v > 0 ? v : v * load(slope + j, count), count);
  });
}

template <typename T>
void prelu_backward(const Team& team, T* dx, T* dslope, const T* dy, const T* x, const T* slope, int64_t rows,
                    int64_t columns, bool accumulate, T* shared) {
  assert(is_member(team) && rows > 0 && columns > 0 && has(dy, rows * columns) && has(x, rows * columns));
  assert(has(slope, columns) && same_or_apart<T>(dx, dy, rows * columns) &&
         apart(dx, rows * columns, x, rows * columns));
  assert(shared != nullptr || dslope == nullptr);
  if (dslope != nullptr) {
    sum_rows<T>(team, dslope, rows, columns, accumulate, shared, [&](int64_t i, int64_t j, int64_t count) {
      const Vec<T> v = load(x + i * columns + j, count);
      return v < 0 ? v * load(dy + i * columns + j, count) : Vec<T>{};
    });
    team.barrier();  // dx may be dy
  }
  if (dx == nullptr) return;
  for_elements<T>(team, rows, columns, [&](int64_t at, int64_t j, int64_t count) {
    const Vec<T> v = load(x + at, count), g = load(dy + at, count);
    store(dx + at, v > 0 ? g : (v < 0 ? g * load(slope + j, count) : Vec<T>{}), count);
  });
}

int64_t learned_sums(int64_t rows, int64_t columns) { return chunks(rows) * columns; }

template <typename T>
void fill(ColumnKernels<T>& k) {
  k.bias_forward = bias_forward<T>;
  k.bias_backward = bias_backward<T>;
  k.prelu_forward = prelu_forward<T>;
  k.prelu_backward = prelu_backward<T>;
  k.learned_sums = learned_sums;
}

}  // namespace

PYNN_DEFINE_REGISTER(columns, ColumnKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
