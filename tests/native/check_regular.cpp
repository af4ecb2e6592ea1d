// Normalisation, penalties and constraints.
#include <atomic>
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

double square(double x) { return x * x; }

// ---- normalisation

// Rows that make one chunk of the sums, or several; columns of which some are more than a member's share.
const struct {
  int64_t rows, columns;
} kTables[] = {{1, 1},  {1, 17}, {2, 33}, {5, 7},   {31, 2},   {32, 16},  {33, 15},
               {64, 1}, {65, 2}, {70, 7}, {97, 33}, {2049, 3}, {2500, 1}, {4100, 17}};

// Near a large number, a sum of squares would lose the digits of the variance.
template <typename T>
std::vector<T> table_of(int64_t rows, int64_t columns, double middle) {
  std::vector<T> x = random_values<T>(rows * columns);
  for (T& value : x) value += static_cast<T>(middle);
  return x;
}

// How far the mean of each column is from its first element.
template <typename T>
std::vector<long double> distances_of(const std::vector<T>& x, int64_t rows, int64_t columns) {
  std::vector<long double> distance(static_cast<size_t>(columns));
  for (size_t i = 0; i < x.size(); ++i)
    distance[i % distance.size()] += static_cast<long double>(x[i]) - static_cast<long double>(x[i % distance.size()]);
  for (long double& d : distance) d /= static_cast<long double>(rows);
  return distance;
}

// The mean and the variance of each column.
template <typename T>
std::vector<double> moments_of(const std::vector<T>& x, int64_t rows, int64_t columns) {
  const std::vector<long double> distance = distances_of(x, rows, columns);
  std::vector<long double> squares(distance.size());
  for (size_t i = 0; i < x.size(); ++i) {
    const size_t j = i % distance.size();
    const long double d = static_cast<long double>(x[i]) - static_cast<long double>(x[j]) - distance[j];
    squares[j] += d * d;
  }
  std::vector<double> result;
  for (size_t j = 0; j < distance.size(); ++j)
    result.push_back(static_cast<double>(static_cast<long double>(x[j]) + distance[j]));
  for (const long double sum : squares) result.push_back(static_cast<double>(sum / static_cast<long double>(rows)));
  return result;
}

template <typename T>
void check_moments_of(const std::string& what, const std::vector<T>& x, int64_t rows, int64_t columns, bool equal) {
  const Outputs<T> outputs({unwritten<T>(columns), unwritten<T>(columns), unwritten<T>(columns)});
  Space<T> space(0, kernels<T>().column_sums(rows, columns));
  const auto run = [&](const std::string& how, bool with_rest) {
    const std::vector<T> result = on_teams(how, outputs.start(), [&](const Team& team, T* out) {
      T* const shared = space.of_all(team);
      kernels<T>().moments(team, outputs.pointer(out, 0), with_rest ? outputs.pointer(out, 1) : nullptr,
                           outputs.pointer(out, 2), x.data(), rows, columns, shared);
    });
    space.expect_no_overrun(how);
    outputs.expect_gaps(how, result);
    return result;
  };
  const std::vector<T> result = run(what, true), alone = run(what + ", no rest", false);
  const std::vector<T> mean = outputs.part(result, 0), rest = outputs.part(result, 1);
  for (const size_t part : {size_t{0}, size_t{2}})
    expect_equal(what + ", no rest", outputs.part(alone, part), outputs.part(result, part));
  expect_equal(what + ", no rest", outputs.part(alone, 1), outputs.part(outputs.start(), 1));
  const std::vector<double> expected = moments_of(x, rows, columns);
  const auto half = expected.begin() + columns;
  if (equal) {
    expect_equal(what + ", mean", mean, std::vector<T>(x.begin(), x.begin() + columns));
    expect_equal(what + ", rest", rest, std::vector<T>(mean.size()));
    expect_equal(what + ", variance", outputs.part(result, 2), std::vector<T>(mean.size()));
    return;
  }
  expect_near(what + ", mean", mean, {expected.begin(), half}, 16);
  // Both parts of the mean, seen from the first row: however large they are.
  std::vector<T> found;
  for (size_t j = 0; j < mean.size(); ++j) found.push_back((mean[j] - x[j]) + rest[j]);
  const std::vector<long double> distances = distances_of(x, rows, columns);
  expect_near(what + ", mean and rest", found, {distances.begin(), distances.end()}, 16);
  expect_near(what + ", variance", outputs.part(result, 2), {half, expected.end()}, 32);
}

template <typename T>
void check_moments() {
  for (const auto& s : kTables)
    for (const double middle : {0.0, 1000.0, 1e6}) {
      const std::string what = text("moments in %s, (%d, %d) near %g", type_name<T>(), static_cast<int>(s.rows),
                                    static_cast<int>(s.columns), middle);
      check_moments_of(what, table_of<T>(s.rows, s.columns, middle), s.rows, s.columns, false);
    }
  // Equal rows: whatever they are, nothing is left of them.
  for (const auto& s : kTables) {
    std::vector<T> x;
    for (int64_t i = 0; i < s.rows * s.columns; ++i)
      x.push_back(static_cast<T>(std::pow(10, i % s.columns % 20) * 1.2345));
    check_moments_of(text("moments of equal rows in %s, (%d, %d)", type_name<T>(), static_cast<int>(s.rows),
                          static_cast<int>(s.columns)),
                     x, s.rows, s.columns, true);
  }
}

template <typename T>
void check_normalization() {
  for (const int64_t columns : kSizes) {
    for (const int flags : {0, 1, 2, 3, 4, 5, 8, 11}) {
      const bool with_gamma = flags & 1, with_beta = flags & 2, with_offset = !(flags & 4), with_rest = flags & 8;
      const std::string what = text("normalization_factors in %s, %d columns%s%s%s%s", type_name<T>(),
                                    static_cast<int>(columns), with_gamma ? ", gamma" : "", with_beta ? ", beta" : "",
                                    with_offset ? "" : ", no offset", with_rest ? ", rest" : "");
      const std::vector<T> rest = random_values<T>(columns), variance = random_values<T>(columns, 0, 2),
                           gamma = random_values<T>(columns), beta = random_values<T>(columns);
      const double epsilon = 0.01;
      std::vector<double> scale, offset;
      for (size_t j = 0; j < rest.size(); ++j) {
        scale.push_back((with_gamma ? static_cast<double>(gamma[j]) : 1) /
                        std::sqrt(static_cast<double>(variance[j]) + epsilon));
        offset.push_back((with_beta ? static_cast<double>(beta[j]) : 0) -
                         (with_rest ? static_cast<double>(rest[j]) * scale.back() : 0));
      }
      const Outputs<T> outputs({unwritten<T>(columns), unwritten<T>(columns)});
      std::vector<T> out = outputs.start();
      kernels<T>().normalization_factors(
          out.data(), with_offset ? outputs.pointer(out.data(), 1) : nullptr, with_rest ? rest.data() : nullptr,
          variance.data(), with_gamma ? gamma.data() : nullptr, with_beta ? beta.data() : nullptr, columns, epsilon);
      outputs.expect_gaps(what, out);
      expect_near(what + ", scale", outputs.part(out, 0), scale, 8);
      if (with_offset)
        expect_near(what + ", offset", outputs.part(out, 1), offset, 16);
      else
        expect_equal(what + ", offset", outputs.part(out, 1), unwritten<T>(columns));
      // An epsilon that T has no number for is not 0.
      T factor = 0;
      const T nothing = 0;
      kernels<T>().normalization_factors(&factor, nullptr, nullptr, &nothing, nullptr, nullptr, 1, 1e-310);
      check(factor > 1e18 && std::isfinite(factor), what,
            text("epsilon of 1e-310 makes %g", static_cast<double>(factor)));
    }
  }
}

// Elements of scratch: of the team, and of each member.
struct ScratchSize {
  int64_t shared, own;
};

constexpr ActivationSpec kRelu{Activation::relu, 0, std::numeric_limits<double>::infinity(), 0};

