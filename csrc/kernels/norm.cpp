#include "norm.h"

#include "activation_blocks.h"
#include "checks.h"
#include "chunks.h"
#include "register.h"

// Batch normalisation. A large mean takes no digits away: means are made of the deviations from the first row, and
// variances of those from the chunk's own mean (Chan, Golub, LeVeque 1979). A mean that its type cannot hold is kept in
// two parts.

namespace pynn {
namespace PYNN_ISA {
namespace {

// Calls body(rows, columns) for blocks of this member's share of a matrix, which stay in the nearest cache.
template <typename Body>
PYNN_INLINE void for_blocks(const Team& team, int64_t rows, int64_t columns, Body body) {
  constexpr int64_t elements = 4096;
  const Range mine = team.share(rows);
  const int64_t some = elements / (columns < kColumns ? columns : kColumns) + 1;
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; i += some)
    for (int64_t j = 0; j < columns; j += kColumns) {
      const Range part{i, i + some < mine.end ? i + some : mine.end};
      body(part, Range{j, j + kColumns < columns ? j + kColumns : columns});
      look.after(2 * elements);
    }
}

int64_t column_sums(int64_t rows, int64_t columns) { return chunks(rows) * 2 * columns; }

template <typename T>
void moments(const Team& team, T* mean, T* rest, T* variance, const T* x, int64_t rows, int64_t columns, T* shared) {
  assert(is_member(team) && rows > 0 && columns > 0 && x != nullptr && shared != nullptr);
  assert(mean != nullptr && variance != nullptr && apart(mean, columns, variance, columns));
  Look look(team);
  for_chunks(team, rows, columns, [&](int64_t k, Range part, Range some) {
    const T n = static_cast<T>(part.end - part.begin);
    for_vectors<T>(some.begin, some.end, [&](int64_t j, int64_t count) {
      const Vec<T> first = load(x + j, count);
      const Vec<T> total = sum_terms<Vec<T>>(
          part.begin, part.end, [&](Vec<T>& to, int64_t i) { to += load(x + i * columns + j, count) - first; });
      const Vec<T> middle = total / n, mean_of_chunk = first + middle, rest_of_chunk = middle - (mean_of_chunk - first);
      const Vec<T> squares = sum_terms<Vec<T>>(part.begin, part.end, [&](Vec<T>& to, int64_t i) {
        const Vec<T> deviation = (load(x + i * columns + j, count) - mean_of_chunk) - rest_of_chunk;
        to += deviation * deviation;
      });
      store(shared + 2 * k * columns + j, middle, count);
      store(shared + (2 * k + 1) * columns + j, squares, count);
      look.after(2 * count * (part.end - part.begin));
    });
  });
  team.barrier();
  const Range part = team.share(columns, 16);
  for_vectors<T>(part.begin, part.end, [&](int64_t j, int64_t count) {
    Vec<T> middle{}, squares{};  // middle: from the first row
    T seen = 0;
    for (int64_t k = 0; k < chunks(rows); ++k) {
      const Range r = chunk(k, rows);
      const T n = static_cast<T>(r.end - r.begin);
      const Vec<T> difference = load(shared + 2 * k * columns + j, count) - middle;
      middle += difference * (n / (seen + n));
      squares += load(shared + (2 * k + 1) * columns + j, count) + difference * difference * (seen * n / (seen + n));
      seen += n;
    }
    const Vec<T> first = load(x + j, count), all = first + middle;
    store(mean + j, all, count);
    if (rest != nullptr) store(rest + j, middle - (all - first), count);
    store(variance + j, squares / static_cast<T>(rows), count);
    look.after(count * chunks(rows));
  });
}

template <typename T>
void normalization_factors(T* scale, T* offset, const T* rest, const T* variance, const T* gamma, const T* beta,
                           int64_t columns, double epsilon) {
  assert(has(scale, columns) && has(variance, columns) && may_have(offset, columns));
  const T least = positive<T>(epsilon);
  for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
    Vec<T> factor = 1 / square_root<T>(load(variance + j, count) + least);
    if (gamma != nullptr) factor *= load(gamma + j, count);
    store(scale + j, factor, count);
    if (offset == nullptr) return;
    const Vec<T> shift = beta == nullptr ? Vec<T>{} : load(beta + j, count);
    store(offset + j, rest == nullptr ? shift : shift - load(rest + j, count) * factor, count);
  });
}

template <typename T>
void batch_norm_forward(const Team& team, T* y, const T* x, const T* mean, const T* scale, const T* offset,
                        int64_t rows, int64_t columns, const ActivationSpec& activation) {
  assert(is_member(team) && rows >= 0 && columns > 0 && has(x, rows * columns) && has(y, rows * columns));
  assert(mean != nullptr && scale != nullptr && offset != nullptr && same_or_apart<T>(y, x, rows * columns));
  for_blocks(team, rows, columns, [&](Range part, Range some) {
    for (int64_t i = part.begin; i < part.end; ++i)
      for_vectors<T>(some.begin, some.end, [&](int64_t j, int64_t count) {
        const Vec<T> deviation = load(x + i * columns + j, count) - load(mean + j, count);
        store(y + i * columns + j, deviation * load(scale + j, count) + load(offset + j, count), count);
      });
    if (activation.kind != Activation::linear)
      activate_block(y + part.begin * columns + some.begin, part.end - part.begin, some.end - some.begin, columns,
                     activation);
  });
}

