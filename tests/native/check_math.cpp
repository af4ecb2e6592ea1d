// The error of kernels/math.h, in units in the last place, and its exact values.
//
//   check_math [stride]     every stride-th float (default 97, 1: all of them), and as many doubles / 16
//
// Inside run_team, as the engine calls it: subnormal operands count as 0, and subnormal results may become 0.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <string>
#include <thread>
#include <vector>

#include "../../csrc/kernels/dispatch.h"
#include "../../csrc/runtime/parallel.h"
#include "../../csrc/runtime/threads.h"
#include "math_functions.h"

namespace pynn {

#define PYNN_DECLARE_LEVEL(isa)                \
  namespace isa {                              \
  void math_functions(MathFunctions<float>&);  \
  void math_functions(MathFunctions<double>&); \
  }
#if defined(__x86_64__)
PYNN_DECLARE_LEVEL(x86_64_v2)
PYNN_DECLARE_LEVEL(x86_64_v3)
PYNN_DECLARE_LEVEL(x86_64_v4)
#else
PYNN_DECLARE_LEVEL(baseline)
#endif

namespace {

constexpr double kLimit = 4;
constexpr int64_t kBlock = 8192;

template <typename T>
MathFunctions<T> functions_of_this_processor() {
  MathFunctions<T> functions{};
#if defined(__x86_64__)
  const std::string isa = instruction_set();
  if (isa == "x86-64-v4")
    x86_64_v4::math_functions(functions);
  else if (isa == "x86-64-v3")
    x86_64_v3::math_functions(functions);
  else
    x86_64_v2::math_functions(functions);
#else
  baseline::math_functions(functions);
#endif
  return functions;
}

// The type that results are compared in.
template <typename T>
struct WiderThan;
template <>
struct WiderThan<float> {
  using type = double;
  using Bits = uint32_t;
};
template <>
struct WiderThan<double> {
  using type = long double;
  using Bits = uint64_t;
};
template <typename T>
using Wider = typename WiderThan<T>::type;

template <typename T>
struct Case {
  const char* name;
  MathFunction<T> function;
  Wider<T> (*exact)(Wider<T>);
};

template <typename T>
std::vector<Case<T>> cases() {
  using W = Wider<T>;
  const MathFunctions<T> f = functions_of_this_processor<T>();
  return {
      {"exp", f.exp, [](W x) { return std::exp(x); }},
      {"tanh", f.tanh, [](W x) { return std::tanh(x); }},
      {"sigmoid", f.sigmoid, [](W x) { return 1 / (1 + std::exp(-x)); }},
      {"log", f.log, [](W x) { return std::log(x); }},
  };
}

template <typename T>
T from_bits(typename WiderThan<T>::Bits bits) {
  T x;
  memcpy(&x, &bits, sizeof(x));
  return x;
}

// What is found in a range of arguments.
template <typename T>
struct Findings {
  int64_t count = 0, wrong = 0;
  double ulp = 0;          // the largest error where the exact result is a normal number
  T at = 0, wrong_at = 0;  // of the largest error, of the first that is wrong

  void add(T x, T got, Wider<T> (*exact)(Wider<T>)) {
    using Limits = std::numeric_limits<T>;
    ++count;
    const Wider<T> expected = exact(std::fpclassify(x) == FP_SUBNORMAL ? std::copysign(T{0}, x) : x);
    bool right;
    if (std::isnan(expected) || std::isnan(got)) {
      right = std::isnan(expected) && std::isnan(got);
    } else {
      // Infinity counts as the number that would follow the largest.
      const Wider<T> top = std::ldexp(Wider<T>{1}, Limits::max_exponent);
      const auto bounded = [top](Wider<T> v) { return v > top ? top : v < -top ? -top : v; };
      const Wider<T> error = std::abs(bounded(got) - bounded(expected));
      if (std::abs(expected) < Limits::min()) {
        right = error <= Limits::min();
      } else {
        int exponent;
        std::frexp(bounded(expected), &exponent);
        if (exponent > Limits::max_exponent) exponent = Limits::max_exponent;
        const double units = static_cast<double>(std::ldexp(error, Limits::digits - exponent));
        if (units > ulp) ulp = units, at = x;
        right = units <= kLimit;
      }
    }
    if (!right && wrong++ == 0) wrong_at = x;
  }

  void add(const Findings& other) {
    count += other.count;
    if (wrong == 0) wrong_at = other.wrong_at;
    wrong += other.wrong;
    if (other.ulp > ulp) ulp = other.ulp, at = other.at;
  }
};

// Calls the function for argument(0..n-1), and compares.
template <typename T, typename Argument>
Findings<T> measure(const Case<T>& c, int64_t n, const Argument& argument) {
  const int members = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<Findings<T>> found(static_cast<size_t>(members));
  // run_threads leaves the processor's state alone, as the exact results want it.
  run_threads(members, [&](int rank) {
    Findings<T> mine;
    std::vector<T> x(kBlock), y(kBlock);
    for (int64_t block = rank; block < blocks; block += members) {
      const int64_t begin = block * kBlock, count = std::min(kBlock, n - begin);
      for (int64_t i = 0; i < count; ++i) x[i] = argument(begin + i);
      run_team(1, [&](const Team&) { c.function(y.data(), x.data(), count); });
      for (int64_t i = 0; i < count; ++i) mine.add(x[i], y[i], c.exact);
    }
    found[static_cast<size_t>(rank)] = mine;
  });
  Findings<T> all;
  for (const Findings<T>& f : found) all.add(f);
  return all;
}

template <typename T>
int report(const Case<T>& c, const Findings<T>& f, const char* type) {
  std::printf("%-8s %-6s %11lld arguments: %.3f ULP at %.9g\n", c.name, type, static_cast<long long>(f.count), f.ulp,
              static_cast<double>(f.at));
  if (f.wrong == 0) return 0;
  std::printf("FAILED: %s of %lld arguments, such as %a, is wrong or off by more than %g ULP\n", c.name,
              static_cast<long long>(f.wrong), static_cast<double>(f.wrong_at), kLimit);
  return 1;
}

int check_floats(int64_t stride) {
  int failures = 0;
  const int64_t n = ((int64_t{1} << 32) + stride - 1) / stride;
  for (const Case<float>& c : cases<float>())
    failures += report(
        c, measure(c, n, [stride](int64_t i) { return from_bits<float>(static_cast<uint32_t>(i * stride)); }), "float");
  return failures;
}

int check_doubles(int64_t stride) {
  if (std::numeric_limits<long double>::digits < 64) {
    std::printf("double: long double is no wider here, not checked\n");
    return 0;
  }
  int failures = 0;
  const int64_t n = ((int64_t{1} << 28) + stride - 1) / stride;
  const auto even = [n](int64_t i, double span) {
    return span * (static_cast<double>(2 * (i / 3) - n / 3) / static_cast<double>(n / 3));
  };
  for (const Case<double>& c : cases<double>()) {
    // A third each: bit patterns spread evenly over all, steps through the range of exp, and of tanh.
    const auto argument = [&](int64_t i) {
      if (i % 3 == 0) return from_bits<double>(static_cast<uint64_t>(i) * 0x9E3779B97F4A7C15u);
      return even(i, i % 3 == 1 ? 760 : 40);
    };
    failures += report(c, measure(c, n, argument), "double");
  }
  return failures;
}

template <typename T>
int check_exact_values(const char* type) {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  constexpr T largest = std::numeric_limits<T>::max();
  const MathFunctions<T> f = functions_of_this_processor<T>();
  const struct {
    const char* name;
    MathFunction<T> function;
    T x, y;
  } table[] = {
      {"exp", f.exp, 0, 1},
      {"exp", f.exp, T{-0.0}, 1},
      {"exp", f.exp, inf, inf},
      {"exp", f.exp, -inf, 0},
      {"exp", f.exp, largest, inf},
      {"exp", f.exp, -largest, 0},
      {"exp", f.exp, nan, nan},
      {"tanh", f.tanh, 0, 0},
      {"tanh", f.tanh, T{-0.0}, T{-0.0}},
      {"tanh", f.tanh, inf, 1},
      {"tanh", f.tanh, -inf, -1},
      {"tanh", f.tanh, largest, 1},
      {"tanh", f.tanh, -largest, -1},
      {"tanh", f.tanh, nan, nan},
      {"sigmoid", f.sigmoid, 0, T{0.5}},
      {"sigmoid", f.sigmoid, T{-0.0}, T{0.5}},
      {"sigmoid", f.sigmoid, inf, 1},
      {"sigmoid", f.sigmoid, -inf, 0},
      {"sigmoid", f.sigmoid, largest, 1},
      {"sigmoid", f.sigmoid, -largest, 0},
      {"sigmoid", f.sigmoid, nan, nan},
      {"log", f.log, 1, 0},
      {"log", f.log, 0, -inf},
      {"log", f.log, T{-0.0}, -inf},
      {"log", f.log, inf, inf},
      {"log", f.log, -1, nan},
      {"log", f.log, -largest, nan},
      {"log", f.log, -inf, nan},
      {"log", f.log, nan, nan},
  };
  int failures = 0, count = 0;
  for (const auto& row : table) {
    // Whole vectors and a rest.
    std::vector<T> x(37, row.x), y(37);
    run_team(1, [&](const Team&) { row.function(y.data(), x.data(), 37); });
    for (size_t i = 0; i < y.size(); ++i) {
      const bool same = std::isnan(row.y) ? std::isnan(y[i]) : memcmp(&y[i], &row.y, sizeof(T)) == 0;
      if (same) continue;
      std::printf("FAILED: %s(%g) of %s must be %g, but is %g\n", row.name, static_cast<double>(row.x), type,
                  static_cast<double>(row.y), static_cast<double>(y[i]));
      ++failures;
      break;
    }
    ++count;
  }
  std::printf("%d of %d exact values of %s are right\n", count - failures, count, type);
  return failures;
}

int check_math(int64_t stride) {
  std::printf("%s, %s, every %lld. float\n", instruction_set(), thread_backend(), static_cast<long long>(stride));
  const int failures = check_exact_values<float>("float") + check_exact_values<double>("double") +
                       check_floats(stride) + check_doubles(stride);
  std::printf(failures == 0 ? "All is well.\n" : "%d checks FAILED\n", failures);
  return failures == 0 ? 0 : 1;
}

}  // namespace
}  // namespace pynn

int main(int argc, char** argv) {
  const long long stride = argc > 1 ? std::atoll(argv[1]) : 97;
  if (argc > 2 || stride < 1) {
    std::fprintf(stderr, "usage: check_math [stride]\n");
    return 2;
  }
  return pynn::check_math(stride);
}