// The gradients of normalisations: dx, dgamma, dbeta. Runs `call` for all of them, and for each without the others;
// call(team, dx, dgamma, dbeta, shared) passes them on, null where they are not asked for.
template <typename T, typename Call>
void check_gradients(const std::string& what, const std::vector<double>& dx, std::vector<double> dgamma,
                     std::vector<double> dbeta, const std::vector<T>& dy, bool accumulate, ScratchSize scratch,
                     double tolerance, const Call& call) {
  const auto parameters = static_cast<int64_t>(dgamma.size());
  const std::vector<T> of_gamma = accumulate ? random_values<T>(parameters) : unwritten<T>(parameters),
                       of_beta = accumulate ? random_values<T>(parameters) : unwritten<T>(parameters);
  for (size_t j = 0; accumulate && j < dgamma.size(); ++j) {
    dgamma[j] += static_cast<double>(of_gamma[j]);
    dbeta[j] += static_cast<double>(of_beta[j]);
  }
  const Outputs<T> outputs({unwritten<T>(static_cast<int64_t>(dx.size())), of_gamma, of_beta, dy});
  Space<T> space(scratch.own, scratch.shared);
  const auto run = [&](const std::string& how, int asked_for) {
    const std::vector<T> result = on_teams(how, outputs.start(), [&](const Team& team, T* out) {
      T* const shared = space.of_all(team);
      const auto output = [&](int i) {
        return asked_for >> i & 1 ? outputs.pointer(out, static_cast<size_t>(i)) : nullptr;
      };
      call(team, output(0), output(1), output(2), outputs.pointer(out, 3), space.of(team), shared);
    });
    space.expect_no_overrun(how);
    outputs.expect_gaps(how, result);
    return result;
  };
  const std::vector<T> all = run(what, 7);
  expect_near(what + ", dx", outputs.part(all, 0), dx, tolerance);
  expect_near(what + ", dgamma", outputs.part(all, 1), dgamma, tolerance);
  expect_near(what + ", dbeta", outputs.part(all, 2), dbeta, tolerance);
  const char* const names[] = {", dx alone", ", dgamma alone", ", dbeta alone"};
  for (size_t i = 0; i < 3; ++i) {
    const std::vector<T> alone = run(what + names[i], 1 << i);
    for (size_t part = 0; part < 3; ++part)
      expect_equal(what + names[i], outputs.part(alone, part), outputs.part(part == i ? all : outputs.start(), part));
  }
}

template <typename T>
void check_batch_norm() {
  for (const auto& s : kTables) {
    for (const bool plain : {true, false}) {  // without gamma; with gamma, an activation, and added
      const std::string what = text("batch_norm_backward in %s, (%d, %d)%s", type_name<T>(), static_cast<int>(s.rows),
                                    static_cast<int>(s.columns), plain ? "" : ", gamma, relu, added");
      const double epsilon = 0.01, n = static_cast<double>(s.rows);
      const std::vector<T> x = random_values<T>(s.rows * s.columns), dy = random_values<T>(s.rows * s.columns),
                           gamma = random_values<T>(s.columns), y = random_values<T>(s.rows * s.columns);
      const auto slope = [&](size_t i) { return plain || y[i] > 0 ? static_cast<double>(dy[i]) : 0; };
      const std::vector<double> exact = moments_of(x, s.rows, s.columns);
      const std::vector<T> given(exact.begin(), exact.end());
      const auto mean = [&](size_t j) { return static_cast<double>(given[j]); };
      const auto inverse = [&](size_t j) { return 1 / std::sqrt(static_cast<double>(given[s.columns + j]) + epsilon); };
      std::vector<double> dx, dgamma(gamma.size()), dbeta(gamma.size());
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t j = i % gamma.size();
        dgamma[j] += slope(i) * (static_cast<double>(x[i]) - mean(j)) * inverse(j);
        dbeta[j] += slope(i);
      }
      for (size_t i = 0; i < x.size(); ++i) {
        const size_t j = i % gamma.size();
        const double normal = (static_cast<double>(x[i]) - mean(j)) * inverse(j);
        dx.push_back((slope(i) - dbeta[j] / n - normal * dgamma[j] / n) * inverse(j) *
                     (plain ? 1 : static_cast<double>(gamma[j])));
      }
      const ScratchSize scratch{kernels<T>().column_sums(s.rows, s.columns), kernels<T>().batch_norm_own(s.columns)};
      check_gradients<T>(what, dx, dgamma, dbeta, dy, !plain, scratch,
                         128 + n / 4,  // n / 4: the reference's own sums
                         [&](const Team& team, T* dx_out, T* dgamma_out, T* dbeta_out, T* slopes, T* own, T* shared) {
                           kernels<T>().batch_norm_backward(
                               team, dx_out, dgamma_out, dbeta_out, slopes, x.data(), plain ? nullptr : y.data(),
                               given.data(), given.data() + s.columns, plain ? nullptr : gamma.data(), nullptr, s.rows,
                               s.columns, epsilon, plain ? no_activation : kRelu, !plain, own, shared);
                         });
    }
  }
}