// How many rows a mask keeps.
template <typename T>
int64_t kept_rows(const T* mask, int64_t rows) {
  int64_t kept = 0;
  for (int64_t i = 0; i < rows; ++i) kept += mask[i] != 0;
  return kept;
}

template <typename T>
void batch_norm_backward(const Team& team, T* dx, T* dgamma, T* dbeta, T* dy, const T* x, const T* y, const T* mean,
                         const T* variance, const T* gamma, const T* mask, int64_t rows, int64_t columns,
                         double epsilon, const ActivationSpec& activation, bool accumulate, T* own, T* shared) {
  assert(is_member(team) && rows > 0 && columns > 0 && dy != nullptr && x != nullptr && shared != nullptr);
  assert(mean != nullptr && variance != nullptr && apart(dx, rows * columns, x, rows * columns) && own != nullptr);
  assert(same_or_apart<T>(dx, dy, rows * columns) && may_have(mask, rows));
  const T least = positive<T>(epsilon);
  const auto inverse = [&](int64_t j, int64_t count) { return 1 / square_root<T>(load(variance + j, count) + least); };
  Look look(team);
  for_chunks(team, rows, columns, [&](int64_t k, Range part, Range some) {
    const int64_t at = part.begin * columns + some.begin;
    if (activation.kind != Activation::linear)
      slope_block(dy + at, y + at, part.end - part.begin, some.end - some.begin, columns, activation);
    for_vectors<T>(some.begin, some.end, [&](int64_t j, int64_t count) {
      const Vec<T> middle = load(mean + j, count);
      const auto both = sum_terms<TwoSums<T>>(part.begin, part.end, [&](TwoSums<T>& sum, int64_t i) {
        const Vec<T> g = load(dy + i * columns + j, count);
        sum.total += g;
        sum.products += g * (load(x + i * columns + j, count) - middle);
      });
      store(shared + 2 * k * columns + j, both.total, count);
      store(shared + (2 * k + 1) * columns + j, both.products * inverse(j, count), count);
      look.after(2 * count * (part.end - part.begin));
    });
  });
  team.barrier();
  // Each member adds all of it up where it is wanted: a few sums, and no second barrier.
  const auto sum_of = [&](int64_t which, int64_t j, int64_t count) {
    Vec<T> total{};
    for (int64_t k = 0; k < chunks(rows); ++k) total += load(shared + (2 * k + which) * columns + j, count);
    look.after(count * chunks(rows));
    return total;
  };
  const Range columns_of_mine = team.share(columns, 16);
  const auto put = [&](T* to, int64_t which) {
    if (to == nullptr) return;
    for_vectors<T>(columns_of_mine.begin, columns_of_mine.end, [&](int64_t j, int64_t count) {
      const Vec<T> total = sum_of(which, j, count);
      store(to + j, accumulate ? load(to + j, count) + total : total, count);
    });
  };
  put(dbeta, 0);
  put(dgamma, 1);
  if (dx == nullptr) return;
  // dx = (dy - mean of dy - normalised * mean of dy along it) gamma inverse = dy scale - ((x - mean) slope + level)
  T *scale = own, *slope = own + columns, *level = own + 2 * columns;
  const T n = static_cast<T>(mask == nullptr ? rows : kept_rows(mask, rows));
  for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
    const Vec<T> factor = inverse(j, count), by = gamma == nullptr ? factor : factor * load(gamma + j, count);
    store(scale + j, by, count);
    store(slope + j, sum_of(1, j, count) / n * factor * by, count);
    store(level + j, sum_of(0, j, count) / n * by, count);
  });
  for_blocks(team, rows, columns, [&](Range part, Range some) {
    for (int64_t i = part.begin; i < part.end; ++i) {
      const bool keeps = mask == nullptr || mask[i] != 0;  // where no row is kept, what is taken is not finite
      for_vectors<T>(some.begin, some.end, [&](int64_t j, int64_t count) {
        const int64_t at = i * columns + j;
        const Vec<T> deviation = load(x + at, count) - load(mean + j, count);
        const Vec<T> taken = deviation * load(slope + j, count) + load(level + j, count);
        store(dx + at, load(dy + at, count) * load(scale + j, count) - (keeps ? taken : Vec<T>{}), count);
      });
    }
  });
}

int64_t batch_norm_own(int64_t columns) { return 3 * columns; }

template <typename T>
void fill(NormKernels<T>& k) {
  k.moments = moments<T>;
  k.normalization_factors = normalization_factors<T>;
  k.batch_norm_forward = batch_norm_forward<T>;
  k.batch_norm_backward = batch_norm_backward<T>;
  k.batch_norm_own = batch_norm_own;
  k.column_sums = column_sums;
}

}  // namespace

PYNN_DEFINE_REGISTER(norm, NormKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
