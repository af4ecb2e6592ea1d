#include "losses.h"

#include "checks.h"
#include "focal.h"
#include "math.h"
#include "polling.h"
#include "reductions.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// ---- losses that add up element by element

// Such a loss is a pair of functions of target t and prediction p: value, and its derivative by p. The row's loss is
// the mean of the values, or their sum.

template <typename T>
struct SquaredError {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> p) const { return (p - t) * (p - t); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return 2 * (p - t); }
};

// E = 1/2 sum (y - y_hat)^2
template <typename T>
struct SumSquaredError {
  static constexpr bool mean = false;
  Vec<T> value(Vec<T> t, Vec<T> p) const { return (p - t) * (p - t) * static_cast<T>(0.5); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return p - t; }
};

template <typename T>
struct AbsoluteError {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> p) const { return absolute<T>(p - t); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return sign<T>(p - t); }
};

template <typename T>
struct AbsolutePercentageError {
  static constexpr bool mean = true;
  static Vec<T> weight(Vec<T> t) { return 100 / at_least(absolute<T>(t), static_cast<T>(kEpsilon)); }
  Vec<T> value(Vec<T> t, Vec<T> p) const { return absolute<T>(p - t) * weight(t); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return sign<T>(p - t) * weight(t); }
};

// (log(max(p, eps) + 1) - log(max(t, eps) + 1))^2
template <typename T>
struct SquaredLogarithmicError {
  static constexpr bool mean = true;
  static Vec<T> log_plus_1(Vec<T> x) { return log<T>(at_least(x, static_cast<T>(kEpsilon)) + 1); }
  Vec<T> value(Vec<T> t, Vec<T> p) const {
    const Vec<T> d = log_plus_1(p) - log_plus_1(t);
    return d * d;
  }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const {
    const Vec<T> d = 2 * (log_plus_1(p) - log_plus_1(t)) / (p + 1);
    return p < static_cast<T>(kEpsilon) ? Vec<T>{} : d;
  }
};

// e^2 / 2 for |e| <= delta, else delta |e| - delta^2 / 2
template <typename T>
struct Huber {
  static constexpr bool mean = true;
  T delta;
  Vec<T> value(Vec<T> t, Vec<T> p) const {
    const Vec<T> e = absolute<T>(p - t);
    return e > delta ? delta * e - delta * delta / 2 : e * e * static_cast<T>(0.5);
  }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return at_most(at_least(p - t, -delta), delta); }
};

// log(cosh(e)) = |e| + log(1 + exp(-2 |e|)) - log(2)
template <typename T>
struct LogCosh {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> p) const {
    const Vec<T> e = absolute<T>(p - t);
    return e + log1p<T>(exp<T>(-2 * e)) - static_cast<T>(0.69314718055994530942);
  }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return tanh<T>(p - t); }
};

// p - t log(p + eps)
template <typename T>
struct Poisson {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> p) const { return p - t * log<T>(p + static_cast<T>(kEpsilon)); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return 1 - t / (p + static_cast<T>(kEpsilon)); }
};

// e^z - t z
template <typename T>
struct PoissonFromLogs {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> z) const { return exp<T>(z) - rounded<T>(t * z); }
  Vec<T> derivative(Vec<T> t, Vec<T> z) const { return exp<T>(z) - t; }
};

// t log(t / p), both clipped to [eps, 1]
template <typename T>
struct KLDivergence {
  static constexpr bool mean = false;
  static constexpr T lowest = static_cast<T>(kEpsilon);
  static Vec<T> clip(Vec<T> x) { return at_most(at_least(x, lowest), T{1}); }
  Vec<T> value(Vec<T> t, Vec<T> p) const { return clip(t) * log<T>(clip(t) / clip(p)); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return (p < lowest) | (p > 1) ? Vec<T>{} : -clip(t) / p; }
};

template <typename T>
struct BinaryCrossentropy {
  static constexpr bool mean = true;
  T smoothing;
  static constexpr T lowest = static_cast<T>(kEpsilon), highest = static_cast<T>(1 - kEpsilon);
  Vec<T> smooth(Vec<T> t) const { return t * (1 - smoothing) + smoothing / 2; }
  Vec<T> value(Vec<T> t, Vec<T> p) const {
    const Vec<T> s = smooth(t), q = at_most(at_least(p, lowest), highest);
    return -(s * log<T>(q) + (1 - s) * log<T>(1 - q));
  }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const {
    return (p < lowest) | (p > highest) ? Vec<T>{} : (p - smooth(t)) / (p * (1 - p));
  }
};

// max(z, 0) - z t + log(1 + exp(-|z|))
template <typename T>
struct BinaryCrossentropyFromLogits {
  static constexpr bool mean = true;
  T smoothing;
  Vec<T> smooth(Vec<T> t) const { return t * (1 - smoothing) + smoothing / 2; }
  Vec<T> value(Vec<T> t, Vec<T> z) const { return softplus<T>(z) - z * smooth(t); }
  Vec<T> derivative(Vec<T> t, Vec<T> z) const { return sigmoid<T>(z) - smooth(t); }
};

// The class of a label: where the classes are 0 and 1, 0 stands for -1.
template <typename T>
PYNN_INLINE Vec<T> side(Vec<T> t) {
  return t == 0 ? splat<T>(-1) : t;
}

template <typename T>
struct Hinge {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> p) const { return at_least(1 - side<T>(t) * p, T{0}); }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return 1 - side<T>(t) * p > 0 ? -side<T>(t) : Vec<T>{}; }
};

template <typename T>
struct SquaredHinge {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> p) const {
    const Vec<T> h = at_least(1 - side<T>(t) * p, T{0});
    return h * h;
  }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const { return -2 * side<T>(t) * at_least(1 - side<T>(t) * p, T{0}); }
};

// max(0, -t z). On the boundary the derivative is that of a mistake, so that learning starts from zero weights.
template <typename T>
struct Perceptron {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T> t, Vec<T> z) const { return at_least(-side<T>(t) * z, T{0}); }
  Vec<T> derivative(Vec<T> t, Vec<T> z) const { return side<T>(t) * z > 0 ? Vec<T>{} : -side<T>(t); }
};

// p: what a network computes itself as its loss
template <typename T>
struct Value {
  static constexpr bool mean = true;
  Vec<T> value(Vec<T>, Vec<T> p) const { return p; }
  Vec<T> derivative(Vec<T>, Vec<T>) const { return splat<T>(1); }
};

template <typename T, typename F>
void elementwise_row(double* value, T* dp, const T* p, const T* t, int64_t n, T scale, F f) {
  const T factor = F::mean ? 1 / static_cast<T>(n) : T{1};
  if (value != nullptr)
    *value = static_cast<double>(factor * sum_row<T>(n, [&](int64_t j, int64_t count) {
                                   return f.value(load(t + j, count), load(p + j, count));
                                 }));
  if (dp != nullptr)
    for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
      store(dp + j, f.derivative(load(t + j, count), load(p + j, count)) * (scale * factor), count);
    });
}

// ---- losses of a row as a whole

// The distribution over classes that a row of targets stands for, label smoothing included: t (1 - e) + e / n.
template <typename T>
struct Classes {
  const T* values;
  int64_t label;  // where values is null: all on this class
  T keep, spread;

  Classes(const TargetRows<T>& target, int64_t row, int64_t n, double smoothing)
      : values(target.values == nullptr ? nullptr : target.values + row * n),
        label(target.values == nullptr ? target.labels[row] : -1),
        keep(static_cast<T>(1 - smoothing)),
        spread(static_cast<T>(smoothing / static_cast<double>(n))) {}

  Vec<T> at(int64_t j, int64_t count) const {
    if (values != nullptr) return load(values + j, count) * keep + spread;
    return lane_numbers<T>() == static_cast<typename Simd<T>::integer>(label - j) ? splat(spread + keep)
                                                                                  : splat(spread);
  }
};

// -sum_j t_j log(softmax(z)_j)
template <typename T>
void crossentropy_from_logits_row(double* value, T* dz, const T* z, const Classes<T>& t, int64_t n, T scale) {
  const T highest = row_max(z, n);
  const T total = sum_row<T>(n, [&](int64_t j, int64_t count) {
    const Vec<T> e = exp<T>(load(z + j, count) - highest);
    if (dz != nullptr) store(dz + j, e, count);
    return e;
  });
  const T weight = sum_row<T>(n, [&](int64_t j, int64_t count) { return t.at(j, count); });
  if (value != nullptr) {
    const T log_total = log<T>(splat(total))[0];
    *value = static_cast<double>(sum_row<T>(n, [&](int64_t j, int64_t count) {
      const Vec<T> w = t.at(j, count);
      // A class of probability 0 that is not asked for adds nothing.
      return w == 0 ? Vec<T>{} : w * (log_total - (load(z + j, count) - highest));
    }));
  }
  if (dz != nullptr)
    for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
      store(dz + j, (load(dz + j, count) * (weight / total) - t.at(j, count)) * scale, count);
    });
}

// -sum_j t_j log(q_j), q = p / sum(p) clipped to [eps, 1 - eps]
template <typename T>
void crossentropy_row(double* value, T* dp, const T* p, const Classes<T>& t, int64_t n, T scale) {
  constexpr T lowest = static_cast<T>(kEpsilon), highest = static_cast<T>(1 - kEpsilon);
  const T inverse = 1 / sum_row<T>(n, [&](int64_t j, int64_t count) { return load(p + j, count); });
  if (value != nullptr)
    *value = static_cast<double>(sum_row<T>(n, [&](int64_t j, int64_t count) {
      const Vec<T> q = at_most(at_least(load(p + j, count) * inverse, lowest), highest);
      return -t.at(j, count) * log<T>(q);
    }));
  if (dp == nullptr) return;
  const auto active = [&](int64_t j, int64_t count) {
    const Vec<T> q = load(p + j, count) * inverse;
    return (q < lowest) | (q > highest) ? Vec<T>{} : t.at(j, count);
  };
  const T weight = sum_row<T>(n, active);
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    // An element that is clipped has weight 0, also where it is 0 and would divide.
    const Vec<T> w = active(j, count), q = load(p + j, count) * inverse;
    store(dp + j, (weight - (w == 0 ? Vec<T>{} : w / q)) * (inverse * scale), count);
  });
}

// What a row is to be multiplied by for its squares not to overflow: 1, where they do not; else so little that they do
// not, and so much that its norm is not among the small ones, which are bounded.
template <typename T>
T scale_down(const T* x, int64_t n) {
  constexpr T little = static_cast<T>(sizeof(T) == sizeof(float) ? 0x1p-80 : 0x1p-530);
  const T squares = sum_row<T>(n, [&](int64_t j, int64_t count) { return load(x + j, count) * load(x + j, count); });
  return squares < static_cast<T>(__builtin_inf()) ? T{1} : little;
}

// -sum(normalise(t) normalise(p)), where normalise(x) = x min(1 / |x|, 1 / eps)
template <typename T>
void cosine_similarity_row(double* value, T* dp, const T* p, const T* t, int64_t n, T scale) {
  const T st = scale_down(t, n), sp = scale_down(p, n);
  const auto product = [&](const T* a, T by_a, const T* b, T by_b) {
    return sum_row<T>(
        n, [&](int64_t j, int64_t count) { return (load(a + j, count) * by_a) * (load(b + j, count) * by_b); });
  };
  constexpr T most = static_cast<T>(1 / kEpsilon);
  const auto inverse_norm = [&](const T* a, T by) {
    const T inverse = 1 / __builtin_sqrt(product(a, by, a, by));
    return inverse > most ? most : static_cast<T>(inverse);
  };
  const T it = inverse_norm(t, st), ip = inverse_norm(p, sp);
  const T similarity = product(t, st, p, sp) * it * ip;
  if (value != nullptr) *value = -static_cast<double>(similarity);
  if (dp == nullptr) return;
  const T along = ip < most ? similarity * ip : T{0};  // the norm is a constant where it is bounded
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    const Vec<T> to = load(p + j, count) * sp, target = load(t + j, count) * st;
    store(dp + j, (to * (ip * along) - target * (it * ip)) * (scale * sp), count);
  });
}

// max(max_j((1 - t_j) p_j) - sum_j(t_j p_j) + 1, 0)
template <typename T>
void categorical_hinge_row(double* value, T* dp, const T* p, const T* t, int64_t n, T scale) {
  T positive = 0, negative = (1 - t[0]) * p[0];
  int64_t worst = 0;
  for (int64_t j = 0; j < n; ++j) {
    positive += t[j] * p[j];
    const T other = (1 - t[j]) * p[j];
    if (other > negative || other != other) {
      negative = other;
      worst = j;
    }
  }
  const T margin = negative - positive + 1;
  if (value != nullptr) *value = margin < 0 ? 0 : static_cast<double>(margin);
  if (dp == nullptr) return;
  for (int64_t j = 0; j < n; ++j) dp[j] = margin > 0 ? -t[j] * scale : T{0};
  if (margin > 0) dp[worst] += (1 - t[worst]) * scale;
}

// ---- the kernel

// Calls body(row) for this member's rows.
template <typename Body>
void for_rows(const Team& team, int64_t rows, int64_t columns, Body body) {
  constexpr int64_t slow = 4;  // logarithms and exponentials
  Look look(team);
  const Range mine = team.share(rows);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    body(row);
    look.after(columns * slow);
  }
}

template <typename T>
void loss(const Team& team, double* values, T* dpred, const T* pred, const TargetRows<T>& target, int64_t rows,
          int64_t columns, const LossSpec& spec, double scale) {
  assert(is_member(team) && rows >= 0 && columns > 0 && has(pred, rows * columns) && may_have(values, rows));
  assert((target.values == nullptr) != (target.labels == nullptr) || rows == 0);
  assert(apart(dpred, rows * columns, pred, rows * columns));
  const T a = static_cast<T>(spec.a), s = static_cast<T>(scale);
  const auto value = [&](int64_t row) { return values == nullptr ? nullptr : values + row; };
  const auto slope = [&](int64_t row) { return dpred == nullptr ? nullptr : dpred + row * columns; };
  const auto elementwise = [&](auto f) {
    for_rows(team, rows, columns, [&](int64_t row) {
      elementwise_row(value(row), slope(row), pred + row * columns, target.values + row * columns, columns, s, f);
    });
  };
  const auto whole = [&](auto row_loss) {
    for_rows(team, rows, columns, [&](int64_t row) {
      row_loss(value(row), slope(row), pred + row * columns, target.values + row * columns, columns, s);
    });
  };
  const auto classes = [&](auto row_loss) {
    for_rows(team, rows, columns, [&](int64_t row) {
      row_loss(value(row), slope(row), pred + row * columns, Classes<T>(target, row, columns, spec.a), columns, s);
    });
  };
  switch (spec.kind) {
    case Loss::mean_squared_error: return elementwise(SquaredError<T>{});
    case Loss::mean_absolute_error: return elementwise(AbsoluteError<T>{});
    case Loss::mean_absolute_percentage_error: return elementwise(AbsolutePercentageError<T>{});
    case Loss::mean_squared_logarithmic_error: return elementwise(SquaredLogarithmicError<T>{});
    case Loss::huber: return elementwise(Huber<T>{a});
    case Loss::log_cosh: return elementwise(LogCosh<T>{});
    case Loss::cosine_similarity: return whole(cosine_similarity_row<T>);
    case Loss::poisson: return elementwise(Poisson<T>{});
    case Loss::poisson_from_logs: return elementwise(PoissonFromLogs<T>{});
    case Loss::kl_divergence: return elementwise(KLDivergence<T>{});
    case Loss::binary_crossentropy: return elementwise(BinaryCrossentropy<T>{a});
    case Loss::binary_crossentropy_from_logits: return elementwise(BinaryCrossentropyFromLogits<T>{a});
    case Loss::categorical_crossentropy:
    case Loss::sparse_categorical_crossentropy: return classes(crossentropy_row<T>);
    case Loss::categorical_crossentropy_from_logits:
    case Loss::sparse_categorical_crossentropy_from_logits: return classes(crossentropy_from_logits_row<T>);
    case Loss::binary_focal_crossentropy: return elementwise(BinaryFocalCrossentropy<T>{Focus<T>(spec), a});
    case Loss::binary_focal_crossentropy_from_logits:
      return elementwise(BinaryFocalCrossentropyFromLogits<T>{Focus<T>(spec), a});
    case Loss::categorical_focal_crossentropy:
      return classes([&](double* v, T* dp, const T* p, const Classes<T>& t, int64_t n, T by) {
        if (spec.by_class != nullptr)
          return focal_crossentropy_row(v, dp, p, BalancedTargets<T, Classes<T>>{t, spec.by_class}, n, by,
                                        Focus<T>(spec));
        focal_crossentropy_row(v, dp, p, t, n, by, Focus<T>(spec));
      });
    case Loss::categorical_focal_crossentropy_from_logits:
      return classes([&](double* v, T* dz, const T* z, const Classes<T>& t, int64_t n, T by) {
        if (spec.by_class != nullptr)
          return focal_crossentropy_from_logits_row(v, dz, z, BalancedTargets<T, Classes<T>>{t, spec.by_class}, n, by,
                                                    Focus<T>(spec));
        focal_crossentropy_from_logits_row(v, dz, z, t, n, by, Focus<T>(spec));
      });
    case Loss::hinge: return elementwise(Hinge<T>{});
    case Loss::squared_hinge: return elementwise(SquaredHinge<T>{});
    case Loss::categorical_hinge: return whole(categorical_hinge_row<T>);
    case Loss::sum_squared_error: return elementwise(SumSquaredError<T>{});
    case Loss::perceptron: return elementwise(Perceptron<T>{});
    case Loss::mean_value: return elementwise(Value<T>{});
    case Loss::count: return;
  }
}

// ---- metrics

// Fewer than k scores are higher than that of the class; a score that is not finite is not among the best.
template <typename T>
double in_top(const T* p, int64_t n, int64_t label, double k) {
  const T score = p[label];
  if (!__builtin_isfinite(score)) return 0;
  int64_t higher = 0;
  for (int64_t j = 0; j < n; ++j) higher += p[j] > score;
  return static_cast<double>(higher) < k ? 1 : 0;
}

template <typename T>
double metric_row(const T* p, const TargetRows<T>& target, int64_t row, int64_t n, const MetricSpec& spec) {
  const T* t = target.values == nullptr ? nullptr : target.values + row * n;
  switch (spec.kind) {
    case Metric::binary_accuracy: {
      // Where the labels are -1 and 1 (hinge, perceptron), -1 is the class that 0 is elsewhere.
      int64_t right = 0;
      for (int64_t j = 0; j < n; ++j) right += p[j] > static_cast<T>(spec.a) ? t[j] == 1 : t[j] == 0 || t[j] == -1;
      return static_cast<double>(right) / static_cast<double>(n);
    }
    case Metric::categorical_accuracy: return row_argmax(p, n) == row_argmax(t, n);
    case Metric::sparse_categorical_accuracy: return row_argmax(p, n) == target.labels[row];
    case Metric::top_k_categorical_accuracy: return in_top(p, n, row_argmax(t, n), spec.a);
    case Metric::sparse_top_k_categorical_accuracy: return in_top(p, n, target.labels[row], spec.a);
    case Metric::count: break;
  }
  return 0;
}

template <typename T>
void metric(const Team& team, double* values, const T* pred, const TargetRows<T>& target, int64_t rows, int64_t columns,
            const MetricSpec& spec) {
  assert(is_member(team) && rows >= 0 && columns > 0 && has(pred, rows * columns) && has(values, rows));
  assert((target.values == nullptr) != (target.labels == nullptr) || rows == 0);
  for_rows(team, rows, columns,
           [&](int64_t row) { values[row] = metric_row(pred + row * columns, target, row, columns, spec); });
}

template <typename T>
void weigh(const Team& team, double* values, T* dpred, const RowWeights<T>& weights, int64_t rows, int64_t columns,
           bool masks_only) {
  assert(is_member(team) && rows >= 0 && columns > 0 && weights.each > 0 && has(values, rows));
  assert(may_have(dpred, rows * columns) && may_have(weights.values, (rows + weights.each - 1) / weights.each));
  assert(weights.mask_each > 0 && may_have(weights.mask, (rows + weights.mask_each - 1) / weights.mask_each));
  Look look(team);
  const Range mine = team.share(rows);
  for (int64_t row = mine.begin; row < mine.end; ++row) {
    look.after(1);
    const T weight = weights.of(row);
    if (weight >= 0 && (masks_only || weights.values == nullptr)) continue;
    T* slope = dpred == nullptr ? nullptr : dpred + row * columns;
    // As a T, so that a loss that is too large for one is told
    values[row] = weight < 0 ? 0 : static_cast<double>(static_cast<T>(values[row]) * weight);
    if (slope == nullptr) continue;
    for_vectors<T>(0, columns, [&](int64_t j, int64_t count) {
      store(slope + j, weight < 0 ? Vec<T>{} : load(slope + j, count) * weight, count);
    });
    look.after(columns);
  }
}

template <typename T>
void fill(LossKernels<T>& k) {
  k.loss = loss<T>;
  k.metric = metric<T>;
  k.weigh = weigh<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(losses, LossKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