// samples, and what each is made of: layer normalisation (one group), instance normalisation (groups of one channel).
const struct {
  int64_t samples;
  GroupShape shape;
} kGroups[] = {{1, {1, 1, 1}},  {3, {5, 2, 7}},  {33, {1, 1, 17}}, {2, {4, 3, 16}}, {5, {3, 1, 33}},
               {65, {2, 7, 1}}, {1, {1, 2, 15}}, {4, {9, 3, 2}},   {70, {1, 1, 2}}, {2, {33, 70, 1}},
               {2, {6, 33, 2}}, {2, {2, 2, 70}}, {3, {1, 2, 16}}};

// A sample's groups, in double: mean and inverse of each, and what it becomes.
template <typename T>
struct GroupNorm {
  int64_t samples;
  GroupShape shape;
  double epsilon = 0.01;
  std::vector<T> x, gamma, beta, dy;
  std::vector<double> mean, inverse;

  GroupNorm(int64_t sample_count, const GroupShape& s)
      : samples(sample_count),
        shape(s),
        x(random_values<T>(samples * s.positions * s.groups * s.columns)),
        gamma(random_values<T>(s.groups * s.columns)),
        beta(random_values<T>(s.groups * s.columns)),
        dy(random_values<T>(samples * s.positions * s.groups * s.columns)),
        mean(static_cast<size_t>(samples * s.groups)),
        inverse(mean.size()) {
    const auto n = static_cast<double>(s.positions * s.columns);
    for (size_t i = 0; i < x.size(); ++i) mean[group(i)] += static_cast<double>(x[i]) / n;
    for (size_t i = 0; i < x.size(); ++i) inverse[group(i)] += square(static_cast<double>(x[i]) - mean[group(i)]) / n;
    for (double& value : inverse) value = 1 / std::sqrt(value + epsilon);
  }

  size_t parameter(size_t i) const { return i % gamma.size(); }
  size_t group(size_t i) const {
    const size_t sample = i / (static_cast<size_t>(shape.positions) * gamma.size());
    return sample * static_cast<size_t>(shape.groups) + parameter(i) / static_cast<size_t>(shape.columns);
  }
  double normal(size_t i) const { return (static_cast<double>(x[i]) - mean[group(i)]) * inverse[group(i)]; }
  std::string name(const char* kernel, const char* more) const {
    return text("%s in %s, %d of (%d, %d, %d)%s", kernel, type_name<T>(), static_cast<int>(samples),
                static_cast<int>(shape.positions), static_cast<int>(shape.groups), static_cast<int>(shape.columns),
                more);
  }
};

template <typename T>
void check_group_norm_forward(const GroupNorm<T>& g) {
  for (const int flags : {0, 1, 2, 3}) {
    const bool with_gamma = flags & 1, with_beta = flags & 2;
    const std::string what = g.name(
        "group_norm_forward", with_gamma ? (with_beta ? ", gamma, beta" : ", gamma") : (with_beta ? ", beta" : ""));
    std::vector<double> expected;
    for (size_t i = 0; i < g.x.size(); ++i)
      expected.push_back(g.normal(i) * (with_gamma ? static_cast<double>(g.gamma[g.parameter(i)]) : 1) +
                         (with_beta ? static_cast<double>(g.beta[g.parameter(i)]) : 0));
    const auto groups = static_cast<int64_t>(g.mean.size());
    Space<T> space(kernels<T>().group_norm_own(g.shape), 0);
    const Outputs<T> outputs(
        {unwritten<T>(static_cast<int64_t>(g.x.size())), unwritten<T>(groups), unwritten<T>(groups)});
    const std::vector<T> result = on_teams(what, outputs.start(), [&](const Team& team, T* out) {
      kernels<T>().group_norm_forward(team, outputs.pointer(out, 0), outputs.pointer(out, 1), outputs.pointer(out, 2),
                                      g.x.data(), with_gamma ? g.gamma.data() : nullptr,
                                      with_beta ? g.beta.data() : nullptr, g.samples, g.shape, g.epsilon,
                                      space.of(team));
    });
    space.expect_no_overrun(what);
    outputs.expect_gaps(what, result);
    expect_near(what, outputs.part(result, 0), expected, 64);
    expect_near(what + ", mean", outputs.part(result, 1), g.mean, 16);
    expect_near(what + ", inverse", outputs.part(result, 2), g.inverse, 32);
  }
}

template <typename T>
void check_group_norm_backward(const GroupNorm<T>& g) {
  const std::vector<T> mean(g.mean.begin(), g.mean.end()), inverse(g.inverse.begin(), g.inverse.end());
  for (const bool plain : {true, false}) {
    std::vector<double> dx, dgamma(g.gamma.size()), dbeta(g.gamma.size()), total(mean.size()), along(mean.size());
    const auto slope = [&](size_t i) {  // for what was normalised
      return static_cast<double>(g.dy[i]) * (plain ? 1 : static_cast<double>(g.gamma[g.parameter(i)]));
    };
    const auto n = static_cast<double>(g.shape.positions * g.shape.columns);
    for (size_t i = 0; i < g.x.size(); ++i) {
      dgamma[g.parameter(i)] += static_cast<double>(g.dy[i]) * g.normal(i);
      dbeta[g.parameter(i)] += static_cast<double>(g.dy[i]);
      total[g.group(i)] += slope(i);
      along[g.group(i)] += slope(i) * g.normal(i);
    }
    for (size_t i = 0; i < g.x.size(); ++i)
      dx.push_back((slope(i) - total[g.group(i)] / n - g.normal(i) * along[g.group(i)] / n) * g.inverse[g.group(i)]);
    const ScratchSize scratch{kernels<T>().group_norm_sums(g.samples, g.shape), kernels<T>().group_norm_own(g.shape)};
    check_gradients<T>(g.name("group_norm_backward", plain ? "" : ", gamma, added"), dx, dgamma, dbeta, g.dy, !plain,
                       scratch, 128,
                       [&](const Team& team, T* dx_out, T* dgamma_out, T* dbeta_out, T* dy, T* own, T* shared) {
                         kernels<T>().group_norm_backward(team, dx_out, dgamma_out, dbeta_out, dy, g.x.data(),
                                                          mean.data(), inverse.data(), plain ? nullptr : g.gamma.data(),
                                                          g.samples, g.shape, !plain, own, shared);
                       });
  }
}

template <typename T>
void check_group_norm() {
  for (const auto& row : kGroups) {
    const GroupNorm<T> g(row.samples, row.shape);
    check_group_norm_forward(g);
    check_group_norm_backward(g);
  }
}

// ---- penalties and constraints

template <typename T>
void check_penalties() {
  const PenaltySpec factors[] = {{0, 0, 0}, {0.3, 0, 0}, {0, 0.2, 0}, {0.3, 0.2, 0}, {0, 0, -0.4}, {0.3, 0.2, 0.1}};
  for (const int64_t n : kSizes) {
    std::vector<T> x = random_values<T>(n);
    for (size_t i = 0; i < x.size(); i += 3) x[i] = i % 2 == 0 ? T{0} : -T{0};
    for (const PenaltySpec& f : factors) {
      const std::string what = text("penalty of %d elements in %s, l1 %g, l2 %g, linear %g", static_cast<int>(n),
                                    type_name<T>(), f.l1, f.l2, f.linear);
      const std::vector<T> start = random_values<T>(n);
      std::vector<double> slopes = as_double(start);
      double total = 0;
      for (size_t i = 0; i < x.size(); ++i) {
        const double value = static_cast<double>(x[i]);
        total += f.l1 * std::abs(value) + f.l2 * square(value) + f.linear * value;
        slopes[i] += f.l1 * (value > 0 ? 1 : (value < 0 ? -1 : 0)) + 2 * f.l2 * value + f.linear;
      }
      expect_near(what, std::vector<double>{kernels<T>().penalty(x.data(), n, f)}, {total}, 32);
      const Outputs<T> outputs({start});
      std::vector<T> out = outputs.start();
      kernels<T>().add_penalty_slope(out.data(), x.data(), n, f);
      outputs.expect_gaps(what, out);
      expect_near(what + ", slope", outputs.part(out, 0), slopes, 4);
    }
  }
}

const struct {
  const char* name;
  double min_value, max_value, rate;
} kNorms[] = {{"max_norm", 0, 0.7, 1}, {"unit_norm", 1, 1, 1}, {"min_max_norm", 0.5, 2, 0.4}};

const struct {
  int64_t outer, axis, inner;
} kParameters[] = {{1, 1, 1},   {1, 7, 1},  {70, 2, 1}, {3, 33, 1}, {1, 5, 2},
                   {1, 17, 15}, {4, 1, 16}, {1, 3, 64}, {2, 2, 65}, {1, 4, 150}};

// Runs the kernel on teams of several sizes. Checks that a member says no, or all say yes.
template <typename T>
std::vector<T> run_constrain(const std::string& what, const std::vector<T>& w, const ConstraintSpec& spec, bool right) {
  std::atomic<int> refusals{0};
  return on_teams(what, w, [&](const Team& team, T* out) {
    if (team.rank == 0) refusals = 0;
    team.barrier();
    if (!kernels<T>().constrain(team, out, spec)) ++refusals;
    team.barrier();
    if (team.rank == 0)
      check((refusals == 0) == right, what,
            right ? "says that a norm was too large" : "sees no norm that is too large");
  });
}

template <typename T>
void check_constraints() {
  constexpr T nan = std::numeric_limits<T>::quiet_NaN(), inf = std::numeric_limits<T>::infinity();
  // The squares of floats are added in double.
  constexpr T too_large = sizeof(T) == sizeof(float) ? inf : std::numeric_limits<T>::max();
  for (const int64_t n : kSizes) {
    const std::string what = text("non_neg in %s, %d elements", type_name<T>(), static_cast<int>(n));
    std::vector<T> w = random_values<T>(n);
    w.back() = n % 2 == 0 ? -T{0} : nan;
    std::vector<T> expected = w;
    for (T& value : expected) value = value <= 0 ? T{0} : value;
    ConstraintSpec spec;
    spec.kind = Constraint::non_neg;
    spec.axis = n;
    expect_equal(what, run_constrain(what, w, spec, true), expected);
  }
  for (const auto& row : kNorms) {
    for (const auto& s : kParameters) {
      const std::string what = text("%s in %s, (%d, %d, %d)", row.name, type_name<T>(), static_cast<int>(s.outer),
                                    static_cast<int>(s.axis), static_cast<int>(s.inner));
      const ConstraintSpec spec{Constraint::norm, row.min_value, row.max_value, row.rate, s.outer, s.axis, s.inner};
      std::vector<T> w = random_values<T>(s.outer * s.axis * s.inner);
      for (int64_t i = 0; i < s.axis; ++i) w[i * s.inner] = 0;  // a group of norm 0
      const auto group = [&](size_t i) { return i / s.inner / s.axis * s.inner + i % s.inner; };
      std::vector<double> norms(static_cast<size_t>(s.outer * s.inner)), expected;
      for (size_t i = 0; i < w.size(); ++i) norms[group(i)] += square(static_cast<double>(w[i]));
      for (double& norm : norms) norm = std::sqrt(norm);
      for (size_t i = 0; i < w.size(); ++i) {
        const double norm = norms[group(i)], clipped = std::fmin(std::fmax(norm, row.min_value), row.max_value);
        expected.push_back(static_cast<double>(w[i]) * (row.rate * clipped + (1 - row.rate) * norm) / (norm + 1e-7));
      }
      expect_near(what, run_constrain(what, w, spec, true), expected, 8);
      for (const T bad : {nan, -inf, too_large}) {
        w.back() = bad;
        run_constrain(what + text(", with %g", static_cast<double>(bad)), w, spec, false);
      }
    }
  }
}

template <typename T>
void check_all() {
  check_moments<T>();
  check_normalization<T>();
  check_batch_norm<T>();
  check_group_norm<T>();
  check_penalties<T>();
  check_constraints<T>();
}

}  // namespace

void check_regular() {
  check_all<float>();
  check_all<double>();
}

}  // namespace pynn
