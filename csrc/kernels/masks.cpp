#include "masks.h"

#include "checks.h"
#include "polling.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

template <typename T>
void not_equal_ids(const Team& team, T* y, const int32_t* ids, int32_t value, int64_t count) {
  assert(is_member(team) && has(y, count) && has(ids, count));
  const Range mine = team.share(count, 64);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    y[i] = ids[i] == value ? T{0} : T{1};
    look.after(1);
  }
}

template <typename T>
void any_not_equal(const Team& team, T* y, const T* x, T value, int64_t rows, int64_t columns) {
  assert(is_member(team) && has(y, rows) && has(x, rows * columns) && columns > 0);
  const Range mine = team.share(rows, 16);
  Look look(team);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const T *from = x + row * columns, *const end = from + columns;
    while (from < end && *from == value) ++from;
    y[row] = from < end ? T{1} : T{0};
    look.after(columns);
  }
}

template <typename T>
void keep_rows(const Team& team, T* y, const T* x, const T* mask, int64_t rows, int64_t columns) {
  assert(is_member(team) && has(mask, rows) && columns > 0);
  assert(has(y, rows * columns) && same_or_apart<T>(y, x, rows * columns));
  const Range mine = team.share(rows);
  Look look(team);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    const bool kept = mask[row] != 0;
    for_vectors<T>(0, columns, [&](int64_t j, int64_t n) {
      store(y + row * columns + j, kept ? load(x + row * columns + j, n) : Vec<T>{}, n);
    });
    look.after(columns);
  }
}

// A member has some of the rows; where they go, it counts for itself.
template <typename T>
int64_t pack_rows(const Team& team, T* y, const T* x, const T* mask, int64_t rows, int64_t columns) {
  assert(is_member(team) && has(mask, rows) && columns > 0);
  const Range mine = team.share(rows);
  Look look(team);
  int64_t kept = 0;
  for (int64_t row = 0; row < rows; ++row) {
    look.after(1);
    if (mask[row] == 0) continue;
    T* const to = y + kept * columns;
    ++kept;
    if (row < mine.begin || row >= mine.end) continue;
    for_vectors<T>(0, columns, [&](int64_t j, int64_t n) { store(to + j, load(x + row * columns + j, n), n); });
    look.after(columns);
  }
  return kept;
}

// How many steps of a sample are real.
template <typename T>
T count_of(const T* mask, int64_t steps) {
  int64_t count = 0;
  for (int64_t t = 0; t < steps; ++t) count += mask[t] != 0;
  return static_cast<T>(count);
}

template <typename T>
void masked_mean_forward(const Team& team, T* y, const T* x, const T* mask, int64_t samples, const StepShape& s) {
  assert(is_member(team) && s.outer > 0 && s.steps > 0 && s.inner > 0);
  assert(has(y, samples * s.outer * s.inner) && has(x, samples * s.outer * s.steps * s.inner));
  assert(has(mask, samples * s.steps));
  const Range mine = team.share(samples * s.outer);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const T* const of_sample = mask + i / s.outer * s.steps;
    const T* const from = x + i * s.steps * s.inner;
    const T count = count_of(of_sample, s.steps);
    for_vectors<T>(0, s.inner, [&](int64_t j, int64_t n) {
      Vec<T> sum{};
      for (int64_t t = 0; t < s.steps; ++t)
        if (of_sample[t] != 0) sum += load(from + t * s.inner + j, n);
      store(y + i * s.inner + j, count == 0 ? Vec<T>{} : sum / count, n);
    });
    look.after(s.steps * s.inner);
  }
}

template <typename T>
void masked_mean_backward(const Team& team, T* dx, const T* dy, const T* mask, int64_t samples, const StepShape& s) {
  assert(is_member(team) && s.outer > 0 && s.steps > 0 && s.inner > 0);
  assert(has(dy, samples * s.outer * s.inner) && has(dx, samples * s.outer * s.steps * s.inner));
  assert(has(mask, samples * s.steps));
  const Range mine = team.share(samples * s.outer);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const T* const of_sample = mask + i / s.outer * s.steps;
    T* const to = dx + i * s.steps * s.inner;
    const T count = count_of(of_sample, s.steps);
    for (int64_t t = 0; t < s.steps; ++t) {
      const bool kept = of_sample[t] != 0;
      for_vectors<T>(0, s.inner, [&](int64_t j, int64_t n) {
        store(to + t * s.inner + j, kept ? load(dy + i * s.inner + j, n) / count : Vec<T>{}, n);
      });
    }
    look.after(s.steps * s.inner);
  }
}

template <typename T>
void fill(MaskKernels<T>& k) {
  k.not_equal_ids = not_equal_ids<T>;
  k.any_not_equal = any_not_equal<T>;
  k.keep_rows = keep_rows<T>;
  k.pack_rows = pack_rows<T>;
  k.masked_mean_forward = masked_mean_forward<T>;
  k.masked_mean_backward = masked_mean_backward<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(masks, MaskKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
