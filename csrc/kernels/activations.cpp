#include "activations.h"

#include "activation_blocks.h"
#include "activation_functions.h"
#include "checks.h"
#include "polling.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

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

// The output of these tells on which side of a kink the input is, and between the kinks it is the input, or has the
// slope in its formula.
bool gradient_from_output(const ActivationSpec& spec) {
  switch (spec.kind) {
    case Activation::linear:
    case Activation::relu6:
    case Activation::selu:
    case Activation::sigmoid:
    case Activation::tanh:
    case Activation::exponential: return true;
    case Activation::leaky_relu:
    case Activation::elu:
    case Activation::celu: return spec.a > 0;
    case Activation::relu: return spec.a >= 0 && spec.b > 0 && spec.c == 0;
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

// Calls body(i, j, count) for the vectors of this member's rows: i is the place in the results, j that in the rows of
// twice the length.
template <typename T, typename Body>
void for_halves(const Team& team, int64_t rows, int64_t half, Body body) {
  constexpr int64_t slow = 4;  // an exponential
  Look look(team);
  const Range mine = team.share(rows);
  for (int64_t row = mine.begin; row < mine.end; ++row)
    for_vectors<T>(0, half, [&](int64_t j, int64_t count) {
      body(row * half + j, 2 * row * half + j, count);
      look.after(count * slow);
    });
}

template <typename T>
void glu_forward(const Team& team, T* y, const T* x, int64_t rows, int64_t half) {
  assert(is_member(team) && half > 0 && has(x, 2 * rows * half) && has(y, rows * half));
  assert(apart(y, rows * half, x, 2 * rows * half));
  for_halves<T>(team, rows, half, [&](int64_t i, int64_t j, int64_t count) {
    store(y + i, load(x + j, count) * sigmoid<T>(load(x + j + half, count)), count);
  });
}

template <typename T>
void glu_backward(const Team& team, T* dx, const T* dy, const T* x, int64_t rows, int64_t half) {
  assert(is_member(team) && half > 0 && has(x, 2 * rows * half) && has(dy, rows * half) && has(dx, 2 * rows * half));
  assert(apart(dx, 2 * rows * half, dy, rows * half) && apart(dx, 2 * rows * half, x, 2 * rows * half));
  for_halves<T>(team, rows, half, [&](int64_t i, int64_t j, int64_t count) {
    const Vec<T> g = load(dy + i, count), gate = sigmoid<T>(load(x + j + half, count));
    store(dx + j, g * gate, count);
    store(dx + j + half, g * load(x + j, count) * (gate * (1 - gate)), count);
  });
}

template <typename T>
void fill(ActivationKernels<T>& k) {
  k.activation_forward = activation_forward<T>;
  k.activation_backward = activation_backward<T>;
  k.gradient_from_output = gradient_from_output;
  k.rescaling_forward = rescaling_forward<T>;
  k.rescaling_backward = rescaling_backward<T>;
  k.glu_forward = glu_forward<T>;
  k.glu_backward = glu_backward<T>;
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
