// Noise.
#include <cmath>
#include <limits>

#include "../../csrc/runtime/philox.h"
#include "check.h"

namespace pynn {
namespace {

// The z below which a standard normal number is with probability p: a rough formula (Abramowitz and Stegun 26.2.23),
// made exact by Newton's iteration.
double normal_quantile(double p) {
  const double tail = std::fmin(p, 1 - p), t = std::sqrt(-2 * std::log(tail)),
               root_of_tau = std::sqrt(std::acos(-1) * 2);
  double z = t - (2.515517 + t * (0.802853 + t * 0.010328)) / (1 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
  for (int i = 0; i < 3; ++i) z += (std::erfc(z / std::sqrt(2.0)) / 2 - tail) * root_of_tau * std::exp(z * z / 2);
  return p < 0.5 ? -z : z;
}

// What becomes of x, given the random word of its place.
template <typename T>
double with_noise(double x, uint32_t word, const NoiseSpec& spec) {
  if (spec.kind == Noise::dropout) return word < spec.amount * 0x1p32 ? 0 : x / (1 - spec.amount);
  if (spec.kind == Noise::alpha_dropout) {
    const double least = -1.0507009873554805 * 1.6732632423543772, rate = spec.amount;
    const double a = 1 / std::sqrt((1 - rate) * (1 + rate * least * least));
    const bool dropped = word < rate * 0x1p32;
    if (spec.backward) return dropped ? 0 : a * x;
    return rate == 1 ? 0 : a * (dropped ? least : x) - a * least * rate;
  }
  const double p = sizeof(T) == sizeof(float) ? ((word >> 9) + 0.5) * 0x1p-23 : (word + 0.5) * 0x1p-32;
  const double z = spec.amount * normal_quantile(p);
  return spec.kind == Noise::gaussian_noise ? x + z : x * (1 + z);
}

// The random word of a number: those of each sample begin with a block of 256, which share 64 of Philox's.
uint32_t word_of(const NoiseSpec& spec, int64_t numbers, int64_t sample, int64_t number) {
  const auto block = static_cast<uint64_t>(sample * ((numbers + 255) / 256) + number / 256);
  const auto in_block = static_cast<uint64_t>(number % 256);
  const uint64_t index = (block & 0xffffffff) << 32 | (block >> 32 << 6) | in_block % 64;
  return Philox{spec.seed, spec.step}.block(index).word[in_block / 64];
}

const struct {
  const char* name;
  NoiseSpec spec;
} kNoises[] = {
    {"dropout", {Noise::dropout, 0.3, 5, 0}},
    {"dropout of nothing", {Noise::dropout, 0, 5, 7}},
    {"dropout of all", {Noise::dropout, 1, 5, 7}},
    {"alpha dropout", {Noise::alpha_dropout, 0.3, 5, 0}},
    {"alpha dropout of all", {Noise::alpha_dropout, 1, 5, 7}},
    {"alpha dropout, backward", {Noise::alpha_dropout, 0.3, 5, 0, true}},
    {"gaussian dropout", {Noise::gaussian_dropout, 0.5, 0x123456789abcdef0, 3}},
    {"gaussian noise", {Noise::gaussian_noise, 0.7, 6, 0xfedcba9876543210}},
};

// In double, the kernel takes the quantile from an approximation within 1.2e-9.
template <typename T>
double noise_tolerance(const NoiseSpec& spec) {
  if (spec.kind == Noise::alpha_dropout) return 4;
  return spec.kind == Noise::dropout ? 2 : (sizeof(T) == sizeof(float) ? 8 : 1e7);
}

// Samples (rows, repeats, columns, inner), where noise is the same for all repeats and for all of `inner`.
struct NoisySamples {
  int64_t samples, rows, repeats, columns, inner, first;
  bool alike;
};

template <typename T>
void check_noise_of(const char* name, const NoiseSpec& spec, const NoisySamples& s) {
  const std::string what =
      text("%s in %s, %d of (%d, %d, %d, %d), first %lld%s", name, type_name<T>(), static_cast<int>(s.samples),
           static_cast<int>(s.rows), static_cast<int>(s.repeats), static_cast<int>(s.columns),
           static_cast<int>(s.inner), static_cast<long long>(s.first), s.alike ? ", samples alike" : "");
  const int64_t repeat = s.columns * s.inner, row = s.repeats * repeat, size = s.rows * row, n = s.samples * size;
  std::vector<T> x = random_values<T>(n);
  std::vector<double> expected;
  for (int64_t i = 0; i < n; ++i) {
    const int64_t number = i % size / row * s.columns + i / s.inner % s.columns;
    const uint32_t word = word_of(spec, s.rows * s.columns, s.alike ? 0 : s.first + i / size, number);
    expected.push_back(with_noise<T>(static_cast<double>(x[i]), word, spec));
    // What is dropped is 0, whatever it was.
    if (expected.back() == 0 && i % 2 == 0) x[i] = std::numeric_limits<T>::infinity();
  }
  std::vector<int64_t> row_at, repeat_at;
  for (int64_t i = 0; i < s.rows; ++i) row_at.push_back(i * row);
  for (int64_t r = 0; r < s.repeats; ++r) repeat_at.push_back(r * repeat);
  const NoiseShape shape{size, s.rows, s.columns, s.inner, s.repeats, row_at.data(), repeat_at.data(), s.alike};
  const auto run = [&](const Team& team, T* out, const T* from) {
    kernels<T>().noise(team, out, from, s.samples, s.first, shape, spec);
  };
  const std::vector<T> y = on_teams(what, unwritten<T>(n), [&](const Team& team, T* out) { run(team, out, x.data()); });
  expect_near(what, y, expected, noise_tolerance<T>(spec));
  expect_equal(what + ", in place",
               on_teams(what + ", in place", x, [&](const Team& team, T* out) { run(team, out, out); }), y);
}

template <typename T>
void check_all() {
  for (const auto& row : kNoises) {
    const auto check_samples = [&](const NoisySamples& s) { check_noise_of<T>(row.name, row.spec, s); };
    for (const int64_t columns : kSizes) check_samples({3, 1, columns % 3 + 1, columns, 1, 0, false});
    // Samples of one block, just not one, and some; later ones of a batch; blocks beyond what 32 bits can count.
    for (const int64_t columns : {255, 256, 257, 600}) check_samples({3, 1, 2, columns, 1, 2, false});
    check_samples({2, 1, 1, 300, 1, int64_t{3} << 31, false});
    check_samples({131, 1, 1, 3, 1, 64, false});
    // Noise that elements share; rows across blocks.
    for (const int64_t inner : kSizes) check_samples({2, 1, inner % 2 + 1, 5, inner, 1, false});
    for (const int64_t columns : {1, 7, 100, 300}) check_samples({2, 520 / columns + 1, 2, columns, 1, 3, false});
    check_samples({3, 90, 2, 3, 2, 3, true});
    check_samples({5, 1, 1, 1, 1, 3, true});
  }
}

}  // namespace

void check_noise() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn
