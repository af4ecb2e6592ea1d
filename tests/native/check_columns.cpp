// A bias and a slope for each column, and rows divided by their root mean square or their norm.
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

constexpr int64_t kRows[] = {1, 5, 31, 33, 200};

// A matrix, a number for each column, and a gradient.
template <typename T>
struct Columns {
  int64_t rows, columns;
  std::vector<T> x = random_values<T>(rows * columns), dy = random_values<T>(rows * columns);
  std::vector<T> learned = random_values<T>(columns), before = random_values<T>(columns);

  Columns(int64_t rows_, int64_t columns_) : rows(rows_), columns(columns_) {}
  size_t column(size_t i) const { return i % learned.size(); }
  size_t row(size_t i) const { return i / learned.size(); }
  double value(size_t i) const { return static_cast<double>(x[i]); }
  double slope(size_t i) const { return static_cast<double>(dy[i]); }
  double number(size_t i) const { return static_cast<double>(learned[column(i)]); }
  std::string name(const char* kernel) const {
    return text("%s in %s, (%d, %d)", kernel, type_name<T>(), static_cast<int>(rows), static_cast<int>(columns));
  }
};

// run(team, dx, dlearned, dy, accumulate, shared) makes the gradients: of dy, of dy in place, and added to others.
template <typename T, typename Run>
void check_gradients(const Columns<T>& c, const std::string& what, const std::vector<double>& dx,
                     const std::vector<double>& dlearned, int64_t scratch, double tolerance, const Run& run) {
  for (const bool added : {false, true}) {
    const Outputs<T> outputs(
        {added ? c.dy : unwritten<T>(c.rows * c.columns), added ? c.before : unwritten<T>(c.columns)});
    Space<T> space(0, scratch);
    const std::vector<T> result = on_teams(what, outputs.start(), [&](const Team& team, T* out) {
      T* to = outputs.pointer(out, 0);
      run(team, to, outputs.pointer(out, 1), added ? to : c.dy.data(), added, space.of_all(team));
    });
    outputs.expect_gaps(what, result);
    space.expect_no_overrun(what);
    std::vector<double> expected = dlearned;
    for (size_t j = 0; added && j < expected.size(); ++j) expected[j] += static_cast<double>(c.before[j]);
    expect_near(what + ", dx", outputs.part(result, 0), dx, tolerance);
    expect_near(what + ", of what is learned", outputs.part(result, 1), expected, tolerance);
  }
}

template <typename T>
void check_bias_and_prelu(const Columns<T>& c) {
  const Kernels<T>& k = kernels<T>();
  std::vector<double> biased, bent, dx, dslope(c.learned.size()), dbias(c.learned.size());
  for (size_t i = 0; i < c.x.size(); ++i) {
    const double x = c.value(i), g = c.slope(i);
    biased.push_back(x + c.number(i));
    bent.push_back(x > 0 ? x : x * c.number(i));
    dx.push_back(x > 0 ? g : g * c.number(i));
    dslope[c.column(i)] += x < 0 ? x * g : 0;
    dbias[c.column(i)] += g;
  }
  const std::vector<T> nothing = unwritten<T>(c.rows * c.columns);
  const auto bias = [&](const Team& team, T* y, const T* x) {
    k.bias_forward(team, y, x, c.learned.data(), c.rows, c.columns);
  };
  const auto prelu = [&](const Team& team, T* y, const T* x) {
    k.prelu_forward(team, y, x, c.learned.data(), c.rows, c.columns);
  };
  const auto run = [&](const std::string& what, const std::vector<double>& expected, const auto& forward) {
    const std::vector<T> y = on_teams(what, nothing, [&](const Team& team, T* out) { forward(team, out, c.x.data()); });
    expect_near(what, y, expected, 1);
    expect_equal(what + ", in place", on_teams(what, c.x, [&](const Team& team, T* out) { forward(team, out, out); }),
                 y);
  };
  run(c.name("bias_forward"), biased, bias);
  run(c.name("prelu_forward"), bent, prelu);
  const int64_t scratch = k.learned_sums(c.rows, c.columns);
  check_gradients<T>(c, c.name("bias_backward"), as_double(c.dy), dbias, scratch, 64,
                     [&](const Team& team, T* to, T* dlearned, const T* dy, bool added, T* shared) {
                       k.bias_backward(team, dlearned, dy, c.rows, c.columns, added, shared);
                       const Range mine = team.share(c.rows * c.columns);
                       if (to != dy) std::copy(dy + mine.begin, dy + mine.end, to + mine.begin);
                     });
  check_gradients<T>(c, c.name("prelu_backward"), dx, dslope, scratch, 64,
                     [&](const Team& team, T* to, T* dlearned, const T* dy, bool added, T* shared) {
                       k.prelu_backward(team, to, dlearned, dy, c.x.data(), c.learned.data(), c.rows, c.columns, added,
                                        shared);
                     });
}

