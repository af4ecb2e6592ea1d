#include "norm.h"

#include "checks.h"
#include "chunks.h"
#include "register.h"

// Batch normalisation. A large mean takes no digits away: means are made of the deviations from the first row, and
// variances of those from the chunk's own mean (Chan, Golub, LeVeque 1979). A mean that its type cannot hold is kept in
// two parts.

namespace pynn {
namespace PYNN_ISA {
namespace {

// Rows that stay in the second-level cache while all their columns are gone through, a vector at a time.
constexpr int64_t kRowsTogether = 512;

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
      Vec<T> total{}, squares{};
      for (int64_t i = part.begin; i < part.end; ++i) total += load(x + i * columns + j, count) - first;
      const Vec<T> middle = total / n, mean_of_chunk = first + middle, rest_of_chunk = middle - (mean_of_chunk - first);
      for (int64_t i = part.begin; i < part.end; ++i) {
        const Vec<T> deviation = (load(x + i * columns + j, count) - mean_of_chunk) - rest_of_chunk;
        squares += deviation * deviation;
      }
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

// How many rows a mask keeps.
template <typename T>
int64_t kept_rows(const T* mask, int64_t rows) {
  int64_t kept = 0;
  for (int64_t i = 0; i < rows; ++i) kept += mask[i] != 0;
  return kept;
}

template <typename T>
void batch_norm_backward(const Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* mean,
                         const T* variance, const T* gamma, const T* mask, int64_t rows, int64_t columns,
                         double epsilon, bool accumulate, T* shared) {
  assert(is_member(team) && rows > 0 && columns > 0 && dy != nullptr && x != nullptr && shared != nullptr);
  assert(mean != nullptr && variance != nullptr && apart(dx, rows * columns, x, rows * columns));
  assert(same_or_apart<T>(dx, dy, rows * columns) && may_have(mask, rows));
  const T least = positive<T>(epsilon);
  const auto inverse = [&](int64_t j, int64_t count) { return 1 / square_root<T>(load(variance + j, count) + least); };
  Look look(team);
  for_chunks(team, rows, columns, [&](int64_t k, Range part, Range some) {
    for_vectors<T>(some.begin, some.end, [&](int64_t j, int64_t count) {
      const Vec<T> middle = load(mean + j, count);
      Vec<T> total{}, products{};
      for (int64_t i = part.begin; i < part.end; ++i) {
        const Vec<T> g = load(dy + i * columns + j, count);
        total += g;
        products += g * (load(x + i * columns + j, count) - middle);
      }
      store(shared + 2 * k * columns + j, total, count);
      store(shared + (2 * k + 1) * columns + j, products * inverse(j, count), count);
      look.after(2 * count * (part.end - part.begin));
    });
  });
  team.barrier();
  // Each member adds all of it up where it is wanted: a few sums, and no second barrier.
  const auto sum_of = [&](int64_t which, int64_t j, int64_t count) {
    Vec<T> total{};
    for (int64_t k = 0; k < chunks(rows); ++k) total += load(shared + (2 * k + which) * columns + j, count);
    return total;
  };
  const Range columns_of_mine = team.share(columns, 16);
  const auto put = [&](T* to, int64_t which) {
    if (to == nullptr) return;
    for_vectors<T>(columns_of_mine.begin, columns_of_mine.end, [&](int64_t j, int64_t count) {
      const Vec<T> total = sum_of(which, j, count);
      store(to + j, accumulate ? load(to + j, count) + total : total, count);
      look.after(count * chunks(rows));
    });
  };
  put(dbeta, 0);
  put(dgamma, 1);
  if (dx == nullptr) return;
  const Range part = team.share(rows);
  const T n = static_cast<T>(mask == nullptr ? rows : kept_rows(mask, rows));
  for (int64_t begin = part.begin; begin < part.end; begin += kRowsTogether) {
    const int64_t end = begin + kRowsTogether < part.end ? begin + kRowsTogether : part.end;
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      const Vec<T> factor = inverse(j, count), middle = load(mean + j, count);
      const Vec<T> mean_gradient = sum_of(0, j, count) / n, along = sum_of(1, j, count) / n * factor;
      const Vec<T> scale = gamma == nullptr ? factor : factor * load(gamma + j, count);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t at = i * columns + j;
        if (mask != nullptr && mask[i] == 0) {
          store(dx + at, load(dy + at, count) * scale, count);
          continue;
        }
        const Vec<T> deviation = load(x + at, count) - middle;
        store(dx + at, (load(dy + at, count) - mean_gradient - deviation * along) * scale, count);
      }
      look.after(2 * count * (end - begin + chunks(rows)));
    });
  }
}

template <typename T>
void fill(NormKernels<T>& k) {
  k.moments = moments<T>;
  k.normalization_factors = normalization_factors<T>;
  k.batch_norm_backward = batch_norm_backward<T>;
  k.column_sums = column_sums;
}

}  // namespace

PYNN_DEFINE_REGISTER(norm, NormKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
