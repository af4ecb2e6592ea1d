// The activations as functions of vectors: values and derivatives.
#pragma once

#include "activation_spec.h"
#include "math.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// An activation is a pair: forward(x), and gradient(x, y) = f'(x) given y = f(x). At a kink the derivative is the one
// of Keras. Where f has a limit at minus infinity that its formula misses (inf * 0), x is bounded first.

template <typename T>
struct Linear {
  Vec<T> forward(Vec<T> x) const { return x; }
  Vec<T> gradient(Vec<T>, Vec<T>) const { return splat<T>(1); }
};

template <typename T>
struct Relu {
  Vec<T> forward(Vec<T> x) const { return at_least(x, T{0}); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return x > 0 ? splat<T>(1) : Vec<T>{}; }
};

// min(x, max_value) if x > threshold, else slope * (x - threshold)
template <typename T>
struct GeneralRelu {
  T slope, max_value, threshold;
  T lowest;  // the lowest x that stays; 0 where the threshold is 0: either formula makes 0 of it, and this keeps its
             // sign
  GeneralRelu(T a, T b, T c)
      : slope(a), max_value(b), threshold(c), lowest(c == 0 ? c : static_cast<T>(next_above(c))) {}
  static float next_above(float x) { return __builtin_nextafterf(x, __builtin_inff()); }
  static double next_above(double x) { return __builtin_nextafter(x, __builtin_inf()); }
  Vec<T> forward(Vec<T> x) const {
    const Vec<T> below = slope == 0 ? Vec<T>{} : (x - threshold) * slope;
    return at_most(x < lowest ? below : x, max_value);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> above = x < max_value ? splat<T>(1) : Vec<T>{};
    return x <= threshold ? splat(slope) : above;
  }
};

// x if x >= 0, else slope * x. At 0 the slope is 1, as in JAX.
template <typename T>
struct LeakyRelu {
  T slope;
  Vec<T> forward(Vec<T> x) const { return x < 0 ? x * slope : x; }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return x < 0 ? splat(slope) : splat<T>(1); }
};

// x if x > 0, else alpha * (exp(x) - 1)
template <typename T>
struct Elu {
  T alpha;
  Vec<T> forward(Vec<T> x) const { return x > 0 ? x : alpha * expm1<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T> y) const { return x > 0 ? splat<T>(1) : y + alpha; }
};

// scale * elu(x, alpha), with the constants of Klambauer et al. (2017), Self-normalizing neural networks
template <typename T>
struct Selu {
  static constexpr T alpha = static_cast<T>(1.6732632423543772848170429916717);
  static constexpr T scale = static_cast<T>(1.0507009873554804934193349852946);
  Vec<T> forward(Vec<T> x) const { return x > 0 ? x * scale : (alpha * scale) * expm1<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T> y) const { return x > 0 ? splat(scale) : y + alpha * scale; }
};

// max(x, 0) + min(0, alpha * (exp(x / alpha) - 1))
template <typename T>
struct Celu {
  T alpha;
  Vec<T> forward(Vec<T> x) const { return x > 0 ? x : alpha * expm1<T>(x / alpha); }
  Vec<T> gradient(Vec<T> x, Vec<T> y) const { return x > 0 ? splat<T>(1) : y / alpha + 1; }
};

// x * normal(x).cdf
template <typename T>
struct Gelu {
  static constexpr T lowest = -40;
  Vec<T> forward(Vec<T> x) const {
    x = at_least(x, lowest);
    return x * normal<T>(x).cdf;
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    constexpr T inverse_sqrt_2_pi = static_cast<T>(0.39894228040143267794);
    const Vec<T> b = at_most(at_least(x, lowest), -lowest);
    const Normal<T> n = normal<T>(b);
    return n.cdf + b * inverse_sqrt_2_pi * n.bell;
  }
};

// x / 2 * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 x^3))) = x * sigmoid(2 sqrt(2 / pi) * (x + 0.044715 x^3))
template <typename T>
struct GeluTanh {
  static constexpr T lowest = -40;
  static constexpr T k = static_cast<T>(2 * 0.79788456080286535588), cubic = static_cast<T>(0.044715);
  Vec<T> forward(Vec<T> x) const {
    x = at_least(x, lowest);
    return x * sigmoid<T>((x + cubic * x * x * x) * k);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> b = at_most(at_least(x, lowest), -lowest);
    const Vec<T> s = sigmoid<T>((b + cubic * b * b * b) * k);
    return s + b * s * (1 - s) * (k + 3 * k * cubic * b * b);
  }
};

// x * sigmoid(x)
template <typename T>
struct Silu {
  Vec<T> forward(Vec<T> x) const {
    x = at_least(x, Constants<T>::vanishes);
    return x * sigmoid<T>(x);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> b = at_most(at_least(x, Constants<T>::vanishes), -Constants<T>::vanishes);
    const Vec<T> s = sigmoid<T>(b);
    return s + b * s * (1 - s);
  }
};

// x * tanh(softplus(x)); with e = exp(x), tanh(softplus(x)) = n / (n + 2), n = e (e + 2)
template <typename T>
struct Mish {
  static constexpr T flat = 20;  // tanh(softplus(x)) is 1 beyond
  Vec<T> forward(Vec<T> x) const {
    x = at_least(x, Constants<T>::vanishes);
    return x * tanh_softplus(x);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> b = at_most(at_least(x, Constants<T>::vanishes), -Constants<T>::vanishes);
    const Vec<T> w = tanh_softplus(b);
    return w + b * (1 - w * w) * sigmoid<T>(b);
  }
  static Vec<T> tanh_softplus(Vec<T> x) {
    const Vec<T> e = exp<T>(at_most(x, flat));
    const Vec<T> n = e * (e + 2);
    return n / (n + 2);
  }
};

template <typename T>
struct Sigmoid {
  Vec<T> forward(Vec<T> x) const { return sigmoid<T>(x); }
  Vec<T> gradient(Vec<T>, Vec<T> y) const { return y * (1 - y); }
};

template <typename T>
struct LogSigmoid {
  Vec<T> forward(Vec<T> x) const { return -softplus<T>(-x); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return sigmoid<T>(-x); }
};

// relu6(x + 3) / 6
template <typename T>
struct HardSigmoid {
  Vec<T> forward(Vec<T> x) const { return at_most(at_least(x + 3, T{0}), T{6}) / 6; }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return (x > -3) & (x < 3) ? splat(static_cast<T>(1.0 / 6)) : Vec<T>{}; }
};

// x * hard_sigmoid(x)
template <typename T>
struct HardSilu {
  Vec<T> forward(Vec<T> x) const {
    x = at_least(x, T{-3});
    return x * HardSigmoid<T>{}.forward(x);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> inside = (2 * x + 3) / 6;
    return x > 3 ? splat<T>(1) : (x < -3 ? Vec<T>{} : inside);
  }
};

template <typename T>
struct Tanh {
  Vec<T> forward(Vec<T> x) const { return tanh<T>(x); }
  Vec<T> gradient(Vec<T>, Vec<T> y) const { return 1 - y * y; }
};

template <typename T>
struct HardTanh {
  Vec<T> forward(Vec<T> x) const { return at_most(at_least(x, T{-1}), T{1}); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return (x > -1) & (x < 1) ? splat<T>(1) : Vec<T>{}; }
};

template <typename T>
struct Softplus {
  Vec<T> forward(Vec<T> x) const { return softplus<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return sigmoid<T>(x); }
};

// x / (1 + |x|)
template <typename T>
struct Softsign {
  Vec<T> forward(Vec<T> x) const {
    x = at_most(at_least(x, -Constants<T>::huge), Constants<T>::huge);
    return x / (absolute<T>(x) + 1);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> d = absolute<T>(x) + 1;
    return 1 / (d * d);
  }
};

template <typename T>
struct Exponential {
  Vec<T> forward(Vec<T> x) const { return exp<T>(x); }
  Vec<T> gradient(Vec<T>, Vec<T> y) const { return y; }
};

// 1 if x > 0, else 0 (NaN stays). It has no gradient: whoever would need one is refused before.
template <typename T>
struct Step {
  Vec<T> forward(Vec<T> x) const { return x > 0 ? splat<T>(1) : (x == x ? Vec<T>{} : x); }
  Vec<T> gradient(Vec<T>, Vec<T>) const { return Vec<T>{}; }
};

// (x + r) / 2, r = sqrt(x^2 + b) (Barron, 2021, Squareplus); for x < 0 as b / 2 / (r - x), where the sum would cancel
template <typename T>
struct Squareplus {
  T b;
  Vec<T> forward(Vec<T> x) const {
    const Vec<T> r = root(bounded(x)), size = absolute<T>(x);
    return half_sum(x, size > r ? size : r);  // of a large x the square would overflow
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {  // f(x) / r
    const Vec<T> at = bounded(x), r = root(at);
    return r == 0 ? splat(static_cast<T>(0.5)) : half_sum(at, r) / r;
  }
  static Vec<T> bounded(Vec<T> x) { return at_most(at_least(x, -Constants<T>::huge), Constants<T>::huge); }
  Vec<T> root(Vec<T> x) const { return square_root<T>(x * x + b); }
  Vec<T> half_sum(Vec<T> x, Vec<T> r) const {
    constexpr T half = static_cast<T>(0.5);
    return x < 0 ? b * half / (r - x) : x * half + r * half;
  }
};

// The shrinking functions and the threshold keep NaN.

// x if |x| > threshold, else 0
template <typename T>
struct HardShrink {
  T threshold;
  Vec<T> forward(Vec<T> x) const { return absolute<T>(x) <= threshold ? Vec<T>{} : x; }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return absolute<T>(x) > threshold ? splat<T>(1) : Vec<T>{}; }
};