template <typename T>
void check_rms_norm(const Columns<T>& c, double epsilon, bool unit) {
  const Kernels<T>& k = kernels<T>();
  const std::string what = c.name(unit ? "rms_norm of a unit" : "rms_norm") + text(", epsilon %g", epsilon);
  const auto n = static_cast<double>(c.columns), rows = static_cast<double>(c.rows);
  std::vector<double> divisor(static_cast<size_t>(c.rows)), along(divisor.size()), y, dx, dscale(c.learned.size());
  for (size_t i = 0; i < c.x.size(); ++i) divisor[c.row(i)] += c.value(i) * c.value(i);
  std::vector<bool> is_bound;
  for (double& each : divisor) {
    is_bound.push_back(unit && std::sqrt(each) < epsilon);
    each = unit ? std::fmax(std::sqrt(each), epsilon) : std::sqrt(each / n + epsilon);
  }
  for (size_t i = 0; i < c.x.size(); ++i) {
    const double normal = c.value(i) / divisor[c.row(i)];
    y.push_back(normal * c.number(i));
    dscale[c.column(i)] += normal * c.slope(i);
    along[c.row(i)] += normal * c.slope(i) * c.number(i);
  }
  for (size_t i = 0; i < c.x.size(); ++i) {
    const double share = unit ? (is_bound[c.row(i)] ? 0 : 1) : 1 / n;
    const double rest = c.slope(i) * c.number(i) - c.value(i) / divisor[c.row(i)] * along[c.row(i)] * share;
    dx.push_back(rest / divisor[c.row(i)]);
  }
  std::vector<RowFactors<T>> factors(divisor.size());
  const auto forward = [&](const Team& team, T* to, const T* x) {
    k.rms_norm_forward(team, to, factors.data(), x, c.learned.data(), c.rows, c.columns, epsilon, unit);
  };
  const std::vector<T> result = on_teams(what, unwritten<T>(c.rows * c.columns),
                                         [&](const Team& team, T* out) { forward(team, out, c.x.data()); });
  expect_near(what, result, y, 16);
  expect_equal(what + ", in place", on_teams(what, c.x, [&](const Team& team, T* out) { forward(team, out, out); }),
               result);
  double largest = 1;  // a small row has a large gradient
  for (const double each : divisor) largest = std::fmax(largest, 1 / each);
  check_gradients<T>(c, what + ", backward", dx, dscale, k.rms_norm_sums(c.rows, c.columns), 64 * largest + rows,
                     [&](const Team& team, T* to, T* dlearned, const T* dy, bool added, T* shared) {
                       k.rms_norm_backward(team, to, dlearned, dy, c.x.data(), factors.data(), c.learned.data(), c.rows,
                                           c.columns, added, shared);
                     });
}

template <typename T>
void check_all() {
  for (const int64_t rows : kRows)
    for (const int64_t columns : kSizes) {
      const Columns<T> c(rows, columns);
      check_bias_and_prelu(c);
      for (const double epsilon : {1e-3, 2.0})
        for (const bool unit : {false, true}) check_rms_norm(c, epsilon, unit);
    }
}

}  // namespace

void check_columns() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn
