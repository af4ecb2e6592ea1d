// What regularizers and constraints come to.
#include "penalties.h"

#include "checks.h"
#include "penalty_slope.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// As in Keras, so that a norm of 0 divides nothing.
constexpr double kEpsilon = 1e-7;

// Columns whose norms are taken side by side.
constexpr int64_t kColumns = 64;

// As many elements as a vector has doubles. GCC 12 would convert them in small pieces.
PYNN_INLINE Vec<double> load_doubles(const double* x) { return load(x); }
PYNN_INLINE Vec<double> load_doubles(const float* x) {
#if defined(__AVX512F__)
  return _mm512_maskz_cvtps_pd(0xff, _mm256_loadu_ps(x));
#elif defined(__AVX2__)
  return _mm256_cvtps_pd(_mm_loadu_ps(x));
#else
  return Vec<double>{static_cast<double>(x[0]), static_cast<double>(x[1])};
#endif
}

// The sum of f over the elements. So many chains of sums are what it takes to add while the sums before are on their
// way: all parameters with a penalty are read in each step.
template <typename T, typename F>
PYNN_INLINE double sum_of_many(const T* x, int64_t n, F f) {
  constexpr int64_t width = kWidth<double>, chains = 32 / width;
  Vec<double> total[chains] = {};
  int64_t i = 0;
  for (; i + chains * width <= n; i += chains * width)
#pragma GCC unroll 16
    for (int64_t c = 0; c < chains; ++c) total[c] += f(load_doubles(x + i + c * width));
  double rest[chains * width] = {};
  for (int64_t j = 0; i + j < n; ++j) rest[j] = static_cast<double>(x[i + j]);
  double sum = 0;
  for (int64_t c = 0; c < chains; ++c) sum += pynn::PYNN_ISA::sum<double>(total[c] + f(load(rest + c * width)));
  return sum;
}

template <typename T>
double penalty(const T* x, int64_t n, const PenaltySpec& p) {
  assert(has(x, n) && p.l1 >= 0 && p.l2 >= 0);
  double total = 0;
  if (p.l1 > 0) total += p.l1 * sum_of_many(x, n, [](Vec<double> v) { return absolute<double>(v); });
  if (p.l2 > 0) total += p.l2 * sum_of_many(x, n, [](Vec<double> v) { return v * v; });
  if (p.linear != 0) total += p.linear * sum_of_many(x, n, [](Vec<double> v) { return v; });
  return total;
}

template <typename T>
void add_penalty_slope(T* g, const T* x, int64_t n, const PenaltySpec& p) {
  assert(has(x, n) && has(g, n) && apart(g, n, x, n));
  if (p.linear != 0)
    for_vectors<T>(
        0, n, [&](int64_t i, int64_t count) { store(g + i, load(g + i, count) + static_cast<T>(p.linear), count); });
  if (p.l1 == 0 && p.l2 == 0) return;
  const PenaltySlope<T, false> slope(p.l1, p.l2);
  for_vectors<T>(0, n, [&](int64_t i, int64_t count) {
    store(g + i, slope.added_to(load(g + i, count), load(x + i, count)), count);
  });
}

double factor_for(double norm, const ConstraintSpec& c) {
  double desired = norm < c.min_value ? c.min_value : (norm > c.max_value ? c.max_value : norm);
  if (c.rate < 1) desired = c.rate * desired + (1 - c.rate) * norm;
  return desired / (kEpsilon + norm);
}

// The groups of `columns` neighbouring columns: w (axis, inner) from the first of them on.
template <typename T>
bool constrain_columns(T* w, int64_t columns, const ConstraintSpec& c) {
  double sums[kColumns] = {};
  T factors[kColumns] = {};
  for (int64_t a = 0; a < c.axis; ++a)
    for (int64_t j = 0; j < columns; ++j) {
      const double v = static_cast<double>(w[a * c.inner + j]);
      sums[j] += v * v;
    }
  bool finite = true;
  for (int64_t j = 0; j < columns; ++j) {
    const double norm = __builtin_sqrt(sums[j]);
    factors[j] = static_cast<T>(factor_for(norm, c));
    finite = finite && norm - norm == 0;
  }
  for (int64_t a = 0; a < c.axis; ++a)
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      T* at = w + a * c.inner + j;
      store(at, load(at, count) * load(factors + j, count), count);
    });
  return finite;
}

// One group, whose elements lie side by side.
template <typename T>
bool constrain_row(T* w, const ConstraintSpec& c) {
  const double norm = __builtin_sqrt(sum_in_double(w, c.axis, [](double v) { return v * v; }));
  const double factor = factor_for(norm, c);
  for_vectors<T>(0, c.axis,
                 [&](int64_t i, int64_t count) { store(w + i, load(w + i, count) * static_cast<T>(factor), count); });
  return norm - norm == 0;
}

template <typename T>
bool constrain(const Team& team, T* w, const ConstraintSpec& c) {
  assert(is_member(team) && c.outer > 0 && c.axis > 0 && c.inner > 0 && w != nullptr);
  if (c.kind == Constraint::non_neg) {
    const Range mine = team.share(c.outer * c.axis * c.inner, kColumns);
    for_vectors<T>(mine.begin, mine.end, [&](int64_t i, int64_t count) {
      const Vec<T> v = load(w + i, count);
      store(w + i, v <= Vec<T>{} ? Vec<T>{} : v, count);
    });
    return true;
  }
  const int64_t blocks = (c.inner + kColumns - 1) / kColumns;
  const Range mine = team.share(c.outer * blocks);
  bool finite = true;
  for (int64_t item = mine.begin; item < mine.end; ++item) {
    T* group = w + item / blocks * c.axis * c.inner;
    const int64_t first = item % blocks * kColumns, rest = c.inner - first;
    finite &=
        c.inner == 1 ? constrain_row(group, c) : constrain_columns(group + first, rest < kColumns ? rest : kColumns, c);
  }
  return finite;
}

template <typename T>
void fill(PenaltyKernels<T>& k) {
  k.penalty = penalty<T>;
  k.add_penalty_slope = add_penalty_slope<T>;
  k.constrain = constrain<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(penalties, PenaltyKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
