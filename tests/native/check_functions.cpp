// Activations, rescaling, softmax and resampling.
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double elu(double x, double alpha) { return x > 0 ? x : alpha * std::expm1(x); }
double clip(double x, double low, double high) { return std::fmin(std::fmax(x, low), high); }

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct ActivationRow {
  const char* name;
  ActivationSpec spec;
  double (*f)(double x, const ActivationSpec& s);
  double from = -kInfinity;  // where it begins to be defined, and not too steep
};

const ActivationRow kActivations[] = {
    {"linear", {Activation::linear, 0, 0, 0}, [](double x, const ActivationSpec&) { return x; }},
    {"relu", {Activation::relu, 0, kInfinity, 0}, [](double x, const ActivationSpec&) { return std::fmax(x, 0); }},
    {"relu with settings",
     {Activation::relu, 0.1, 1.5, 0.5},
     [](double x, const ActivationSpec& s) { return x > s.c ? std::fmin(x, s.b) : s.a * (x - s.c); }},
    {"relu with a slope and a maximum",
     {Activation::relu, 0.1, 1.5, 0},
     [](double x, const ActivationSpec& s) { return x > 0 ? std::fmin(x, s.b) : s.a * x; }},
    {"relu6", {Activation::relu6, 0, 0, 0}, [](double x, const ActivationSpec&) { return clip(x, 0, 6); }},
    {"leaky_relu",
     {Activation::leaky_relu, 0.2, 0, 0},
     [](double x, const ActivationSpec& s) { return x > 0 ? x : s.a * x; }},
    {"elu", {Activation::elu, 0.7, 0, 0}, [](double x, const ActivationSpec& s) { return elu(x, s.a); }},
    {"selu",
     {Activation::selu, 0, 0, 0},
     [](double x, const ActivationSpec&) { return 1.05070098735548049 * elu(x, 1.67326324235437728); }},
    {"celu",
     {Activation::celu, 0.7, 0, 0},
     [](double x, const ActivationSpec& s) { return x > 0 ? x : s.a * std::expm1(x / s.a); }},
    {"gelu",
     {Activation::gelu, 0, 0, 0},
     [](double x, const ActivationSpec&) { return x * std::erfc(-x / std::sqrt(2.0)) / 2; }},
    {"gelu_tanh",
     {Activation::gelu_tanh, 0, 0, 0},
     [](double x, const ActivationSpec&) {
       return x / 2 * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
     }},
    {"silu", {Activation::silu, 0, 0, 0}, [](double x, const ActivationSpec&) { return x * sigmoid(x); }},
    {"mish",
     {Activation::mish, 0, 0, 0},
     [](double x, const ActivationSpec&) { return x * std::tanh(std::log1p(std::exp(x))); }},
    {"sigmoid", {Activation::sigmoid, 0, 0, 0}, [](double x, const ActivationSpec&) { return sigmoid(x); }},
    {"log_sigmoid",
     {Activation::log_sigmoid, 0, 0, 0},
     [](double x, const ActivationSpec&) { return -std::log1p(std::exp(-x)); }},
    {"hard_sigmoid",
     {Activation::hard_sigmoid, 0, 0, 0},
     [](double x, const ActivationSpec&) { return clip(x + 3, 0, 6) / 6; }},
    {"hard_silu",
     {Activation::hard_silu, 0, 0, 0},
     [](double x, const ActivationSpec&) { return x * clip(x + 3, 0, 6) / 6; }},
    {"tanh", {Activation::tanh, 0, 0, 0}, [](double x, const ActivationSpec&) { return std::tanh(x); }},
    {"hard_tanh", {Activation::hard_tanh, 0, 0, 0}, [](double x, const ActivationSpec&) { return clip(x, -1, 1); }},
    {"softplus",
     {Activation::softplus, 0, 0, 0},
     [](double x, const ActivationSpec&) { return std::log1p(std::exp(x)); }},
    {"softsign",
     {Activation::softsign, 0, 0, 0},
     [](double x, const ActivationSpec&) { return x / (1 + std::abs(x)); }},
    {"exponential", {Activation::exponential, 0, 0, 0}, [](double x, const ActivationSpec&) { return std::exp(x); }},
    {"squareplus",
     {Activation::squareplus, 0.3, 0, 0},
     [](double x, const ActivationSpec& s) { return (x + std::sqrt(x * x + s.a)) / 2; }},
    {"hard_shrink",
     {Activation::hard_shrink, 0.5, 0, 0},
     [](double x, const ActivationSpec& s) { return std::abs(x) > s.a ? x : 0; }},
    {"soft_shrink",
     {Activation::soft_shrink, 0.5, 0, 0},
     [](double x, const ActivationSpec& s) { return x > s.a    ? x - s.a
                                                    : x < -s.a ? x + s.a
                                                               : 0; }},
    {"tanh_shrink",
     {Activation::tanh_shrink, 0, 0, 0},
     [](double x, const ActivationSpec&) { return x - std::tanh(x); }},
    {"threshold",
     {Activation::threshold, 0.5, -2, 0},
     [](double x, const ActivationSpec& s) { return x > s.a ? x : s.b; }},
    {"log", {Activation::log, 0, 0, 0}, [](double x, const ActivationSpec&) { return std::log(x); }, 0.5},
    {"log1p", {Activation::log1p, 0, 0, 0}, [](double x, const ActivationSpec&) { return std::log1p(x); }, -0.5},
    {"sin", {Activation::sin, 0, 0, 0}, [](double x, const ActivationSpec&) { return std::sin(x); }},
    {"cos", {Activation::cos, 0, 0, 0}, [](double x, const ActivationSpec&) { return std::cos(x); }},
    {"stop_gradient", {Activation::stop_gradient, 0, 0, 0}, [](double x, const ActivationSpec&) { return x; }},
    {"step", {Activation::step, 0, 0, 0}, [](double x, const ActivationSpec&) { return x > 0 ? 1.0 : 0.0; }},
};
constexpr size_t kActivationRows = sizeof(kActivations) / sizeof(kActivations[0]);
static_assert(kActivationRows == static_cast<size_t>(Activation::count) + 2, "an activation has no row");