// x - threshold if x > threshold, x + threshold if x < -threshold, else 0
template <typename T>
struct SoftShrink {
  T threshold;
  Vec<T> forward(Vec<T> x) const {
    const Vec<T> below = x < -threshold ? x + threshold : (x == x ? Vec<T>{} : x);
    return x > threshold ? x - threshold : below;
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return (x > threshold) | (x < -threshold) ? splat<T>(1) : Vec<T>{}; }
};

// x - tanh(x); its slope is 1 - (1 - tanh(x)^2)
template <typename T>
struct TanhShrink {
  Vec<T> forward(Vec<T> x) const { return x - tanh<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    const Vec<T> t = tanh<T>(x);
    return t * t;
  }
};

// x if x > threshold, else value
template <typename T>
struct Threshold {
  T threshold, value;
  Vec<T> forward(Vec<T> x) const { return x <= threshold ? splat(value) : x; }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return x > threshold ? splat<T>(1) : Vec<T>{}; }
};

// Functions of elements that no layer has as its activation

template <typename T>
struct Log {
  Vec<T> forward(Vec<T> x) const { return log<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return 1 / x; }
};

// The logarithm of the rounded sum, and what the rounding lost.
template <typename T>
struct Log1p {
  Vec<T> forward(Vec<T> x) const {
    const Vec<T> sum = x + 1, y = log<T>(sum);
    return sum == 0 || sum == static_cast<T>(__builtin_inf()) ? y : y + (x - (sum - 1)) / sum;
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return 1 / (x + 1); }
};

// The C library's, number by number.
template <typename T>
Vec<T> sine(Vec<T> x) {
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i) x[i] = sizeof(T) == 4 ? __builtin_sinf(x[i]) : __builtin_sin(x[i]);
  return x;
}

template <typename T>
Vec<T> cosine(Vec<T> x) {
#pragma GCC unroll 16
  for (int64_t i = 0; i < kWidth<T>; ++i) x[i] = sizeof(T) == 4 ? __builtin_cosf(x[i]) : __builtin_cos(x[i]);
  return x;
}

template <typename T>
struct Sin {
  Vec<T> forward(Vec<T> x) const { return sine<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return cosine<T>(x); }
};

template <typename T>
struct Cos {
  Vec<T> forward(Vec<T> x) const { return cosine<T>(x); }
  Vec<T> gradient(Vec<T> x, Vec<T>) const { return -sine<T>(x); }
};

template <typename T>
struct StopGradient {
  Vec<T> forward(Vec<T> x) const { return x; }
  Vec<T> gradient(Vec<T>, Vec<T>) const { return Vec<T>{}; }
};

// Calls use(activation) with the activation that spec describes.
template <typename T, typename Use>
void with_activation(const ActivationSpec& spec, Use use) {
  const T a = static_cast<T>(spec.a), b = static_cast<T>(spec.b), c = static_cast<T>(spec.c);
  switch (spec.kind) {
    case Activation::linear: return use(Linear<T>{});
    case Activation::relu:
      if (c != 0 || b != static_cast<T>(__builtin_inf())) return use(GeneralRelu<T>{a, b, c});
      return a == 0 ? use(Relu<T>{}) : use(LeakyRelu<T>{a});
    case Activation::relu6: return use(GeneralRelu<T>{T{0}, T{6}, T{0}});
    case Activation::leaky_relu: return a == 0 ? use(Relu<T>{}) : use(LeakyRelu<T>{a});
    case Activation::elu: return use(Elu<T>{a});
    case Activation::selu: return use(Selu<T>{});
    case Activation::celu: return use(Celu<T>{a});
    case Activation::gelu: return use(Gelu<T>{});
    case Activation::gelu_tanh: return use(GeluTanh<T>{});
    case Activation::silu: return use(Silu<T>{});
    case Activation::mish: return use(Mish<T>{});
    case Activation::sigmoid: return use(Sigmoid<T>{});
    case Activation::log_sigmoid: return use(LogSigmoid<T>{});
    case Activation::hard_sigmoid: return use(HardSigmoid<T>{});
    case Activation::hard_silu: return use(HardSilu<T>{});
    case Activation::tanh: return use(Tanh<T>{});
    case Activation::hard_tanh: return use(HardTanh<T>{});
    case Activation::softplus: return use(Softplus<T>{});
    case Activation::softsign: return use(Softsign<T>{});
    case Activation::exponential: return use(Exponential<T>{});
    case Activation::step: return use(Step<T>{});
    case Activation::squareplus: return use(Squareplus<T>{a});
    case Activation::hard_shrink: return use(HardShrink<T>{a});
    case Activation::soft_shrink: return use(SoftShrink<T>{a});
    case Activation::tanh_shrink: return use(TanhShrink<T>{});
    case Activation::threshold: return use(Threshold<T>{a, b});
    case Activation::log: return use(Log<T>{});
    case Activation::log1p: return use(Log1p<T>{});
    case Activation::sin: return use(Sin<T>{});
    case Activation::cos: return use(Cos<T>{});
    case Activation::stop_gradient: return use(StopGradient<T>{});
    case Activation::count: return;
  }
}

}  // namespace
}  // namespace PYNN_ISA
}  // namespace pynn
