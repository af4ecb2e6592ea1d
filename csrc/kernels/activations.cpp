#include "activations.h"

#include "activation_blocks.h"
#include "checks.h"
#include "math.h"
#include "register.h"

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

// x * normal_cdf(x)
template <typename T>
struct Gelu {
  static constexpr T lowest = -40;
  Vec<T> forward(Vec<T> x) const {
    x = at_least(x, lowest);
    return x * normal_cdf<T>(x);
  }
  Vec<T> gradient(Vec<T> x, Vec<T>) const {
    constexpr T inverse_sqrt_2_pi = static_cast<T>(0.39894228040143267794);
    const Vec<T> b = at_most(at_least(x, lowest), -lowest);
    return normal_cdf<T>(b) + b * inverse_sqrt_2_pi * exp<T>(b * b * static_cast<T>(-0.5));
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

// Calls use(activation) with the activation that spec describes.
template <typename T, typename Use>
void with_activation(const ActivationSpec& spec, Use use) {
  const T a = static_cast<T>(spec.a), b = static_cast<T>(spec.b), c = static_cast<T>(spec.c);
  switch (spec.kind) {
    case Activation::linear: return use(Linear<T>{});
    case Activation::relu:
      if (a == 0 && c == 0 && b == static_cast<T>(__builtin_inf())) return use(Relu<T>{});
      return use(GeneralRelu<T>{a, b, c});
    case Activation::relu6: return use(GeneralRelu<T>{T{0}, T{6}, T{0}});
    case Activation::leaky_relu: return use(GeneralRelu<T>{a, static_cast<T>(__builtin_inf()), T{0}});
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
    case Activation::count: return;
  }
}

template <typename T>
void activate(T* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec) {
  if (spec.kind == Activation::linear) return;
  if (columns == ld) {  // one long row: rows shorter than a vector would leave most of it empty
    columns *= rows;
    rows = 1;
  }
  with_activation<T>(spec, [&](auto f) {
    for (int64_t i = 0; i < rows; ++i)
      for_vectors<T>(i * ld, i * ld + columns,
                     [&](int64_t at, int64_t count) { store(y + at, f.forward(load(y + at, count)), count); });
  });
}

template <typename T>
void multiply_by_slope(T* dy, const T* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec) {
  if (spec.kind == Activation::linear) return;
  with_activation<T>(spec, [&](auto f) {
    for (int64_t i = 0; i < rows; ++i)
      for_vectors<T>(i * ld, i * ld + columns, [&](int64_t at, int64_t count) {
        const Vec<T> out = load(y + at, count);
        store(dy + at, load(dy + at, count) * f.gradient(out, out), count);
      });
  });
}

// Between the kinks, the output of these is the input or has the slope in its formula.
bool gradient_from_output(const ActivationSpec& spec) {
  switch (spec.kind) {
    case Activation::linear:
    case Activation::relu6:
    case Activation::sigmoid:
    case Activation::tanh:
    case Activation::exponential: return true;
    case Activation::relu: return spec.a == 0 && spec.b > 0 && spec.c == 0;
    default: return false;
  }
}

// Elements between two looks for Ctrl-C; also how finely elementwise work is shared.
constexpr int64_t kChunk = 4096, kGrain = 64;

// Calls body(i, count) for the vectors of this member's share of 0..n-1.
template <typename T, typename Body>
void for_share(const Team& team, int64_t n, Body body) {
  const Range mine = team.share(n, kGrain);
  for (int64_t i = mine.begin; i < mine.end; i += kChunk) {
    if (i > mine.begin) team.poll();
    for_vectors<T>(i, i + kChunk < mine.end ? i + kChunk : mine.end, body);
  }
}

template <typename T>
void activation_forward(const Team& team, T* y, const T* x, int64_t n, const ActivationSpec& spec) {
  assert(is_member(team) && has(x, n) && has(y, n) && same_or_apart<T>(y, x, n));
  with_activation<T>(spec, [&](auto f) {
    for_share<T>(team, n, [&](int64_t i, int64_t count) { store(y + i, f.forward(load(x + i, count)), count); });
  });
}

template <typename T>
void activation_backward(const Team& team, T* dx, const T* dy, const T* x, const T* y, int64_t n,
                         const ActivationSpec& spec) {
  assert(is_member(team) && has(dx, n) && has(dy, n) && has(x, n) && has(y, n) && same_or_apart<T>(dx, dy, n));
  with_activation<T>(spec, [&](auto f) {
    for_share<T>(team, n, [&](int64_t i, int64_t count) {
      const Vec<T> slope = f.gradient(load(x + i, count), load(y + i, count));
      store(dx + i, load(dy + i, count) * slope, count);
    });
  });
}

// Calls body(i, j, count) for vectors along rows of `period` elements, j being the place in the row; where period is 1,
// along all, with -1.
template <typename T, typename Body>
void for_periods(const Team& team, int64_t n, int64_t period, Body body) {
  if (period == 1) {
    for_share<T>(team, n, [&](int64_t i, int64_t count) { body(i, int64_t{-1}, count); });
    return;
  }
  constexpr int64_t together = 16384;  // elements between two looks for Ctrl-C
  const int64_t some = period < together ? together / period : 1;
  const Range rows = team.share(n / period);
  for (int64_t row = rows.begin; row < rows.end; row += some)
    for (int64_t begin = 0; begin < period; begin += together) {
      const int64_t last = row + some < rows.end ? row + some : rows.end;
      const int64_t end = begin + together < period ? begin + together : period;
      for (int64_t i = row; i < last; ++i)
        for_vectors<T>(begin, end, [&](int64_t j, int64_t count) { body(i * period + j, j, count); });
      team.poll();
    }
}

// The elements of `values` for a vector that begins at column j, or its only element where j is -1.
template <typename T>
PYNN_INLINE Vec<T> periodic(const T* values, int64_t j, int64_t count) {
  return j < 0 ? splat(values[0]) : load(values + j, count);
}

template <typename T>
void rescaling_forward(const Team& team, T* y, const T* x, int64_t n, const T* mean, const T* scale, const T* offset,
                       int64_t period) {
  assert(is_member(team) && has(x, n) && has(y, n) && same_or_apart<T>(y, x, n));
  assert(period > 0 && n % period == 0 && scale != nullptr && offset != nullptr);
  const auto rescale = [&](auto center) {
    for_periods<T>(team, n, period, [&](int64_t i, int64_t j, int64_t count) {
      const Vec<T> v = center(load(x + i, count), j, count);
      store(y + i, v * periodic(scale, j, count) + periodic(offset, j, count), count);
    });
  };
  if (mean == nullptr)
    rescale([](Vec<T> v, int64_t, int64_t) { return v; });
  else
    rescale([&](Vec<T> v, int64_t j, int64_t count) { return v - periodic(mean, j, count); });
}

template <typename T>
void rescaling_backward(const Team& team, T* dx, const T* dy, int64_t n, const T* scale, int64_t period) {
  assert(is_member(team) && has(dx, n) && has(dy, n) && same_or_apart<T>(dx, dy, n));
  assert(period > 0 && n % period == 0 && scale != nullptr);
  for_periods<T>(team, n, period, [&](int64_t i, int64_t j, int64_t count) {
    store(dx + i, load(dy + i, count) * periodic(scale, j, count), count);
  });
}

template <typename T>
void add_to(T* y, const T* x, int64_t n) {
  for_vectors<T>(0, n, [&](int64_t i, int64_t count) { store(y + i, load(y + i, count) + load(x + i, count), count); });
}

template <typename T>
void fill(ActivationKernels<T>& k) {
  k.activation_forward = activation_forward<T>;
  k.activation_backward = activation_backward<T>;
  k.gradient_from_output = gradient_from_output;
  k.rescaling_forward = rescaling_forward<T>;
  k.rescaling_backward = rescaling_backward<T>;
  k.add_to = add_to<T>;
}

}  // namespace

#define PYNN_DEFINE_BLOCKS(T)                                                                                  \
  void activate_block(T* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec) {           \
    activate(y, rows, columns, ld, spec);                                                                      \
  }                                                                                                            \
  void slope_block(T* dy, const T* y, int64_t rows, int64_t columns, int64_t ld, const ActivationSpec& spec) { \
    multiply_by_slope(dy, y, rows, columns, ld, spec);                                                         \
  }
PYNN_DEFINE_BLOCKS(float)
PYNN_DEFINE_BLOCKS(double)

PYNN_DEFINE_REGISTER(activations, ActivationKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
