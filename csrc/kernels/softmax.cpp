#include "softmax.h"

#include "checks.h"
#include "math.h"
#include "polling.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// Softmax of a row in place of contiguous elements.
template <typename T>
void softmax_row(T* y, const T* x, int64_t n, bool log) {
  const T highest = row_max(x, n);
  // A row of -inf, or with +inf, gives NaN, as in other libraries.
  Vec<T> sums{};
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> e = exp<T>(load(x + j, count) - highest);
    sums += keep<T>(e, count);
    if (!log) store(y + j, e, count);
  });
  if (log) {
    const Vec<T> log_sum = pynn::PYNN_ISA::log<T>(splat(sum<T>(sums)));
    for_vectors<T>(0, n,
                   [&](int64_t j, int64_t count) { store(y + j, (load(x + j, count) - highest) - log_sum, count); });
  } else {
    const Vec<T> factor = 1 / splat(sum<T>(sums));
    for_vectors<T>(0, n, [&](int64_t j, int64_t count) { store(y + j, load(y + j, count) * factor, count); });
  }
}

template <typename T>
void softmax_backward_row(T* dx, const T* dy, const T* y, int64_t n, bool log) {
  Vec<T> sums{};
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> g = load(dy + j, count);
    sums += keep<T>(log ? g : g * load(y + j, count), count);
  });
  const T total = sum<T>(sums);
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> g = load(dy + j, count), v = load(y + j, count);
    store(dx + j, log ? g - exp<T>(v) * total : v * (g - total), count);
  });
}

// The largest element of each column; NaN if there is one.
template <typename T>
Vec<T> column_max(const T* x, int64_t axis, int64_t inner, int64_t count) {
  Vec<T> highest = load(x, count);
  for (int64_t i = 1; i < axis; ++i) {
    const Vec<T> v = load(x + i * inner, count);
    highest = (v > highest) | (v != v) ? v : highest;
  }
  return highest;
}

// Where the axis is not the last one, vectors run along the inner elements, each lane with a softmax of its own.
template <typename T>
void softmax_columns(T* y, const T* x, int64_t axis, int64_t inner, int64_t count, bool log) {
  const Vec<T> highest = column_max(x, axis, inner, count);
  Vec<T> sums{};
  for (int64_t i = 0; i < axis; ++i) sums += exp<T>(load(x + i * inner, count) - highest);
  const Vec<T> log_sum = pynn::PYNN_ISA::log<T>(sums), factor = 1 / sums;
  for (int64_t i = 0; i < axis; ++i) {
    const Vec<T> v = load(x + i * inner, count);
    store(y + i * inner, log ? (v - highest) - log_sum : exp<T>(v - highest) * factor, count);
  }
}

template <typename T>
void softmax_backward_columns(T* dx, const T* dy, const T* y, int64_t axis, int64_t inner, int64_t count, bool log) {
  Vec<T> total{};
  for (int64_t i = 0; i < axis; ++i) {
    const Vec<T> g = load(dy + i * inner, count);
    total += log ? g : g * load(y + i * inner, count);
  }
  for (int64_t i = 0; i < axis; ++i) {
    const Vec<T> g = load(dy + i * inner, count), v = load(y + i * inner, count);
    store(dx + i * inner, log ? g - exp<T>(v) * total : v * (g - total), count);
  }
}

// Calls on_row(offset) for each row where inner is 1, else on_columns(offset, count) for vectors of inner elements.
template <typename T, typename OnRow, typename OnColumns>
void for_axes(const Team& team, int64_t outer, int64_t axis, int64_t inner, OnRow on_row, OnColumns on_columns) {
  constexpr int64_t slow = 8;  // an exponential for each element, columns from many cache lines
  Look look(team);
  const Range mine = team.share(outer);
  for (int64_t o = mine.begin; o < mine.end; ++o) {
    if (inner == 1) {
      on_row(o * axis);
      look.after(axis);
      continue;
    }
    for_vectors<T>(0, inner, [&](int64_t j, int64_t count) {
      on_columns(o * axis * inner + j, count);
      look.after(axis * count * slow);
    });
  }
}

template <typename T>
void softmax_forward(const Team& team, T* y, const T* x, int64_t outer, int64_t axis, int64_t inner, bool log) {
  assert(is_member(team) && outer >= 0 && axis > 0 && inner > 0 && has(x, outer * axis * inner));
  assert(has(y, outer * axis * inner) && same_or_apart<T>(y, x, outer * axis * inner));
  for_axes<T>(
      team, outer, axis, inner, [&](int64_t i) { softmax_row(y + i, x + i, axis, log); },
      [&](int64_t i, int64_t count) { softmax_columns(y + i, x + i, axis, inner, count, log); });
}

template <typename T>
void softmax_backward(const Team& team, T* dx, const T* dy, const T* y, int64_t outer, int64_t axis, int64_t inner,
                      bool log) {
  assert(is_member(team) && outer >= 0 && axis > 0 && inner > 0 && has(dy, outer * axis * inner));
  assert(has(y, outer * axis * inner) && has(dx, outer * axis * inner));
  assert(same_or_apart<T>(dx, dy, outer * axis * inner));
  for_axes<T>(
      team, outer, axis, inner, [&](int64_t i) { softmax_backward_row(dx + i, dy + i, y + i, axis, log); },
      [&](int64_t i, int64_t count) { softmax_backward_columns(dx + i, dy + i, y + i, axis, inner, count, log); });
}

// The t with sum_i max(x_i - t, 0) = 1, by Newton's method from below: of the elements above the last t, t is their
// sum, less 1, over their number. Each step leaves out some of them, or is the last. Elements are taken less the
// largest, so that t lies in [-1, 0) and what is above it is of that size.
template <typename T>
T sparsemax_threshold(const T* x, int64_t n, T highest) {
  T t = -1;  // the largest element alone is above it by 1
  for (T last = static_cast<T>(__builtin_inf());;) {
    const auto above = [&](int64_t j, int64_t count) { return (load(x + j, count) - highest) > t; };
    const T number = sum_row<T>(n, [&](int64_t j, int64_t count) { return above(j, count) ? splat<T>(1) : Vec<T>{}; });
    if (!(number < last)) return t;
    const T total = sum_row<T>(
        n, [&](int64_t j, int64_t count) { return above(j, count) ? load(x + j, count) - highest : Vec<T>{}; });
    t = (total - 1) / number;
    last = number;
  }
}

template <typename T>
void sparsemax_row(T* y, const T* x, int64_t n) {
  const T highest = row_max(x, n), t = sparsemax_threshold(x, n, highest);
  for_vectors<T>(
      0, n, [&](int64_t j, int64_t count) { store(y + j, at_least((load(x + j, count) - highest) - t, T{0}), count); });
}

template <typename T>
void sparsemax_backward_row(T* dx, const T* dy, const T* y, int64_t n) {
  const auto kept = [&](int64_t j, int64_t count) { return load(y + j, count) > 0 ? load(dy + j, count) : Vec<T>{}; };
  const T number =
      sum_row<T>(n, [&](int64_t j, int64_t count) { return load(y + j, count) > 0 ? splat<T>(1) : Vec<T>{}; });
  const T mean = sum_row<T>(n, kept) / number;
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    store(dx + j, load(y + j, count) > 0 ? load(dy + j, count) - mean : Vec<T>{}, count);
  });
}

// The same for vectors of columns; a lane that has its t keeps it.
template <typename T>
void sparsemax_columns(T* y, const T* x, int64_t axis, int64_t inner, int64_t count) {
  const Vec<T> highest = column_max(x, axis, inner, count);
  Vec<T> t = splat<T>(-1), last = splat(static_cast<T>(__builtin_inf()));
  for (bool more = true; more;) {
    Vec<T> number{}, total{};
    for (int64_t i = 0; i < axis; ++i) {
      const Vec<T> v = load(x + i * inner, count) - highest;
      number += v > t ? splat<T>(1) : Vec<T>{};
      total += v > t ? v : Vec<T>{};
    }
    const IVec<T> fewer = number < last;
    t = fewer ? (total - 1) / number : t;
    last = fewer ? number : last;
    more = lane_bits<T>(fewer & lanes_below<T>(count)) != 0;
  }
  for (int64_t i = 0; i < axis; ++i)
    store(y + i * inner, at_least((load(x + i * inner, count) - highest) - t, T{0}), count);
}

template <typename T>
void sparsemax_backward_columns(T* dx, const T* dy, const T* y, int64_t axis, int64_t inner, int64_t count) {
  Vec<T> number{}, total{};
  for (int64_t i = 0; i < axis; ++i) {
    const IVec<T> kept = load(y + i * inner, count) > 0;
    number += kept ? splat<T>(1) : Vec<T>{};
    total += kept ? load(dy + i * inner, count) : Vec<T>{};
  }
  const Vec<T> mean = total / number;
  for (int64_t i = 0; i < axis; ++i)
    store(dx + i * inner, load(y + i * inner, count) > 0 ? load(dy + i * inner, count) - mean : Vec<T>{}, count);
}

template <typename T>
void sparsemax_forward(const Team& team, T* y, const T* x, int64_t outer, int64_t axis, int64_t inner) {
  assert(is_member(team) && outer >= 0 && axis > 0 && inner > 0 && has(x, outer * axis * inner));
  assert(has(y, outer * axis * inner) && same_or_apart<T>(y, x, outer * axis * inner));
  for_axes<T>(
      team, outer, axis, inner, [&](int64_t i) { sparsemax_row(y + i, x + i, axis); },
      [&](int64_t i, int64_t count) { sparsemax_columns(y + i, x + i, axis, inner, count); });
}

template <typename T>
void sparsemax_backward(const Team& team, T* dx, const T* dy, const T* y, int64_t outer, int64_t axis, int64_t inner) {
  assert(is_member(team) && outer >= 0 && axis > 0 && inner > 0 && has(dy, outer * axis * inner));
  assert(has(y, outer * axis * inner) && has(dx, outer * axis * inner));
  assert(same_or_apart<T>(dx, dy, outer * axis * inner));
  for_axes<T>(
      team, outer, axis, inner, [&](int64_t i) { sparsemax_backward_row(dx + i, dy + i, y + i, axis); },
      [&](int64_t i, int64_t count) { sparsemax_backward_columns(dx + i, dy + i, y + i, axis, inner, count); });
}

template <typename T>
void fill(SoftmaxKernels<T>& k) {
  k.softmax_forward = softmax_forward<T>;
  k.softmax_backward = softmax_backward<T>;
  k.sparsemax_forward = sparsemax_forward<T>;
  k.sparsemax_backward = sparsemax_backward<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(softmax, SoftmaxKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
