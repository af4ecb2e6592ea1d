#include "noise.h"

#include "checks.h"
#include "math.h"
#include "polling.h"
#include "random_words.h"
#include "register.h"

namespace pynn {
namespace PYNN_ISA {
namespace {

// The quantile of the standard normal distribution: a normal number is below it with probability p, 0 < p < 1. In
// double: Acklam's rational approximations (2003), within 1.2e-9. In float, where their terms would cancel: Giles's
// polynomials for the inverse of the error function (Approximating the erfinv function, GPU Computing Gems, 2011),
// within 1e-6.
PYNN_INLINE Vec<float> normal_quantile(Vec<float> p) {
  constexpr float middle[] = {1.50140941f,      0.246640727f,    -0.00417768164f, -0.00125372503f, 0.00021858087f,
                              -4.39150654e-06f, -3.5233877e-06f, 3.43273939e-07f, 2.81022636e-08f};
  constexpr float outer[] = {2.83297682f,     1.00167406f,    0.00943887047f,  -0.0076224613f,  0.00573950773f,
                             -0.00367342844f, 0.00134934322f, 0.000100950558f, -0.000200214257f};
  const Vec<float> w = -log<float>(4 * p * (1 - p)), far = square_root<float>(w) - 3;
  const Vec<float> slope = w < 5 ? polynomial<float>(w - 2.5f, middle) : polynomial<float>(far, outer);
  return (2 * p - 1) * 0x1.6a09e6p+0f * slope;
}

PYNN_INLINE Vec<double> normal_quantile(Vec<double> p) {
  const Vec<double> q = p - 0.5, r = q * q;
  const Vec<double> middle =
      q *
      (((((-3.969683028665376e+01 * r + 2.209460984245205e+02) * r + -2.759285104469687e+02) * r +
         1.383577518672690e+02) *
            r +
        -3.066479806614716e+01) *
           r +
       2.506628277459239e+00) /
      (((((-5.447609879822406e+01 * r + 1.615858368580409e+02) * r + -1.556989798598866e+02) * r +
         6.680131188771972e+01) *
            r +
        -1.328068155288572e+01) *
           r +
       1);
  const Vec<double> tail = q < 0 ? p : 1 - p, s = square_root<double>(-2 * log<double>(tail));
  const Vec<double> outer =
      (((((-7.784894002430293e-03 * s + -3.223964580411365e-01) * s + -2.400758277161838e+00) * s +
         -2.549732539343734e+00) *
            s +
        4.374664141464968e+00) *
           s +
       2.938163982698783e+00) /
      ((((7.784695709041462e-03 * s + 3.224671290700398e-01) * s + 2.445134137142996e+00) * s + 3.754408661907416e+00) *
           s +
       1);
  return tail < 0.02425 ? (q < 0 ? outer : -outer) : middle;
}

// A number of (0, 1) with as many bits as T has, at most 32.
float open_unit(uint32_t word, float) { return (static_cast<float>(word >> 9) + 0.5f) * 0x1p-23f; }
double open_unit(uint32_t word, double) { return (static_cast<double>(word) + 0.5) * 0x1p-32; }

// The least value of selu.
constexpr double kLeastSelu = -1.0507009873554805 * 1.6732632423543772;

// The slope of alpha dropout's line.
double kept_scale(double rate) { return 1 / __builtin_sqrt((1 - rate) * (1 + rate * kLeastSelu * kLeastSelu)); }

// What a dropped element becomes, and what is added to the others.
template <typename T>
struct Ends {
  T dropped, offset;
};

template <typename T>
Ends<T> ends(const NoiseSpec& spec) {
  if (spec.kind != Noise::alpha_dropout || spec.backward) return {0, 0};
  const double rate = spec.amount, offset = -kept_scale(rate) * kLeastSelu * rate;
  // kept_scale kLeastSelu + offset, also where rate is 1
  const double dropped = kLeastSelu * __builtin_sqrt((1 - rate) / (1 + rate * kLeastSelu * kLeastSelu));
  return {static_cast<T>(dropped), static_cast<T>(offset)};
}

// What a block's elements are multiplied by, or what is added to them.
template <typename T>
void draw(T* out, const NoiseSpec& spec, uint64_t block) {
  uint32_t words[kBlock];
  random_words(words, spec.seed, spec.step, block);
  if (spec.kind == Noise::dropout || spec.kind == Noise::alpha_dropout) {
    const uint64_t dropped = dropped_below(spec.amount);
    const T scale = static_cast<T>(spec.kind == Noise::dropout ? 1 / (1 - spec.amount) : kept_scale(spec.amount));
    for (int64_t i = 0; i < kBlock; ++i) out[i] = words[i] < dropped ? T{0} : scale;
    return;
  }
  const T mean = spec.kind == Noise::gaussian_noise ? T{0} : T{1}, deviation = static_cast<T>(spec.amount);
  for (int64_t i = 0; i < kBlock; ++i) out[i] = open_unit(words[i], T{});
  for (int64_t i = 0; i < kBlock; i += kWidth<T>) store(out + i, mean + deviation * normal_quantile(load(out + i)));
}

template <typename T>
PYNN_INLINE Vec<T> with_noise(Vec<T> v, Vec<T> drawn, Noise kind, const Ends<T>& ends) {
  if (kind == Noise::gaussian_noise) return v + drawn;
  if (kind == Noise::gaussian_dropout) return v * drawn;
  // What is dropped is so also where it was infinite.
  return drawn == 0 ? splat(ends.dropped) : (kind == Noise::dropout ? v * drawn : v * drawn + ends.offset);
}

template <typename T>
void noise(const Team& team, T* y, const T* x, int64_t samples, int64_t first, const NoiseShape& shape,
           const NoiseSpec& spec) {
  assert(is_member(team) && samples >= 0 && first >= 0 && has(x, samples * shape.size) && has(y, samples * shape.size));
  assert(same_or_apart<T>(y, x, samples * shape.size) && shape.columns > 0 && shape.inner > 0 && shape.rows > 0);
  assert(shape.size == shape.rows * shape.columns * shape.inner * shape.repeats);
  assert(shape.row_at != nullptr && shape.repeat_at != nullptr);
  const int64_t columns = shape.columns, inner = shape.inner, numbers = shape.rows * columns;
  const int64_t blocks = (numbers + kBlock - 1) / kBlock;
  const Noise kind = spec.kind;
  const Ends<T> end_values = ends<T>(spec);
  const Range mine = team.share(samples * blocks);
  Look look(team);
  for (int64_t unit = mine.begin; unit < mine.end; ++unit) {
    const int64_t sample = unit / blocks, begin = unit % blocks * kBlock;
    const int64_t end = begin + kBlock < numbers ? begin + kBlock : numbers;
    T drawn[kBlock];
    draw(drawn, spec, static_cast<uint64_t>((shape.samples_alike ? 0 : first + sample) * blocks + unit % blocks));
    int64_t i = begin / columns, j = begin % columns, count;
    for (int64_t k = begin; k < end; k += count, ++i, j = 0) {  // what the block has of row i, from j on
      count = columns - j < end - k ? columns - j : end - k;
      const T* m = drawn + (k - begin);
      for (int64_t r = 0; r < shape.repeats; ++r) {
        const int64_t at = sample * shape.size + shape.row_at[i] + shape.repeat_at[r] + j * inner;
        if (inner == 1) {
          for_vectors<T>(0, count, [&](int64_t c, int64_t width) {
            store(y + at + c, with_noise<T>(load(x + at + c, width), load(m + c, width), kind, end_values), width);
          });
        } else {
          for (int64_t c = 0; c < count; ++c)
            for_vectors<T>(at + c * inner, at + (c + 1) * inner, [&](int64_t e, int64_t width) {
              store(y + e, with_noise<T>(load(x + e, width), splat(m[c]), kind, end_values), width);
            });
        }
        look.after(count * inner);
      }
    }
  }
}

template <typename T>
void fill(NoiseKernels<T>& k) {
  k.noise = noise<T>;
}

}  // namespace

PYNN_DEFINE_REGISTER(noise, NoiseKernels)

}  // namespace PYNN_ISA
}  // namespace pynn
