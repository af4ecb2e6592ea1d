#include "group_norm.h"

#include "checks.h"
#include "chunks.h"
#include "register.h"

// Layer and group normalisation. A group that is one run of elements, as in layer normalisation, is taken as a row. Of
// groups that are cut into many short runs, the sums are made for each column (a channel of an image) over all
// positions first, so that vectors are full however few columns a group has.

namespace pynn {
namespace PYNN_ISA {
namespace {

PYNN_INLINE int64_t parameters(const GroupShape& s) { return s.groups * s.columns; }
PYNN_INLINE int64_t elements(const GroupShape& s) { return s.positions * parameters(s); }
PYNN_INLINE bool is_shape(const GroupShape& s) { return s.positions > 0 && s.groups > 0 && s.columns > 0; }

template <typename T>
PYNN_INLINE bool has_rows(const GroupShape& s) {
  return s.positions == 1 && (s.groups == 1 || s.columns >= kWidth<T>);
}

// 1 / sqrt(variance + epsilon). A variance below 0 comes of rounding; NaN stays.
template <typename T>
PYNN_INLINE Vec<T> inverse_of(Vec<T> variance, T epsilon) {
  return 1 / square_root<T>((variance > 0 ? variance : variance * 0) + epsilon);
}

// ---- rows

template <typename T>
void rows_forward(const Team& team, T* y, T* mean, T* inverse, const T* x, const T* gamma, const T* beta, int64_t rows,
                  const GroupShape& s, T epsilon) {
  const Range mine = team.share(rows);
  const T n = static_cast<T>(s.columns);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const int64_t parameter = i % s.groups * s.columns;
    const T *from = x + i * s.columns, first = from[0];
    Vec<T> total{}, squares{};
    for_row<T>(look, s.columns,
               [&](int64_t j, int64_t count) { total += keep<T>(load(from + j, count) - first, count); });
    const T shift = sum<T>(total) / n, middle = first + shift, rest = shift - (middle - first);
    for_row<T>(look, s.columns, [&](int64_t j, int64_t count) {
      const Vec<T> deviation = keep<T>(load(from + j, count) - middle, count);
      squares += deviation * deviation;
    });
    // These deviations are from the rounded mean, and add up to n rest.
    const T factor = inverse_of<T>(splat(sum<T>(squares) / n - rest * rest), epsilon)[0];
    const T of_rest = -(rest * factor);
    mean[i] = middle;
    inverse[i] = factor;
    for_row<T>(look, s.columns, [&](int64_t j, int64_t count) {
      Vec<T> v = (load(from + j, count) - middle) * factor + of_rest;
      if (gamma != nullptr) v *= load(gamma + parameter + j, count);
      if (beta != nullptr) v += load(beta + parameter + j, count);
      store(y + i * s.columns + j, v, count);
    });
  }
}

template <typename T>
void rows_dx(const Team& team, T* dx, const T* dy, const T* x, const T* mean, const T* inverse, const T* gamma,
             int64_t rows, const GroupShape& s) {
  const Range mine = team.share(rows);
  const T n = static_cast<T>(s.columns);
  Look look(team);
  for (int64_t i = mine.begin; i < mine.end; ++i) {
    const int64_t parameter = i % s.groups * s.columns, row = i * s.columns;
    const T middle = mean[i], factor = inverse[i];
    const auto gradient = [&](int64_t j, int64_t count) {
      const Vec<T> g = load(dy + row + j, count);
      return gamma == nullptr ? g : g * load(gamma + parameter + j, count);
    };
    Vec<T> total{}, products{};
    for_row<T>(look, s.columns, [&](int64_t j, int64_t count) {
      const Vec<T> g = keep<T>(gradient(j, count), count);
      total += g;
      products += g * ((load(x + row + j, count) - middle) * factor);
    });
    const T mean_gradient = sum<T>(total) / n, along = sum<T>(products) / n;
    for_row<T>(look, s.columns, [&](int64_t j, int64_t count) {
      const Vec<T> normal = (load(x + row + j, count) - middle) * factor;
      store(dx + row + j, (gradient(j, count) - mean_gradient - normal * along) * factor, count);
    });
  }
}

// The sums of dy, and of dy times what was normalised, over the samples of each chunk.
template <typename T>
void rows_sums(const Team& team, T* sums, const T* dy, const T* x, const T* mean, const T* inverse, int64_t samples,
               const GroupShape& s) {
  const int64_t size = parameters(s);
  Look look(team);
  for (Range mine = team.share(chunks(samples) * s.groups); mine.begin < mine.end; ++mine.begin) {
    const int64_t k = mine.begin / s.groups, group = mine.begin % s.groups;
    const Range part = chunk(k, samples);
    for_vectors<T>(group * s.columns, (group + 1) * s.columns, [&](int64_t j, int64_t count) {
      const auto both = sum_terms<TwoSums<T>>(part.begin, part.end, [&](TwoSums<T>& sum, int64_t i) {
        const int64_t unit = i * s.groups + group;
        const Vec<T> g = load(dy + i * size + j, count);
        sum.total += g;
        sum.products += g * ((load(x + i * size + j, count) - mean[unit]) * inverse[unit]);
      });
      store(sums + 2 * k * size + j, both.total, count);
      store(sums + (2 * k + 1) * size + j, both.products, count);
      look.after(2 * count * (part.end - part.begin));
    });
  }
}

// ---- columns

// The groups of a sample that are taken together: of `columns` columns, in a block of `groups`, but for the last.
struct Blocks {
  int64_t groups, count;
};

// Columns of a block: some vectors, so that the positions of a sample are gone through in few lines of the cache.
constexpr int64_t kBlock = 64;

PYNN_INLINE Blocks blocks(const GroupShape& s) {
  const int64_t most = s.columns < kBlock ? kBlock / s.columns : 1, groups = most < s.groups ? most : s.groups;
  return {groups, (s.groups + groups - 1) / groups};
}

// Elements of one of the arrays that a block has in `own`.
PYNN_INLINE int64_t stride(const GroupShape& s) { return (blocks(s).groups * s.columns + 15) / 16 * 16; }
constexpr int64_t kArrays = 4;

// Calls body(sample, groups) for this member's share of the blocks of all samples.
template <typename Body>
PYNN_INLINE void for_blocks(const Team& team, int64_t samples, const GroupShape& s, Body body) {
  const Blocks b = blocks(s);
  const Range mine = team.share(samples * b.count);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t begin = unit % b.count * b.groups, end = begin + b.groups;
    body(unit / b.count, Range{begin, end < s.groups ? end : s.groups});
  }
}

// The sums of term over all positions.
template <typename Sum, typename Term>
PYNN_INLINE Sum sum_positions(Look& look, int64_t positions, Term term) {
  constexpr int64_t some = 2048;
  Sum sum{};
  for (int64_t begin = 0; begin < positions; begin += some) {
    const int64_t end = begin + some < positions ? begin + some : positions;
    sum = sum + sum_terms<Sum>(begin, end, term);
    look.after(kMostLanes * (end - begin));
  }
  return sum;
}

// The sum of the columns of a group.
template <typename T>
PYNN_INLINE T sum_group(const T* x, int64_t columns) {
  if (columns >= kWidth<T>) return sum_row<T>(columns, [&](int64_t j, int64_t count) { return load(x + j, count); });
  T total = x[0];
  for (int64_t j = 1; j < columns; ++j) total += x[j];
  return total;
}

// to (groups, columns) = value(group), in each column.
template <typename T, typename Value>
PYNN_INLINE void spread(T* to, int64_t groups, int64_t columns, Value value) {
  for (int64_t g = 0; g < groups; ++g) {
    const T v = value(g);
    for (int64_t j = 0; j < columns; ++j) to[g * columns + j] = v;
  }
}

// The means of the groups of a block, what they are multiplied by, and what T cannot hold of the means. The block
// begins at x. middle becomes the means, in each column; sums is scratch.
template <typename T>
PYNN_INLINE void block_moments(Look& look, T* means, T* factors, T* rest, const T* x, int64_t groups,
                               const GroupShape& s, T epsilon, T* middle, T* sums) {
  const int64_t size = parameters(s), width = groups * s.columns;
  const T n = static_cast<T>(s.positions * s.columns);
  // The sums of term(deviations from the middle), column by column.
  const auto sum_columns = [&](auto term) {
    for_vectors<T>(0, width, [&](int64_t j, int64_t count) {
      const Vec<T> from = load(middle + j, count);
      const auto add = [&](Vec<T>& sum, int64_t i) { sum += term(load(x + i * size + j, count) - from); };
      store(sums + j, sum_positions<Vec<T>>(look, s.positions, add), count);
    });
  };
  spread(middle, groups, s.columns, [&](int64_t g) { return x[g * s.columns]; });
  sum_columns([](Vec<T> deviation) { return deviation; });
  for (int64_t g = 0; g < groups; ++g) {
    const T first = x[g * s.columns], shift = sum_group(sums + g * s.columns, s.columns) / n;
    means[g] = first + shift;
    rest[g] = shift - (means[g] - first);
  }
  spread(middle, groups, s.columns, [&](int64_t g) { return means[g]; });
  sum_columns([](Vec<T> deviation) { return deviation * deviation; });
  for (int64_t g = 0; g < groups; ++g) factors[g] = sum_group(sums + g * s.columns, s.columns) / n - rest[g] * rest[g];
  for_vectors<T>(0, groups, [&](int64_t g, int64_t count) {
    store(factors + g, inverse_of<T>(load(factors + g, count), epsilon), count);
  });
}

template <typename T>
void columns_forward(const Team& team, T* y, T* mean, T* inverse, const T* x, const T* gamma, const T* beta,
                     int64_t samples, const GroupShape& s, T epsilon, T* own) {
  const int64_t size = parameters(s);
  T *middle = own, *scale = own + stride(s), *offset = own + 2 * stride(s), *rest = own + 3 * stride(s);
  Look look(team);
  for_blocks(team, samples, s, [&](int64_t sample, Range part) {
    const int64_t groups = part.end - part.begin, width = groups * s.columns, parameter = part.begin * s.columns;
    const int64_t at = sample * s.positions * size + parameter;
    T *means = mean + sample * s.groups + part.begin, *factors = inverse + sample * s.groups + part.begin;
    block_moments(look, means, factors, rest, x + at, groups, s, epsilon, middle, scale);
    spread(scale, groups, s.columns, [&](int64_t g) { return factors[g]; });
    spread(offset, groups, s.columns, [&](int64_t g) { return -(rest[g] * factors[g]); });
    for_vectors<T>(0, width, [&](int64_t j, int64_t count) {
      const Vec<T> by = gamma == nullptr ? splat<T>(1) : load(gamma + parameter + j, count);
      store(scale + j, load(scale + j, count) * by, count);
      const Vec<T> moved = load(offset + j, count) * by;
      store(offset + j, beta == nullptr ? moved : moved + load(beta + parameter + j, count), count);
    });
    for (int64_t i = 0; i < s.positions; ++i) {
      const int64_t row = at + i * size;
      for_vectors<T>(0, width, [&](int64_t j, int64_t count) {
        const Vec<T> deviation = load(x + row + j, count) - load(middle + j, count);
        store(y + row + j, deviation * load(scale + j, count) + load(offset + j, count), count);
      });
      look.after(width);
    }
  });
}

// dx, and for each sample the sums of dy, and of dy times what was normalised, over the positions.
template <typename T>
void columns_backward(const Team& team, T* dx, T* sums, const T* dy, const T* x, const T* mean, const T* inverse,
                      const T* gamma, int64_t samples, const GroupShape& s, T* own) {
  const int64_t size = parameters(s);
  const T n = static_cast<T>(s.positions * s.columns);
  T *middle = own, *factor = own + stride(s), *slope = own + 2 * stride(s), *level = own + 3 * stride(s);
  Look look(team);
  for_blocks(team, samples, s, [&](int64_t sample, Range part) {
    const int64_t groups = part.end - part.begin, width = groups * s.columns, parameter = part.begin * s.columns;
    const int64_t at = sample * s.positions * size + parameter;
    const T *means = mean + sample * s.groups + part.begin, *factors = inverse + sample * s.groups + part.begin;
    T *totals = sums + 2 * sample * size + parameter, *products = totals + size;
    spread(middle, groups, s.columns, [&](int64_t g) { return means[g]; });
    spread(factor, groups, s.columns, [&](int64_t g) { return factors[g]; });
    for_vectors<T>(0, width, [&](int64_t j, int64_t count) {
      const Vec<T> center = load(middle + j, count), by = load(factor + j, count);
      const auto both = sum_positions<TwoSums<T>>(look, s.positions, [&](TwoSums<T>& sum, int64_t i) {
        const Vec<T> g = load(dy + at + i * size + j, count);
        sum.total += g;
        sum.products += g * (load(x + at + i * size + j, count) - center);
      });
      const Vec<T> along = both.products * by,
                   weight = gamma == nullptr ? splat<T>(1) : load(gamma + parameter + j, count);
      store(totals + j, both.total, count);
      store(products + j, along, count);
      store(level + j, both.total * weight, count);
      store(slope + j, along * weight, count);
    });
    if (dx == nullptr) return;
    // dx = (dy gamma - mean of that - normalised * mean of that along it) inverse
    spread(level, groups, s.columns,
           [&](int64_t g) { return sum_group(level + g * s.columns, s.columns) / n * factors[g]; });
    spread(slope, groups, s.columns,
           [&](int64_t g) { return sum_group(slope + g * s.columns, s.columns) / n * factors[g] * factors[g]; });
    if (gamma != nullptr)
      for_vectors<T>(0, width, [&](int64_t j, int64_t count) {
        store(factor + j, load(factor + j, count) * load(gamma + parameter + j, count), count);
      });
    for (int64_t i = 0; i < s.positions; ++i) {
      const int64_t row = at + i * size;
      for_vectors<T>(0, width, [&](int64_t j, int64_t count) {
        const Vec<T> deviation = load(x + row + j, count) - load(middle + j, count);
        const Vec<T> taken = deviation * load(slope + j, count) + load(level + j, count);
        store(dx + row + j, load(dy + row + j, count) * load(factor + j, count) - taken, count);
      });
      look.after(2 * width);
    }
  });
}

// ---- both

template <typename T>
void group_norm_forward(const Team& team, T* y, T* mean, T* inverse, const T* x, const T* gamma, const T* beta,
                        int64_t samples, const GroupShape& s, double epsilon, T* own) {
  assert(is_member(team) && samples >= 0 && is_shape(s) && has(x, samples * elements(s)) &&
         has(y, samples * elements(s)) && own != nullptr);
  assert(has(mean, samples * s.groups) && has(inverse, samples * s.groups));
  assert(same_or_apart<T>(y, x, samples * elements(s)));
  if (has_rows<T>(s))
    rows_forward(team, y, mean, inverse, x, gamma, beta, samples * s.groups, s, positive<T>(epsilon));
  else
    columns_forward(team, y, mean, inverse, x, gamma, beta, samples, s, positive<T>(epsilon), own);
}

template <typename T>
void group_norm_backward(const Team& team, T* dx, T* dgamma, T* dbeta, const T* dy, const T* x, const T* mean,
                         const T* inverse, const T* gamma, int64_t samples, const GroupShape& s, bool accumulate,
                         T* own, T* shared) {
  assert(is_member(team) && samples >= 0 && is_shape(s) && has(x, samples * elements(s)) &&
         has(dy, samples * elements(s)) && own != nullptr && shared != nullptr);
  assert(has(mean, samples * s.groups) && has(inverse, samples * s.groups) &&
         apart(dx, samples * elements(s), x, samples * elements(s)) &&
         apart(dx, samples * elements(s), dy, samples * elements(s)));
  const bool by_rows = has_rows<T>(s), wanted = dgamma != nullptr || dbeta != nullptr;
  if (!by_rows) columns_backward(team, dx, shared, dy, x, mean, inverse, gamma, samples, s, own);
  if (by_rows && dx != nullptr) rows_dx(team, dx, dy, x, mean, inverse, gamma, samples * s.groups, s);
  if (by_rows && wanted) rows_sums(team, shared, dy, x, mean, inverse, samples, s);
  if (!wanted) return;
  team.barrier();
  const int64_t size = parameters(s), parts = by_rows ? chunks(samples) : samples;
  const Range mine = team.share(size, 16);
  Look look(team);
  const auto put = [&](T* to, int64_t which) {
    if (to == nullptr) return;
    for_vectors<T>(mine.begin, mine.end, [&](int64_t j, int64_t count) {
      Vec<T> total{};
      for (int64_t first = 0; first < parts; first += kFewRows) {
        Vec<T> some{};
        for (int64_t k = first; k < parts && k < first + kFewRows; ++k)
          some += load(shared + (2 * k + which) * size + j, count);
        total += some;
      }
      store(to + j, accumulate ? load(to + j, count) + total : total, count);
      look.after(parts * count);
    });
  };
  put(dbeta, 0);
  put(dgamma, 1);
}

int64_t group_norm_own(const GroupShape& s) { return kArrays * stride(s); }

template <typename T>
int64_t group_norm_sums(int64_t samples, const GroupShape& s) {
  return 2 * (has_rows<T>(s) ? chunks(samples) : samples) * parameters(s);
}

template <typename T>
void fill(GroupNormKernels<T>& k) {
  k.group_norm_forward = group_norm_forward<T>;
  k.group_norm_own = group_norm_own;
  k.group_norm_backward = group_norm_backward<T>;
  k.group_norm_sums = group_norm_sums<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(group_norm, GroupNormKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