// Values, derivatives against central differences, and tails: each element as in a long array.
template <typename T>
void check_activations() {
  constexpr int64_t n = 5000;                                            // more than a member does between two polls
  const double slope_tolerance = sizeof(T) == sizeof(float) ? 64 : 1e8;  // double: what a difference has
  std::vector<T> any = random_values<T>(n, -12, 12);
  for (T& at : any)  // away from the kinks, which are all at halves: no difference is taken across one
    if (std::abs(2 * at - std::round(2 * at)) < T(1e-3)) at += T(1e-3);
  const std::vector<T> dy = random_values<T>(n, 0.5, 2);
  const Kernels<T>& k = kernels<T>();
  for (const ActivationRow& row : kActivations) {
    const std::string what = text("%s in %s", row.name, type_name<T>());
    std::vector<T> x = any;
    for (T& at : x)
      if (at < row.from) at = static_cast<T>(2 * row.from) - at;
    const std::vector<T> y = on_teams(what, unwritten<T>(n), [&](const Team& team, T* out) {
      k.activation_forward(team, out, x.data(), n, row.spec);
    });
    const std::vector<T> dx = on_teams(what + ", backward", unwritten<T>(n), [&](const Team& team, T* out) {
      k.activation_backward(team, out, dy.data(), x.data(), y.data(), n, row.spec);
    });
    std::vector<double> values, slopes;
    for (size_t i = 0; i < x.size(); ++i) {
      const double at = static_cast<double>(x[i]), h = 1e-5;
      values.push_back(row.f(at, row.spec));
      slopes.push_back((row.f(at + h, row.spec) - row.f(at - h, row.spec)) / ((at + h) - (at - h)) *
                       static_cast<double>(dy[i]));
    }
    if (row.spec.kind == Activation::stop_gradient) std::fill(slopes.begin(), slopes.end(), 0.0);
    expect_near(what, y, values, 64);
    expect_near(what + ", backward", dx, slopes, slope_tolerance);

    if (k.gradient_from_output(row.spec))
      expect_equal(what + ", backward from the output alone",
                   on_teams(what, unwritten<T>(n),
                            [&](const Team& team, T* out) {
                              k.activation_backward(team, out, dy.data(), y.data(), y.data(), n, row.spec);
                            }),
                   dx);
    expect_equal(
        what + ", in place",
        on_teams(what, x, [&](const Team& team, T* out) { k.activation_forward(team, out, out, n, row.spec); }), y);
    expect_equal(what + ", backward in place",
                 on_teams(what, dy,
                          [&](const Team& team, T* out) {
                            k.activation_backward(team, out, out, x.data(), y.data(), n, row.spec);
                          }),
                 dx);
    for (const int64_t size : kSizes) {
      const std::string tail = what + text(", %d elements", static_cast<int>(size));
      expect_equal(
          tail,
          on_teams(tail, unwritten<T>(size),
                   [&](const Team& team, T* out) { k.activation_forward(team, out, x.data(), size, row.spec); }),
          {y.begin(), y.begin() + size});
      expect_equal(tail + ", backward",
                   on_teams(tail, unwritten<T>(size),
                            [&](const Team& team, T* out) {
                              k.activation_backward(team, out, dy.data(), x.data(), y.data(), size, row.spec);
                            }),
                   {dx.begin(), dx.begin() + size});
    }
  }
}

template <typename T>
void check_rescaling() {
  const Kernels<T>& k = kernels<T>();
  for (const int64_t period : kSizes) {
    const int64_t n = 70 * period;
    const std::string what = text("rescaling in %s, period %d", type_name<T>(), static_cast<int>(period));
    const std::vector<T> x = random_values<T>(n), mean = random_values<T>(period), scale = random_values<T>(period),
                         offset = random_values<T>(period);
    std::vector<double> y, from_mean, dx;
    for (int64_t i = 0; i < n; ++i) {
      dx.push_back(static_cast<double>(x[i]) * static_cast<double>(scale[i % period]));
      y.push_back(dx.back() + static_cast<double>(offset[i % period]));
      from_mean.push_back((static_cast<double>(x[i]) - static_cast<double>(mean[i % period])) *
                              static_cast<double>(scale[i % period]) +
                          static_cast<double>(offset[i % period]));
    }
    const auto rescaled = [&](const T* center) {
      return on_teams(what, unwritten<T>(n), [&](const Team& team, T* out) {
        k.rescaling_forward(team, out, x.data(), n, center, scale.data(), offset.data(), period);
      });
    };
    expect_near(what, rescaled(nullptr), y, 2);
    expect_near(what + ", mean", rescaled(mean.data()), from_mean, 2);
    expect_near(
        what + ", backward",
        on_teams(what, unwritten<T>(n),
                 [&](const Team& team, T* out) { k.rescaling_backward(team, out, x.data(), n, scale.data(), period); }),
        dx, 2);
  }
}

template <typename T>
void check_softmax() {
  const Kernels<T>& k = kernels<T>();
  const struct {
    int64_t outer, axis, inner;
  } shapes[] = {{1, 1, 1}, {3, 2, 1}, {70, 7, 1}, {5, 16, 1}, {5, 33, 1}, {2, 3, 17}, {9, 5, 7}, {1, 17, 33}};
  for (const auto& s : shapes) {
    for (const bool log : {false, true}) {
      const std::string what = text("%ssoftmax in %s, (%d, %d, %d)", log ? "log_" : "", type_name<T>(),
                                    static_cast<int>(s.outer), static_cast<int>(s.axis), static_cast<int>(s.inner));
      const int64_t n = s.outer * s.axis * s.inner;
      const std::vector<T> x = random_values<T>(n, -20, 20), dy = random_values<T>(n);
      const std::vector<T> y = on_teams(what, unwritten<T>(n), [&](const Team& team, T* out) {
        k.softmax_forward(team, out, x.data(), s.outer, s.axis, s.inner, log);
      });
      const std::vector<T> dx = on_teams(what + ", backward", unwritten<T>(n), [&](const Team& team, T* out) {
        k.softmax_backward(team, out, dy.data(), y.data(), s.outer, s.axis, s.inner, log);
      });
      std::vector<double> values(x.size()), slopes(x.size());
      for (int64_t o = 0; o < s.outer; ++o) {
        for (int64_t j = 0; j < s.inner; ++j) {
          const auto at = [&](int64_t i) { return static_cast<size_t>((o * s.axis + i) * s.inner + j); };
          double total = 0, dot = 0, sum = 0;
          for (int64_t i = 0; i < s.axis; ++i) total += std::exp(static_cast<double>(x[at(i)]));
          const auto p = [&](int64_t i) { return std::exp(static_cast<double>(x[at(i)])) / total; };
          for (int64_t i = 0; i < s.axis; ++i) {
            dot += static_cast<double>(dy[at(i)]) * p(i);
            sum += static_cast<double>(dy[at(i)]);
          }
          for (int64_t i = 0; i < s.axis; ++i) {
            const double g = static_cast<double>(dy[at(i)]);
            values[at(i)] = log ? static_cast<double>(x[at(i)]) - std::log(total) : p(i);
            slopes[at(i)] = log ? g - p(i) * sum : p(i) * (g - dot);
          }
        }
      }
      expect_near(what, y, values, 64);
      expect_near(what + ", backward", dx, slopes, 128);
      expect_equal(
          what + ", in place",
          on_teams(what, x,
                   [&](const Team& team, T* out) { k.softmax_forward(team, out, out, s.outer, s.axis, s.inner, log); }),
          y);
      expect_equal(what + ", backward in place",
                   on_teams(what, dy,
                            [&](const Team& team, T* out) {
                              k.softmax_backward(team, out, out, y.data(), s.outer, s.axis, s.inner, log);
                            }),
                   dx);
    }
  }
}

// The t of sparsemax by halving an interval: the sum of max(x - t, 0) falls with t.
template <typename T>
void check_sparsemax() {
  const Kernels<T>& k = kernels<T>();
  const struct {
    int64_t outer, axis, inner;
  } shapes[] = {{1, 1, 1}, {3, 2, 1}, {70, 7, 1}, {5, 33, 1}, {2, 3, 17}, {9, 5, 7}, {1, 17, 33}};
  for (const auto& s : shapes) {
    const std::string what = text("sparsemax in %s, (%d, %d, %d)", type_name<T>(), static_cast<int>(s.outer),
                                  static_cast<int>(s.axis), static_cast<int>(s.inner));
    const int64_t n = s.outer * s.axis * s.inner;
    const std::vector<T> x = random_values<T>(n, -2, 2), dy = random_values<T>(n);
    const std::vector<T> y = on_teams(what, unwritten<T>(n), [&](const Team& team, T* out) {
      k.sparsemax_forward(team, out, x.data(), s.outer, s.axis, s.inner);
    });
    const std::vector<T> dx = on_teams(what + ", backward", unwritten<T>(n), [&](const Team& team, T* out) {
      k.sparsemax_backward(team, out, dy.data(), y.data(), s.outer, s.axis, s.inner);
    });
    std::vector<double> values(x.size()), slopes(x.size());
    for (int64_t o = 0; o < s.outer; ++o) {
      for (int64_t j = 0; j < s.inner; ++j) {
        const auto at = [&](int64_t i) { return static_cast<size_t>((o * s.axis + i) * s.inner + j); };
        double low = -4, high = 4;
        for (int step = 0; step < 100; ++step) {
          const double t = (low + high) / 2;
          double sum = 0;
          for (int64_t i = 0; i < s.axis; ++i) sum += std::fmax(static_cast<double>(x[at(i)]) - t, 0);
          (sum > 1 ? low : high) = t;
        }
        double total = 0, number = 0;
        for (int64_t i = 0; i < s.axis; ++i) {
          values[at(i)] = std::fmax(static_cast<double>(x[at(i)]) - low, 0);
          if (y[at(i)] > 0) total += static_cast<double>(dy[at(i)]), ++number;
        }
        for (int64_t i = 0; i < s.axis; ++i)
          slopes[at(i)] = y[at(i)] > 0 ? static_cast<double>(dy[at(i)]) - total / number : 0;
      }
    }
    expect_near(what, y, values, 64);
    expect_near(what + ", backward", dx, slopes, 128);
    expect_equal(
        what + ", in place",
        on_teams(what, x,
                 [&](const Team& team, T* out) { k.sparsemax_forward(team, out, out, s.outer, s.axis, s.inner); }),
        y);
  }
}

template <typename T>
void check_glu() {
  const Kernels<T>& k = kernels<T>();
  for (const int64_t half : kSizes) {
    const int64_t rows = 5, n = rows * half;
    const std::string what = text("glu in %s, %d elements", type_name<T>(), static_cast<int>(half));
    const std::vector<T> x = random_values<T>(2 * n, -8, 8), dy = random_values<T>(n);
    std::vector<double> values(dy.size()), slopes(x.size());
    for (int64_t i = 0; i < n; ++i) {
      const auto first = static_cast<size_t>(i / half * 2 * half + i % half),
                 second = first + static_cast<size_t>(half);
      const double a = static_cast<double>(x[first]), gate = sigmoid(static_cast<double>(x[second]));
      const double g = static_cast<double>(dy[static_cast<size_t>(i)]);
      values[static_cast<size_t>(i)] = a * gate;
      slopes[first] = g * gate;
      slopes[second] = g * a * gate * (1 - gate);
    }
    expect_near(what,
                on_teams(what, unwritten<T>(n),
                         [&](const Team& team, T* out) { k.glu_forward(team, out, x.data(), rows, half); }),
                values, 64);
    expect_near(what + ", backward",
                on_teams(what, unwritten<T>(2 * n),
                         [&](const Team& team, T* out) { k.glu_backward(team, out, dy.data(), x.data(), rows, half); }),
                slopes, 64);
  }
}

// Maps of 23 groups to 37, where each has 0 to 3 terms, also the same twice.
template <typename T>
void check_resample() {
  constexpr int64_t inputs = 23, outputs = 37, samples = 5;
  const Kernels<T>& k = kernels<T>();
  std::vector<int64_t> begin{0}, index;
  for (int64_t p = 0; p < outputs; ++p) {
    for (int64_t term = 0; term < p * 7 % 4; ++term) index.push_back((p * 5 + term / 2 * 11) % inputs);
    begin.push_back(static_cast<int64_t>(index.size()));
  }
  const std::vector<T> weights = random_values<T>(begin.back());
  for (const int64_t inner : {1, 2, 3, 4, 5, 7, 15, 16, 17, 33}) {
    for (const bool weighted : {false, true}) {
      const std::string what =
          text("resample in %s, groups of %d%s", type_name<T>(), static_cast<int>(inner), weighted ? ", weighted" : "");
      const SparseMap<T> map{inputs, outputs, inner, begin.data(), index.data(), weighted ? weights.data() : nullptr};
      const std::vector<T> x = random_values<T>(samples * inputs * inner);
      std::vector<double> expected;
      for (int64_t i = 0; i < samples * outputs; ++i) {
        for (int64_t j = 0; j < inner; ++j) {
          double total = 0;
          for (int64_t t = begin[i % outputs]; t < begin[i % outputs + 1]; ++t)
            total += (weighted ? static_cast<double>(weights[t]) : 1) *
                     static_cast<double>(x[(i / outputs * inputs + index[t]) * inner + j]);
          expected.push_back(total);
        }
      }
      expect_near(what,
                  on_teams(what, unwritten<T>(samples * outputs * inner),
                           [&](const Team& team, T* out) { k.resample(team, out, x.data(), samples, map); }),
                  expected, 3);
    }
  }
}

// Samples (2, rows, 3, columns, inner) to (3, columns, 2, rows, inner).
template <typename T>
void check_permute() {
  constexpr int64_t samples = 2, outer = 2, inside = 3;
  const Kernels<T>& k = kernels<T>();
  for (const int64_t rows : kSizes)
    for (const int64_t columns : kSizes)
      for (const int64_t inner : {1, 2, 3, 4, 17}) {
        const std::string what = text("permute in %s, %d by %d runs of %d", type_name<T>(), static_cast<int>(rows),
                                      static_cast<int>(columns), static_cast<int>(inner));
        AxisOrder order{};
        order.elements = outer * rows * inside * columns * inner;
        order.rows = rows;
        order.columns = columns;
        order.inner = inner;
        order.x_row = inside * columns * inner;
        order.y_row = outer * rows * inner;
        order.outer = 2;
        order.length[0] = inside;
        order.x_step[0] = columns * inner;
        order.y_step[0] = columns * outer * rows * inner;
        order.length[1] = outer;
        order.x_step[1] = rows * inside * columns * inner;
        order.y_step[1] = rows * inner;
        const std::vector<T> x = random_values<T>(samples * order.elements);
        std::vector<double> expected;
        for (int64_t sample = 0; sample < samples; ++sample)
          for (int64_t b = 0; b < inside; ++b)
            for (int64_t j = 0; j < columns; ++j)
              for (int64_t a = 0; a < outer; ++a)
                for (int64_t i = 0; i < rows; ++i)
                  for (int64_t l = 0; l < inner; ++l)
                    expected.push_back(static_cast<double>(
                        x[((((sample * outer + a) * rows + i) * inside + b) * columns + j) * inner + l]));
        expect_near(what,
                    on_teams(what, unwritten<T>(samples * order.elements),
                             [&](const Team& team, T* out) { k.permute(team, out, x.data(), samples, order); }),
                    expected, 0);
      }
}

template <typename T>
void check_all() {
  check_activations<T>();
  check_rescaling<T>();
  check_softmax<T>();
  check_sparsemax<T>();
  check_glu<T>();
  check_resample<T>();
  check_permute<T>();
}

}  // namespace

void check_functions() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn
