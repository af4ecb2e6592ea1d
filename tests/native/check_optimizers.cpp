// Optimizers, and what else has to do with parameters; rows of data.
#include <cmath>

#include "../../csrc/runtime/philox.h"
#include "check.h"

namespace pynn {
namespace {

OptimizerStep make_step(Optimizer kind) {
  OptimizerStep step{};
  step.kind = kind;
  step.learning_rate = 0.05;
  step.rho = 0.9;
  step.beta_1 = 0.9;
  step.beta_2 = 0.99;
  step.epsilon = 1e-7;
  step.m_scale = 0.8;
  step.g_scale = 0.3;
  step.v_scale = 1.5;
  return step;
}

template <typename Change>
OptimizerStep changed(Optimizer kind, Change change) {
  OptimizerStep step = make_step(kind);
  change(step);
  return step;
}

double square(double x) { return x * x; }

// The rule for one parameter, in double; s: its slots.
using Rule = void (*)(double& w, double g, double* s, const OptimizerStep& o);

void sgd(double& w, double g, double*, const OptimizerStep& o) { w -= o.learning_rate * g; }

void sgd_momentum(double& w, double g, double* s, const OptimizerStep& o) {
  s[0] = o.momentum * s[0] - o.learning_rate * g;
  w += o.nesterov ? o.momentum * s[0] - o.learning_rate * g : s[0];
}

// Slots: v, the momentum if there is one, the mean of g if centered.
void rmsprop(double& w, double g, double* s, const OptimizerStep& o) {
  s[0] = o.rho * s[0] + (1 - o.rho) * g * g;
  double v = s[0];
  if (o.centered) {
    double& average = s[o.momentum > 0 ? 2 : 1];
    average = o.rho * average + (1 - o.rho) * g;
    v -= average * average;
  }
  double change = o.learning_rate * g / std::sqrt(v + o.epsilon);
  if (o.momentum > 0) change = s[1] = o.momentum * s[1] + change;
  w -= change;
}

void adagrad(double& w, double g, double* s, const OptimizerStep& o) {
  s[0] += g * g;
  w -= o.learning_rate * g / std::sqrt(s[0] + o.epsilon);
}

void adadelta(double& w, double g, double* s, const OptimizerStep& o) {
  s[0] = o.rho * s[0] + (1 - o.rho) * g * g;
  const double d = -std::sqrt(s[1] + o.epsilon) / std::sqrt(s[0] + o.epsilon) * g;
  s[1] = o.rho * s[1] + (1 - o.rho) * d * d;
  w += o.learning_rate * d;
}

void moments(double g, double* s, const OptimizerStep& o) {
  s[0] = o.beta_1 * s[0] + (1 - o.beta_1) * g;
  s[1] = o.beta_2 * s[1] + (1 - o.beta_2) * g * g;
}

void adam(double& w, double g, double* s, const OptimizerStep& o) {
  moments(g, s, o);
  if (o.amsgrad) s[2] = std::fmax(s[2], s[1]);
  w -= o.learning_rate * s[0] / (std::sqrt(s[o.amsgrad ? 2 : 1]) + o.epsilon);
}

void adamax(double& w, double g, double* s, const OptimizerStep& o) {
  s[0] = o.beta_1 * s[0] + (1 - o.beta_1) * g;
  s[1] = std::fmax(o.beta_2 * s[1], std::abs(g));
  w -= o.learning_rate * s[0] / (s[1] + o.epsilon);
}

void nadam(double& w, double g, double* s, const OptimizerStep& o) {
  moments(g, s, o);
  w -= o.learning_rate * (o.m_scale * s[0] + o.g_scale * g) / (std::sqrt(s[1] * o.v_scale) + o.epsilon);
}

const struct {
  const char* name;
  OptimizerStep step;
  int slots;
  double start;
  Rule rule;
} kOptimizers[] = {
    {"sgd", make_step(Optimizer::sgd), 0, 0, sgd},
    {"sgd, momentum", changed(Optimizer::sgd, [](OptimizerStep& o) { o.momentum = 0.9; }), 1, 0, sgd_momentum},
    {"sgd, nesterov", changed(Optimizer::sgd, [](OptimizerStep& o) { o.momentum = 0.9, o.nesterov = true; }), 1, 0,
     sgd_momentum},
    {"rmsprop", make_step(Optimizer::rmsprop), 1, 0, rmsprop},
    {"rmsprop, momentum", changed(Optimizer::rmsprop, [](OptimizerStep& o) { o.momentum = 0.9; }), 2, 0, rmsprop},
    {"rmsprop, centered", changed(Optimizer::rmsprop, [](OptimizerStep& o) { o.centered = true; }), 2, 0, rmsprop},
    {"rmsprop, momentum, centered",
     changed(Optimizer::rmsprop, [](OptimizerStep& o) { o.momentum = 0.9, o.centered = true; }), 3, 0, rmsprop},
    {"adagrad", make_step(Optimizer::adagrad), 1, 0.1, adagrad},
    {"adadelta", make_step(Optimizer::adadelta), 2, 0, adadelta},
    {"adam", make_step(Optimizer::adam), 2, 0, adam},
    {"adam, amsgrad", changed(Optimizer::adam, [](OptimizerStep& o) { o.amsgrad = true; }), 3, 0, adam},
    {"adam, decay", changed(Optimizer::adam, [](OptimizerStep& o) { o.decay = 0.01; }), 2, 0, adam},
    {"adam, clip", changed(Optimizer::adam, [](OptimizerStep& o) { o.clip = 0.4; }), 2, 0, adam},
    {"adamax", make_step(Optimizer::adamax), 2, 0, adamax},
    {"nadam", make_step(Optimizer::nadam), 2, 0, nadam},
};

// Some steps, of the kernel and of the rule.
template <typename T>
void check_optimizers_of() {
  for (const auto& row : kOptimizers) {
    for (const int64_t n : kSizes) {
      std::vector<T> w = random_values<T>(n), slot[max_slots];
      std::vector<double> expected = as_double(w), expected_slot[max_slots];
      T* slots[max_slots] = {};
      for (int s = 0; s < row.slots; ++s) {
        slot[s].assign(w.size(), static_cast<T>(row.start));
        expected_slot[s].assign(w.size(), row.start);
        slots[s] = slot[s].data();
      }
      for (int step = 1; step <= 3; ++step) {
        const std::string what =
            text("%s in %s, %d elements, step %d", row.name, type_name<T>(), static_cast<int>(n), step);
        const std::vector<T> g = random_values<T>(n);
        bool finite = false;
        run_team(1,
                 [&](const Team&) { finite = kernels<T>().optimizer_update(w.data(), g.data(), slots, n, row.step); });
        check(finite, what, "says that a parameter is not finite");
        for (size_t i = 0; i < w.size(); ++i) {
          double s[max_slots] = {}, gradient = static_cast<double>(g[i]);
          for (int j = 0; j < row.slots; ++j) s[j] = expected_slot[j][i];
          if (row.step.clip > 0) gradient = std::fmin(std::fmax(gradient, -row.step.clip), row.step.clip);
          expected[i] *= 1 - row.step.decay;
          row.rule(expected[i], gradient, s, row.step);
          for (int j = 0; j < row.slots; ++j) expected_slot[j][i] = s[j];
        }
        expect_near(what, w, expected, 128);
        for (int j = 0; j < row.slots; ++j) expect_near(what + text(", slot %d", j), slot[j], expected_slot[j], 32);
      }
      const std::vector<T> g = random_values<T>(n);
      for (const double bad : {std::numeric_limits<double>::infinity(), std::nan("")}) {
        w.back() = static_cast<T>(bad);
        check(!kernels<T>().optimizer_update(w.data(), g.data(), slots, n, row.step),
              text("%s in %s, %d elements", row.name, type_name<T>(), static_cast<int>(n)),
              "takes the last parameter for finite");
      }
    }
  }
}

template <typename T>
void check_sums() {
  for (const int64_t n : kSizes) {
    const std::string what = text("%d elements of %s", static_cast<int>(n), type_name<T>());
    std::vector<T> x = random_values<T>(n);
    std::vector<double> scaled;
    double sum = 0;
    for (const T value : x) {
      sum += square(static_cast<double>(value));
      scaled.push_back(static_cast<double>(value) * 0.3);
    }
    expect_near("sum_of_squares of " + what, std::vector<double>{kernels<T>().sum_of_squares(x.data(), n)}, {sum}, 32);
    kernels<T>().scale(x.data(), n, 0.3);
    expect_near("scale of " + what, x, scaled, 2);
  }
}

// Whether each column of out (rows, columns) has a number other than 0.
template <typename T>
std::vector<uint8_t> nonzero_columns(const std::vector<T>& out, int64_t columns) {
  std::vector<uint8_t> nonzero(static_cast<size_t>(columns));
  for (size_t i = 0; i < out.size(); ++i) nonzero[i % nonzero.size()] |= out[i] != 0;
  return nonzero;
}

template <typename T>
void check_gather() {
  const Kernels<T>& k = kernels<T>();
  constexpr int64_t rows = 40, picked = 23;
  std::vector<int64_t> order(rows);
  permute(order.data(), rows, Philox{3, 4});
  for (const int64_t columns : {1, 2, 7, 17, 33, 256, 301}) {
    std::vector<T> x = random_values<T>(rows * columns);
    std::vector<uint8_t> bytes(x.size());
    for (size_t i = 0; i < x.size(); ++i) {
      const auto row = static_cast<int64_t>(i) / columns, column = static_cast<int64_t>(i) % columns;
      // Of each three columns, one of zeros, and one in which a single row has something else.
      if (column % 3 == 1 || (column % 3 == 2 && row != order[static_cast<size_t>(column % picked)])) x[i] = 0;
      bytes[i] = static_cast<uint8_t>(std::abs(static_cast<double>(x[i])) * 255);
    }
    const std::vector<T> scale = random_values<T>(columns, 0.5, 2), offset = random_values<T>(columns);
    const struct {
      const char* name;
      InputScaling<T> scaling;
    } scalings[] = {{"", {nullptr, nullptr, false}},
                    {", scaled", {scale.data(), offset.data(), false}},
                    {", columns scaled", {scale.data(), offset.data(), true}}};
    for (const int64_t* const which :
         {static_cast<const int64_t*>(nullptr), static_cast<const int64_t*>(order.data())}) {
      for (const auto& row : scalings) {
        const InputScaling<T>& scaling = row.scaling;
        // source: x or bytes
        const auto check_source = [&](const char* name, const auto& source, const auto& gather) {
          const std::string what = text("gather of %d columns of %s%s%s%s", static_cast<int>(columns), type_name<T>(),
                                        name, row.name, which == nullptr ? "" : ", in an order");
          std::vector<double> expected;
          for (int64_t i = 0; i < picked; ++i) {
            for (int64_t j = 0; j < columns; ++j) {
              const auto at = static_cast<size_t>((which == nullptr ? i : which[i]) * columns + j),
                         s = static_cast<size_t>(scaling.each_column ? j : 0);
              double value = static_cast<double>(source[at]);
              if (scaling.scale != nullptr)
                value = value * static_cast<double>(scale[s]) + static_cast<double>(offset[s]);
              expected.push_back(value);
            }
          }
          const std::vector<T> out = on_teams(what, unwritten<T>(picked * columns), [&](const Team& team, T* to) {
            gather(team, to, nullptr, source.data(), which, picked, columns, scaling);
          });
          expect_near(what, out, expected, scaling.scale == nullptr ? 0 : 2);
          std::vector<T> again(out.size());
          expect_equal(what + ", nonzero",
                       on_teams(what + ", nonzero", std::vector<uint8_t>(static_cast<size_t>(columns), 5),
                                [&](const Team& team, uint8_t* nonzero) {
                                  gather(team, again.data(), nonzero, source.data(), which, picked, columns, scaling);
                                }),
                       nonzero_columns(out, columns));
          expect_equal(what + ", with nonzero", again, out);
        };
        check_source("", x, k.gather);
        check_source(", bytes", bytes, k.gather_bytes);
      }
    }
    const std::string what = text("find_nonzero of %d columns of %s", static_cast<int>(columns), type_name<T>());
    expect_equal(what,
                 on_teams(what, std::vector<uint8_t>(static_cast<size_t>(columns), 5),
                          [&](const Team& team, uint8_t* nonzero) {
                            k.find_nonzero(team, nonzero, x.data(), rows, columns);
                            k.prefetch_rows(team, x.data(), order.data(), rows,
                                            columns * static_cast<int64_t>(sizeof(T)));
                          }),
                 nonzero_columns(x, columns));
  }
}

template <typename T>
void check_first_non_finite() {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  constexpr int64_t n = 2500;
  const auto expect = [](const std::vector<T>& x, Range part, int64_t expected) {
    const int64_t found = kernels<T>().first_non_finite(x.data(), part);
    check(found == expected, text("first_non_finite in %s", type_name<T>()),
          text("%lld, expected %lld", static_cast<long long>(found), static_cast<long long>(expected)));
  };
  std::vector<T> x = random_values<T>(n);
  x[3] = std::numeric_limits<T>::max();
  x[4] = -x[3];
  x[5] = std::numeric_limits<T>::denorm_min();
  expect(x, {0, n}, -1);
  expect(x, {7, 7}, -1);
  for (const T bad : {nan, inf, -inf}) {
    for (const int64_t at : {0, 1, 16, 1023, 1024, 2047, 2499}) {
      std::vector<T> spoilt = x;
      spoilt[static_cast<size_t>(at)] = bad;
      spoilt[n - 1] = nan;
      expect(spoilt, {0, n}, at);
      expect(spoilt, {at, n}, at);
      expect(spoilt, {at / 2, at}, -1);
    }
  }
}

template <typename T>
void check_all() {
  check_optimizers_of<T>();
  check_sums<T>();
  check_gather<T>();
  check_first_non_finite<T>();
}

}  // namespace

void check_optimizers() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn
