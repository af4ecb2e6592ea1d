// Optimizers, and what else has to do with parameters; rows of data.
#include <algorithm>
#include <cmath>
#include <iterator>

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

void lion(double& w, double g, double* s, const OptimizerStep& o) {
  const double mixed = o.beta_1 * s[0] + (1 - o.beta_1) * g;
  w -= o.learning_rate * (mixed > 0 ? 1 : mixed < 0 ? -1 : 0);
  s[0] = o.beta_2 * s[0] + (1 - o.beta_2) * g;
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
    {"adam, l2", changed(Optimizer::adam, [](OptimizerStep& o) { o.l2 = 0.1; }), 2, 0, adam},
    {"adam, l1", changed(Optimizer::adam, [](OptimizerStep& o) { o.l1 = 0.1; }), 2, 0, adam},
    {"sgd, l1, l2", changed(Optimizer::sgd, [](OptimizerStep& o) { o.l1 = 0.1, o.l2 = 0.2; }), 0, 0, sgd},
    {"sgd, l2, decay, clip", changed(Optimizer::sgd, [](OptimizerStep& o) { o.l2 = 0.3, o.decay = 0.1, o.clip = 0.4; }),
     0, 0, sgd},
    {"adamax", make_step(Optimizer::adamax), 2, 0, adamax},
    {"nadam", make_step(Optimizer::nadam), 2, 0, nadam},
    {"lion", make_step(Optimizer::lion), 1, 0, lion},
};

template <typename T>
Gradient<T> elements(const std::vector<T>& g) {
  return {g.data(), nullptr, nullptr, 0};
}

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
        run_team(
            1, [&](const Team&) { finite = kernels<T>().optimizer_update(w.data(), elements(g), slots, n, row.step); });
        check(finite, what, "says that a parameter is not finite");
        for (size_t i = 0; i < w.size(); ++i) {
          double s[max_slots] = {}, gradient = static_cast<double>(g[i]);
          for (int j = 0; j < row.slots; ++j) s[j] = expected_slot[j][i];
          const double value = expected[i];
          gradient += row.step.l1 * (value > 0 ? 1 : value < 0 ? -1 : 0) + 2 * row.step.l2 * value;
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
        check(!kernels<T>().optimizer_update(w.data(), elements(g), slots, n, row.step),
              text("%s in %s, %d elements", row.name, type_name<T>(), static_cast<int>(n)),
              "takes the last parameter for finite");
      }
    }
  }
}

// Steps with the factors of a gradient, against steps with its elements.
template <typename T>
void check_factors() {
  for (const auto& row : kOptimizers) {
    for (const int64_t columns : {1, 2, 3, 7, 8, 15, 16, 17, 33, 70}) {
      for (const int64_t rows : {1, 2, 5, 32}) {
        const std::string what = text("%s in %s, factors of (%d, %d)", row.name, type_name<T>(), static_cast<int>(rows),
                                      static_cast<int>(columns));
        const int64_t n = rows * columns;
        // w, then the slots
        std::vector<T> by_elements = random_values<T>(n);
        by_elements.resize(static_cast<size_t>((1 + row.slots) * n), static_cast<T>(row.start));
        std::vector<T> by_factors = by_elements;
        const auto step = [&](std::vector<T>& state, const Gradient<T>& g) {
          T* slots[max_slots] = {};
          for (int s = 0; s < row.slots; ++s) slots[s] = state.data() + (1 + s) * n;
          bool finite = false;
          run_team(1,
                   [&](const Team&) { finite = kernels<T>().optimizer_update(state.data(), g, slots, n, row.step); });
          return finite;
        };
        std::vector<T> of_row, of_column;
        for (int i = 1; i <= 3; ++i) {
          of_row = random_values<T>(rows);
          of_column = random_values<T>(columns);
          of_row[0] = i == 1 ? T{0} : of_row[0];
          of_column.back() = i == 2 ? -T{0} : of_column.back();
          std::vector<T> products(static_cast<size_t>(n));
          for (size_t j = 0; j < products.size(); ++j)  // +0 for -0, as dense_backward has it
            products[j] = of_row[j / of_column.size()] * of_column[j % of_column.size()] + T{0};
          step(by_elements, elements(products));
          check(step(by_factors, {nullptr, of_row.data(), of_column.data(), columns}), what,
                "says that a parameter is not finite");
          expect_equal(what + text(", step %d", i), by_factors, by_elements);
        }
        by_factors[static_cast<size_t>(n - 1)] = std::numeric_limits<T>::infinity();
        check(!step(by_factors, {nullptr, of_row.data(), of_column.data(), columns}), what,
              "takes the last parameter for finite");
      }
    }
  }
}

