#include "optimizers.h"

#include "checks.h"
#include "math.h"
#include "penalty_slope.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// An optimizer's rule for one vector: w and the slots s are changed in place, g is the gradient, clipped already.
// The formulas are Keras's; what depends on the step number is worked out in OptimizerStep. Where a sum has two
// products, or a product two uses, `rounded` leaves no choice of what to fuse: compiled for whole vectors and for
// tails, a rule must have the same bits.

// v = momentum v - lr g; w += v, or with Nesterov's look ahead w += momentum v - lr g
template <typename T, bool Momentum>
struct Sgd {
  static constexpr int slots = Momentum;
  T learning_rate, momentum;
  bool nesterov;
  explicit Sgd(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)), momentum(static_cast<T>(o.momentum)), nesterov(o.nesterov) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    const Vec<T> change = rounded<T>(g * learning_rate);
    if constexpr (!Momentum) {
      w -= change;
    } else {
      s[0] = s[0] * momentum - change;
      w += nesterov ? s[0] * momentum - change : s[0];
    }
  }
};

// v = rho v + (1 - rho) g^2; w -= lr g / sqrt(v [- mean(g)^2] + eps), with momentum if there is any
template <typename T, bool Momentum, bool Centered>
struct RmsProp {
  static constexpr int slots = 1 + Momentum + Centered;
  T learning_rate, rho, momentum, epsilon;
  explicit RmsProp(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)),
        rho(static_cast<T>(o.rho)),
        momentum(static_cast<T>(o.momentum)),
        epsilon(positive<T>(o.epsilon)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    s[0] = rho * s[0] + rounded<T>((1 - rho) * (g * g));
    Vec<T> denominator = s[0] + epsilon;
    if constexpr (Centered) {
      Vec<T>& average = s[1 + Momentum];
      average = rho * average + rounded<T>((1 - rho) * g);
      denominator = s[0] - average * average + epsilon;
    }
    Vec<T> change = learning_rate * g / square_root<T>(denominator);
    if constexpr (Momentum) change = s[1] = momentum * s[1] + change;
    w -= change;
  }
};

// a += g^2; w -= lr g / sqrt(a + eps)
template <typename T>
struct Adagrad {
  static constexpr int slots = 1;
  T learning_rate, epsilon;
  explicit Adagrad(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)), epsilon(positive<T>(o.epsilon)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    s[0] += g * g;
    w -= learning_rate * g / square_root<T>(s[0] + epsilon);
  }
};

// a = rho a + (1 - rho) g^2; d = -sqrt(b + eps) / sqrt(a + eps) g; b = rho b + (1 - rho) d^2; w += lr d
template <typename T>
struct Adadelta {
  static constexpr int slots = 2;
  T learning_rate, rho, epsilon;
  explicit Adadelta(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)), rho(static_cast<T>(o.rho)), epsilon(positive<T>(o.epsilon)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    s[0] = rho * s[0] + rounded<T>((1 - rho) * (g * g));
    const Vec<T> d = -square_root<T>(s[1] + epsilon) * g / square_root<T>(s[0] + epsilon);
    s[1] = rho * s[1] + rounded<T>((1 - rho) * (d * d));
    w += learning_rate * d;
  }
};

// m += (1 - beta_1) (g - m); v += (1 - beta_2) (g^2 - v); w -= lr_t m / (sqrt(v) + eps)
template <typename T, bool Amsgrad>
struct Adam {
  static constexpr int slots = 2 + Amsgrad;
  T learning_rate, rest_1, rest_2, epsilon;
  explicit Adam(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)),
        rest_1(static_cast<T>(1 - o.beta_1)),
        rest_2(static_cast<T>(1 - o.beta_2)),
        epsilon(positive<T>(o.epsilon)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    s[0] += (g - s[0]) * rest_1;
    s[1] += (g * g - s[1]) * rest_2;
    Vec<T> v = s[1];
    if constexpr (Amsgrad) v = s[2] = s[2] > v ? s[2] : v;
    w -= fast_quotient(s[0] * learning_rate, fast_square_root(v) + epsilon);
  }
};

// m as in Adam; u = max(beta_2 u, |g|); w -= lr_t m / (u + eps)
template <typename T>
struct Adamax {
  static constexpr int slots = 2;
  T learning_rate, rest_1, beta_2, epsilon;
  explicit Adamax(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)),
        rest_1(static_cast<T>(1 - o.beta_1)),
        beta_2(static_cast<T>(o.beta_2)),
        epsilon(positive<T>(o.epsilon)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    s[0] += (g - s[0]) * rest_1;
    const Vec<T> decayed = s[1] * beta_2, size = absolute<T>(g);
    s[1] = decayed > size ? decayed : size;
    w -= learning_rate * s[0] / (s[1] + epsilon);
  }
};

// m and v as in Adam; w -= lr (m_scale m + g_scale g) / (sqrt(v v_scale) + eps)
template <typename T>
struct Nadam {
  static constexpr int slots = 2;
  T learning_rate, rest_1, rest_2, epsilon, m_scale, g_scale, v_scale;
  explicit Nadam(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)),
        rest_1(static_cast<T>(1 - o.beta_1)),
        rest_2(static_cast<T>(1 - o.beta_2)),
        epsilon(positive<T>(o.epsilon)),
        m_scale(static_cast<T>(o.m_scale)),
        g_scale(static_cast<T>(o.g_scale)),
        v_scale(static_cast<T>(o.v_scale)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    s[0] += (g - s[0]) * rest_1;
    s[1] += (g * g - s[1]) * rest_2;
    w -= learning_rate * (m_scale * s[0] + rounded<T>(g_scale * g)) / (square_root<T>(s[1] * v_scale) + epsilon);
  }
};

// w -= lr sign(beta_1 m + (1 - beta_1) g); m = beta_2 m + (1 - beta_2) g
template <typename T>
struct Lion {
  static constexpr int slots = 1;
  T learning_rate, beta_1, rest_1, beta_2, rest_2;
  explicit Lion(const OptimizerStep& o)
      : learning_rate(static_cast<T>(o.learning_rate)),
        beta_1(static_cast<T>(o.beta_1)),
        rest_1(static_cast<T>(1 - o.beta_1)),
        beta_2(static_cast<T>(o.beta_2)),
        rest_2(static_cast<T>(1 - o.beta_2)) {}
  void update(Vec<T>& w, Vec<T> g, Vec<T>* s) const {
    w -= learning_rate * sign<T>(s[0] * beta_1 + rounded<T>(g * rest_1));
    s[0] = s[0] * beta_2 + rounded<T>(g * rest_2);
  }
};

// What changes a gradient or a weight before the rule: nothing, the penalty l2 w^2, or all there may be.
enum class Before { nothing, square, all };

Before before(const OptimizerStep& step, bool clips) {
  if (step.decay != 0 || clips || step.l1 > 0) return Before::all;
  return step.l2 > 0 ? Before::square : Before::nothing;
}

template <typename T, Before What, typename Rule>
bool update_all(T* w, const Gradient<T>& g, T* const* slot, int64_t n, const OptimizerStep& step, const Rule& rule) {
  const T kept = static_cast<T>(1 - step.decay), clip = positive<T>(step.clip);
  const PenaltySlope<T, What == Before::square> slope(step.l1, step.l2);
  const bool penalized = step.l1 > 0 || step.l2 > 0;
  T* const slots[] = {Rule::slots > 0 ? slot[0] : nullptr, Rule::slots > 1 ? slot[1] : nullptr,
                      Rule::slots > 2 ? slot[2] : nullptr};
  IVec<T> zeros{};  // the bits of +-0, and those of NaN where a weight is not finite
  const bool factors = g.elements == nullptr;
  const int64_t columns = factors ? g.columns : n;
  for (int64_t row = 0, first = 0; first < n; ++row, first += columns)
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      const int64_t i = first + j;
      // +0, as the elements would have it.
      Vec<T> gradient = factors ? load(g.of_column + j, count) * g.of_row[row] + Vec<T>{} : load(g.elements + j, count);
      Vec<T> value = load(w + i, count), s[Rule::slots + 1];
#pragma GCC unroll 3
      for (int k = 0; k < Rule::slots; ++k) s[k] = load(slots[k] + i, count);
      if (What == Before::square || (What == Before::all && penalized)) gradient = slope.added_to(gradient, value);
      if (What == Before::all && clip > 0) gradient = at_most(at_least(gradient, -clip), clip);
      if (What == Before::all) value = rounded<T>(value * kept);
      rule.update(value, gradient, s);
      zeros |= as_bits<T>(keep<T>(value * 0, count));
      store(w + i, value, count);
#pragma GCC unroll 3
      for (int k = 0; k < Rule::slots; ++k) store(slots[k] + i, s[k], count);
    });
  return sum<T>(from_bits<T>(zeros)) == 0;
}

template <typename T>
bool optimizer_update(T* w, const Gradient<T>& g, T* const* slot, int64_t n, const OptimizerStep& step) {
  assert(has(w, n) && apart(w, n, g.elements, g.elements == nullptr ? 0 : n));
  assert(n == 0 || g.elements != nullptr || (g.of_row != nullptr && g.of_column != nullptr && n % g.columns == 0));
  const auto update = [&](const auto& rule) {
    switch (before(step, positive<T>(step.clip) > 0)) {
      case Before::nothing: return update_all<T, Before::nothing>(w, g, slot, n, step, rule);
      case Before::square: return update_all<T, Before::square>(w, g, slot, n, step, rule);
      case Before::all: break;
    }
    return update_all<T, Before::all>(w, g, slot, n, step, rule);
  };
  switch (step.kind) {
    case Optimizer::sgd: return step.momentum != 0 ? update(Sgd<T, true>(step)) : update(Sgd<T, false>(step));
    case Optimizer::rmsprop:
      if (step.momentum > 0)
        return step.centered ? update(RmsProp<T, true, true>(step)) : update(RmsProp<T, true, false>(step));
      return step.centered ? update(RmsProp<T, false, true>(step)) : update(RmsProp<T, false, false>(step));
    case Optimizer::adagrad: return update(Adagrad<T>(step));
    case Optimizer::adadelta: return update(Adadelta<T>(step));
    case Optimizer::adam: return step.amsgrad ? update(Adam<T, true>(step)) : update(Adam<T, false>(step));
    case Optimizer::adamax: return update(Adamax<T>(step));
    case Optimizer::nadam: return update(Nadam<T>(step));
    case Optimizer::lion: return update(Lion<T>(step));
    case Optimizer::count: break;
  }
  return true;
}

template <typename T>
bool average(T* a, T* w, int64_t n, double momentum, bool overwrite) {
  assert(has(a, n) && has(w, n) && apart(a, n, w, n));
  const T kept = static_cast<T>(momentum), rest = static_cast<T>(1 - momentum);
  for_vectors<T>(0, n, [&](int64_t i, int64_t count) {
    const Vec<T> mean = load(a + i, count) * kept + rounded<T>(load(w + i, count) * rest);
    store(a + i, mean, count);
    if (overwrite) store(w + i, mean, count);
  });
  return !overwrite || all_finite(w, n);
}

// Two powers of two whose product is 2^exponent, which itself may lie beyond the range of numbers.
struct Powers {
  double first, second;
};

Powers powers_of_two(int exponent) {
  return {__builtin_ldexp(1, exponent / 2), __builtin_ldexp(1, exponent - exponent / 2)};
}

template <typename T>
void scale(T* g, int64_t n, double factor, int exponent) {
  assert(has(g, n));
  const Powers by = powers_of_two(exponent);
  const T first = static_cast<T>(by.first), second = static_cast<T>(by.second), last = static_cast<T>(factor);
  for_vectors<T>(0, n, [&](int64_t i, int64_t count) {
    const Vec<T> v = load(g + i, count);
    store(g + i, (exponent == 0 ? v : v * first * second) * last, count);
  });
}

template <typename T>
double sum_of_squares(const T* x, int64_t n, int exponent) {
  assert(has(x, n));
  if (exponent == 0) return sum_in_double(x, n, [](double v) { return v * v; });
  const Powers by = powers_of_two(exponent);
  return sum_in_double(x, n, [&](double v) {
    const double scaled = v * by.first * by.second;
    return scaled * scaled;
  });
}

template <typename T>
double largest(const T* x, int64_t n) {
  assert(has(x, n));
  return static_cast<double>(row_magnitude(x, n));
}

template <typename T>
void fill(OptimizerKernels<T>& k) {
  k.optimizer_update = optimizer_update<T>;
  k.average = average<T>;
  k.scale = scale<T>;
  k.sum_of_squares = sum_of_squares<T>;
  k.largest = largest<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(optimizers, OptimizerKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
