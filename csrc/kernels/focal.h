// The focal cross-entropies (Lin et al., 2018, Focal loss for dense object detection): the loss of an element whose
// probability is right counts less, by the factor m^gamma, m being the probability that is missing.
#pragma once

#include "losses.h"
#include "math.h"
#include "reductions.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

constexpr double kEpsilon = 1e-7;  // Keras's backend epsilon: keeps logarithms and quotients finite

template <typename T>
struct Focus {
  T gamma, alpha;

  explicit Focus(const LossSpec& spec) : gamma(static_cast<T>(spec.b)), alpha(static_cast<T>(spec.c)) {}

  // m^gamma, and its derivative by m. So little is added to an m of 0 that only roots tell.
  Vec<T> factor(Vec<T> m) const { return exp<T>(gamma * log<T>(above_zero(m))); }
  Vec<T> slope(Vec<T> m) const { return gamma * exp<T>((gamma - 1) * log<T>(above_zero(m))); }
  static Vec<T> above_zero(Vec<T> m) {
    return at_least(m, static_cast<T>(sizeof(T) == sizeof(float) ? 1e-37 : 1e-300));
  }

  // What balances binary classes; 1 where they are not.
  Vec<T> balance(Vec<T> t) const { return alpha < 0 ? splat<T>(1) : t * alpha + (1 - t) * (1 - alpha); }
};

// -m^gamma (t log(q) + (1 - t) log(1 - q)), q = p clipped to [eps, 1 - eps], m = t (1 - p) + (1 - t) p
template <typename T>
struct BinaryFocalCrossentropy {
  static constexpr bool mean = true;
  Focus<T> focus;
  T smoothing;
  static constexpr T lowest = static_cast<T>(kEpsilon), highest = static_cast<T>(1 - kEpsilon);
  Vec<T> smooth(Vec<T> t) const { return t * (1 - smoothing) + smoothing / 2; }
  static Vec<T> missing(Vec<T> s, Vec<T> p) { return s * (1 - p) + (1 - s) * p; }
  static Vec<T> crossentropy(Vec<T> s, Vec<T> p) {
    const Vec<T> q = at_most(at_least(p, lowest), highest);
    return -(s * log<T>(q) + (1 - s) * log<T>(1 - q));
  }
  Vec<T> value(Vec<T> t, Vec<T> p) const {
    const Vec<T> s = smooth(t);
    return focus.balance(s) * focus.factor(missing(s, p)) * crossentropy(s, p);
  }
  Vec<T> derivative(Vec<T> t, Vec<T> p) const {
    const Vec<T> s = smooth(t), m = missing(s, p);
    const Vec<T> inner = (p < lowest) | (p > highest) ? Vec<T>{} : (p - s) / (p * (1 - p));
    return focus.balance(s) * (focus.slope(m) * (1 - 2 * s) * crossentropy(s, p) + focus.factor(m) * inner);
  }
};

// The same of p = sigmoid(z), where nothing is clipped: t log(p) + (1 - t) log(1 - p) = t z - softplus(z)
template <typename T>
struct BinaryFocalCrossentropyFromLogits {
  static constexpr bool mean = true;
  Focus<T> focus;
  T smoothing;
  Vec<T> smooth(Vec<T> t) const { return t * (1 - smoothing) + smoothing / 2; }
  static Vec<T> missing(Vec<T> s, Vec<T> z) { return s * sigmoid<T>(-z) + (1 - s) * sigmoid<T>(z); }
  Vec<T> value(Vec<T> t, Vec<T> z) const {
    const Vec<T> s = smooth(t);
    return focus.balance(s) * focus.factor(missing(s, z)) * (softplus<T>(z) - z * s);
  }
  Vec<T> derivative(Vec<T> t, Vec<T> z) const {
    const Vec<T> s = smooth(t), m = missing(s, z), p = sigmoid<T>(z);
    const Vec<T> by_logit = (1 - 2 * s) * (p * sigmoid<T>(-z));  // of m
    return focus.balance(s) * (focus.slope(m) * by_logit * (softplus<T>(z) - z * s) + focus.factor(m) * (p - s));
  }
};

// Targets, each times the alpha of its class.
template <typename T, typename Targets>
struct BalancedTargets {
  const Targets& targets;
  const double* alphas;

  Vec<T> at(int64_t j, int64_t count) const {
    Vec<T> alpha{};
    for (int64_t lane = 0; lane < count; ++lane) alpha[lane] = static_cast<T>(alphas[j + lane]);
    return targets.at(j, count) * alpha;
  }
};

// -alpha sum_j t_j (1 - q_j)^gamma log(q_j), q = p / sum(p) clipped to [eps, 1 - eps]
template <typename T, typename Targets>
void focal_crossentropy_row(double* value, T* dp, const T* p, const Targets& t, int64_t n, T scale,
                            const Focus<T>& focus) {
  constexpr T lowest = static_cast<T>(kEpsilon), highest = static_cast<T>(1 - kEpsilon);
  const T inverse = 1 / sum_row<T>(n, [&](int64_t j, int64_t count) { return load(p + j, count); });
  const auto clipped = [&](Vec<T> q) { return at_most(at_least(q, lowest), highest); };
  if (value != nullptr)
    *value = static_cast<double>(focus.alpha * sum_row<T>(n, [&](int64_t j, int64_t count) {
                                   const Vec<T> q = clipped(load(p + j, count) * inverse);
                                   return -t.at(j, count) * focus.factor(1 - q) * log<T>(q);
                                 }));
  if (dp == nullptr) return;
  // The derivatives by q first, then those by p.
  const T along = sum_row<T>(n, [&](int64_t j, int64_t count) {
    const Vec<T> q = load(p + j, count) * inverse, c = clipped(q);
    const Vec<T> by_q = t.at(j, count) * (focus.slope(1 - c) * log<T>(c) - focus.factor(1 - c) / c);
    const Vec<T> active = (q < lowest) | (q > highest) ? Vec<T>{} : by_q;
    store(dp + j, active, count);
    return active * q;
  });
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    store(dp + j, (load(dp + j, count) - along) * (inverse * focus.alpha * scale), count);
  });
}

// The same of q = softmax(z), where nothing is clipped.
template <typename T, typename Targets>
void focal_crossentropy_from_logits_row(double* value, T* dz, const T* z, const Targets& t, int64_t n, T scale,
                                        const Focus<T>& focus) {
  const T highest = row_max(z, n);
  const T total = sum_row<T>(n, [&](int64_t j, int64_t count) { return exp<T>(load(z + j, count) - highest); });
  const T log_total = log<T>(splat(total))[0], inverse = 1 / total;
  const auto probability = [&](int64_t j, int64_t count) { return exp<T>(load(z + j, count) - highest) * inverse; };
  const auto log_probability = [&](int64_t j, int64_t count) { return (load(z + j, count) - highest) - log_total; };
  if (value != nullptr)
    *value = static_cast<double>(focus.alpha * sum_row<T>(n, [&](int64_t j, int64_t count) {
                                   const Vec<T> w = t.at(j, count);
                                   // A class of probability 0 that is not asked for adds nothing.
                                   const Vec<T> loss = -w * focus.factor(1 - probability(j, count));
                                   return w == 0 ? Vec<T>{} : loss * log_probability(j, count);
                                 }));
  if (dz == nullptr) return;
  const T along = sum_row<T>(n, [&](int64_t j, int64_t count) {
    const Vec<T> q = probability(j, count), w = t.at(j, count);
    const Vec<T> by_log = w * (focus.slope(1 - q) * q * log_probability(j, count) - focus.factor(1 - q));
    const Vec<T> asked = w == 0 ? Vec<T>{} : by_log;
    store(dz + j, asked, count);
    return asked;
  });
  for_vectors<T>(0, n, [&](int64_t j, int64_t count) {
    store(dz + j, (load(dz + j, count) - probability(j, count) * along) * (focus.alpha * scale), count);
  });
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