template <typename T>
void check_average() {
  for (const int64_t n : kSizes) {
    for (const bool overwrite : {false, true}) {
      const std::string what = text("average of %d elements of %s", static_cast<int>(n), type_name<T>());
      std::vector<T> a = random_values<T>(n), w = random_values<T>(n);
      std::vector<double> mean;
      for (size_t i = 0; i < w.size(); ++i)
        mean.push_back(0.75 * static_cast<double>(a[i]) + 0.25 * static_cast<double>(w[i]));
      const std::vector<T> before = w;
      check(kernels<T>().average(a.data(), w.data(), n, 0.75, overwrite), what, "is not finite");
      expect_near(what, a, mean, 2);
      expect_equal(what + ", the parameters", w, overwrite ? a : before);
      a.back() = std::numeric_limits<T>::infinity();
      check(kernels<T>().average(a.data(), w.data(), n, 0.75, overwrite) != overwrite, what,
            "takes an average for finite that is not");
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
    expect_near("sum_of_squares of " + what, std::vector<double>{kernels<T>().sum_of_squares(x.data(), n, 0)}, {sum},
                32);
    kernels<T>().scale(x.data(), n, 0.3, 0);
    expect_near("scale of " + what, x, scaled, 2);

    // Squares that overflow, and factors that are too small for T.
    const int most = std::numeric_limits<T>::max_exponent - 2;
    for (const int exponent : {most, 40, -40, -most}) {
      std::vector<T> y = x, back = x;
      for (T& value : y) value = std::ldexp(value, exponent);
      const std::string how = what + text(", 2^%d", exponent);
      expect_near("sum_of_squares of " + how, std::vector<double>{kernels<T>().sum_of_squares(y.data(), n, -exponent)},
                  {kernels<T>().sum_of_squares(x.data(), n, 0)}, exponent < 0 ? 1e16 : 1);
      kernels<T>().scale(back.data(), n, 1, exponent);
      expect_equal("scale of " + how, back, y);
      const T high = *std::max_element(y.begin(), y.end(), [](T a, T b) { return std::abs(a) < std::abs(b); });
      expect_near("largest of " + how, std::vector<double>{std::ldexp(kernels<T>().largest(y.data(), n), -exponent)},
                  {std::ldexp(std::abs(static_cast<double>(high)), -exponent)}, 0);
    }
    x[static_cast<size_t>(n / 2)] = std::numeric_limits<T>::quiet_NaN();
    check(std::isnan(kernels<T>().largest(x.data(), n)), "largest of " + what + " and NaN", "is a number");
  }
}

// What a larger batch may have left in the words: bits of columns and rows, but none of columns that the matrix has
// not. These are 0 from the beginning.
std::vector<uint32_t> stale_words(const NonzeroLayout& layout) {
  std::vector<uint32_t> words =
      nonzero_words(layout, std::vector<float>(static_cast<size_t>(layout.rows * layout.columns), 1));
  std::fill(words.begin() + layout.by_column(), words.end(), ~uint32_t{0});
  return words;
}

constexpr int64_t kRowCounts[] = {1, 5, 31, 32, 33, 64, 70};
constexpr int64_t kColumnCounts[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 63, 64, 65, 256, 257, 300};

constexpr int64_t kAhead[] = {0, 1, 2};  // rows to prefetch: half of `rows` times so many
constexpr int64_t kGuard = 20;           // elements behind the end

// Zeros of both signs, scattered and in whole columns.
template <typename T>
std::vector<T> with_zeros(int64_t rows, int64_t columns) {
  std::vector<T> x = random_values<T>(rows * columns);
  for (int64_t i = 0; i < rows; ++i)
    for (int64_t j = 0; j < columns; ++j)
      if (j % 7 == 3 || random_value(0, 1) < 0.5) x[i * columns + j] = (i + j) % 3 == 0 ? -T{0} : T{0};
  return x;
}

// Rows of x, which has twice `rows` at least.
template <typename T>
void check_gather_of(const std::vector<T>& x, int64_t rows, int64_t columns) {
  const Kernels<T>& k = kernels<T>();
  std::vector<uint8_t> bytes;
  for (const T value : x) bytes.push_back(static_cast<uint8_t>(std::abs(static_cast<double>(value)) * 255));
  std::vector<int64_t> order(x.size() / static_cast<size_t>(columns));
  permute(order.data(), static_cast<int64_t>(order.size()), Philox{3, 4});
  const std::vector<T> scale = random_values<T>(columns, 0.5, 2), offset = random_values<T>(columns),
                       mean = random_values<T>(columns);
  const struct {
    const char* name;
    InputScaling<T> scaling;
  } scalings[] = {{"", {nullptr, nullptr, false}},
                  {", scaled", {scale.data(), offset.data(), false}},
                  {", columns scaled", {scale.data(), offset.data(), true}},
                  {", less a mean", {scale.data(), offset.data(), false, mean.data()}},
                  {", columns less their means", {scale.data(), offset.data(), true, mean.data()}}};
  for (const int64_t* const which : {static_cast<const int64_t*>(nullptr), static_cast<const int64_t*>(order.data())}) {
    for (const auto& row : scalings) {
      const InputScaling<T>& scaling = row.scaling;
      if (scaling.scale != nullptr && rows != 33) continue;
      // source: x or bytes
      const auto check_source = [&](const char* name, const auto& source, const auto& gather) {
        const std::string what =
            text("gather of (%d, %d) of %s%s%s%s", static_cast<int>(rows), static_cast<int>(columns), type_name<T>(),
                 name, row.name, which == nullptr ? "" : ", in an order");
        // Some processors round the product before the sum, others do not.
        std::vector<double> expected, expected_in_two;
        for (int64_t i = 0; i < rows; ++i) {
          for (int64_t j = 0; j < columns; ++j) {
            const auto at = static_cast<size_t>((which == nullptr ? i : which[i]) * columns + j),
                       s = static_cast<size_t>(scaling.each_column ? j : 0);
            T value = static_cast<T>(source[at]), in_two = value;
            if (scaling.scale != nullptr) {
              if (scaling.mean != nullptr) value -= mean[s];
              const volatile T product = value * scale[s];
              in_two = product + offset[s];
              value = std::fma(value, scale[s], offset[s]);
            }
            expected.push_back(static_cast<double>(value));
            expected_in_two.push_back(static_cast<double>(in_two));
          }
        }
        // All in one region of each team, as starting them takes long under QEMU.
        std::vector<T> first;
        const NonzeroLayout layout{rows, columns};
        for (const int threads : teams()) {
          const std::string how = what + text(", %d threads", threads);
          std::vector<T> out = unwritten<T>(rows * columns + kGuard);
          std::fill(out.end() - kGuard, out.end(), T{77});
          std::vector<uint32_t> words[std::size(kAhead)];
          std::vector<T> outs[std::size(kAhead)];
          for (size_t i = 0; i < std::size(kAhead); ++i) {
            words[i] = stale_words(layout);
            words[i].insert(words[i].end(), kGuard, 77);
            outs[i] = out;
          }
          run_team(threads, [&](const Team& team) {
            gather(team, out.data(), {}, source.data(), which, rows, 0, columns, scaling);
            for (size_t i = 0; i < std::size(kAhead); ++i)
              gather(team, outs[i].data(), layout.in(words[i].data()), source.data(), which, rows,
                     which == nullptr ? 0 : rows * kAhead[i] / 2, columns, scaling);
          });
          if (first.empty()) first = out;
          expect_equal(how, out, first);
          std::vector<uint32_t> expected_words = nonzero_words(layout, out);
          expected_words.insert(expected_words.end(), kGuard, 77);
          for (size_t i = 0; i < std::size(kAhead); ++i) {
            expect_equal(how + text(", nonzero, %d halves ahead", static_cast<int>(kAhead[i])), words[i],
                         expected_words);
            expect_equal(how + text(", %d halves ahead", static_cast<int>(kAhead[i])), outs[i], first);
          }
        }
        expect_equal(what + ": behind the end", std::vector<T>(first.end() - kGuard, first.end()),
                     std::vector<T>(static_cast<size_t>(kGuard), T{77}));
        first.resize(expected.size());
        for (size_t i = 0; i < expected.size(); ++i)
          if (static_cast<double>(first[i]) == expected_in_two[i]) expected[i] = expected_in_two[i];
        expect_near(what, first, expected, 0);
      };
      check_source("", x, k.gather);
      check_source(", bytes", bytes, k.gather_bytes);
    }
  }
}

template <typename T>
void check_gather() {
  for (const int64_t columns : kColumnCounts) {
    const std::vector<T> x = with_zeros<T>(150, columns);
    for (const int64_t rows : kRowCounts)
      // Of the pairs, those with some row counts or with some column counts; check_find_nonzero has all.
      if (rows == 1 || rows == 33 || rows == 70 || columns == 17 || columns == 65 || columns == 257)
        check_gather_of(std::vector<T>(x.begin(), x.begin() + (2 * rows + 3) * columns), rows, columns);
  }
}

template <typename T>
void check_find_nonzero() {
  for (const int64_t columns : kColumnCounts) {
    for (const int64_t rows : kRowCounts) {
      std::vector<T> x = with_zeros<T>(rows, columns);
      x.front() = std::numeric_limits<T>::quiet_NaN();
      x.back() = -std::numeric_limits<T>::infinity();
      const NonzeroLayout layout{rows, columns};
      const std::string what =
          text("find_nonzero of (%d, %d) of %s", static_cast<int>(rows), static_cast<int>(columns), type_name<T>());
      expect_equal(what,
                   on_teams(what, stale_words(layout),
                            [&](const Team& team, uint32_t* words) {
                              kernels<T>().find_nonzero(team, layout.in(words), x.data(), rows, columns);
                            }),
                   nonzero_words(layout, x));
    }
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
  check_factors<T>();
  check_average<T>();
  check_sums<T>();
  check_gather<T>();
  check_find_nonzero<T>();
  check_first_non_finite<T>();
}

}  // namespace

void check_optimizers() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn
