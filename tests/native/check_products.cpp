// gemm and the dense layer.
#include <algorithm>
#include <cmath>
#include <iterator>

#include "check.h"

namespace pynn {
namespace {

// op(a) (m, k) times op(b) (k, n), added to c.
template <typename T>
void add_product(std::vector<double>& c, const std::vector<T>& a, const std::vector<T>& b, int64_t m, int64_t n,
                 int64_t k, bool transpose_a, bool transpose_b) {
  std::vector<double> b_rows(static_cast<size_t>(k * n));
  for (int64_t p = 0; p < k; ++p)
    for (int64_t j = 0; j < n; ++j) b_rows[p * n + j] = static_cast<double>(transpose_b ? b[j * k + p] : b[p * n + j]);
  for (int64_t i = 0; i < m; ++i) {
    for (int64_t p = 0; p < k; ++p) {
      const double factor = static_cast<double>(transpose_a ? a[p * m + i] : a[i * k + p]);
      for (int64_t j = 0; j < n; ++j) c[i * n + j] += factor * b_rows[p * n + j];
    }
  }
}

// Products that take long: under QEMU, a minute for all variants of one.
bool long_product(int64_t m, int64_t n, int64_t k) { return m * n * k > 4000000; }

template <typename T>
void check_gemm() {
  const Kernels<T>& k = kernels<T>();
  const struct {
    int64_t m, n, k;
  } shapes[] = {{1, 1, 1},    {1, 17, 7},   {2, 33, 16},   {7, 15, 33},     {15, 7, 1},      {16, 16, 16},
                {17, 1, 2},   {33, 33, 33}, {1, 100, 257}, {64, 65, 300},   {3, 130, 2},     {70, 40, 5},
                {129, 7, 20}, {2, 300, 33}, {300, 33, 20}, {130, 257, 258}, {133, 521, 520}, {5, 4, 0}};
  for (const auto& s : shapes) {
    for (const int flags : {0, 1, 2, 3, 4, 5, 6, 7}) {
      const bool transpose_a = flags & 1, transpose_b = flags & 2, accumulate = flags & 4;
      if (long_product(s.m, s.n, s.k) && (transpose_a == transpose_b || transpose_a == accumulate)) continue;
      const std::string what = text("gemm in %s, (%d, %d, %d)%s%s%s", type_name<T>(), static_cast<int>(s.m),
                                    static_cast<int>(s.n), static_cast<int>(s.k), transpose_a ? ", a transposed" : "",
                                    transpose_b ? ", b transposed" : "", accumulate ? ", added" : "");
      const std::vector<T> a = random_values<T>(s.m * s.k), b = random_values<T>(s.k * s.n);
      const std::vector<T> start = accumulate ? random_values<T>(s.m * s.n) : unwritten<T>(s.m * s.n);
      Space<T> space(k.gemm_scratch(s.m, s.n, transpose_b), 0);
      const std::vector<T> c = on_teams(what, start, [&](const Team& team, T* out) {
        k.gemm(team, out, a.data(), b.data(), s.m, s.n, s.k, transpose_a, transpose_b, accumulate, space.of(team));
      });
      space.expect_no_overrun(what);
      std::vector<double> expected = accumulate ? as_double(start) : std::vector<double>(start.size());
      add_product(expected, a, b, s.m, s.n, s.k, transpose_a, transpose_b);
      expect_near(what, c, expected, static_cast<double>(s.k + 8));
    }
  }
}

const struct {
  ActivationSpec spec;
  double (*f)(double x);
  bool bias;
} kActivations[] = {{{Activation::linear, 0, 0, 0}, [](double x) { return x; }, false},
                    {{Activation::leaky_relu, 0.2, 0, 0}, [](double x) { return x > 0 ? x : 0.2 * x; }, true},
                    {{Activation::tanh, 0, 0, 0}, [](double x) { return std::tanh(x); }, true}};

// Those of which dense_backward knows the slope, given the output.
const struct {
  ActivationSpec spec;
  double (*slope)(double y);
} kBelow[] = {
    {{Activation::linear, 0, 0, 0}, [](double) { return 1.0; }},
    {{Activation::relu, 0, std::numeric_limits<double>::infinity(), 0}, [](double y) { return y > 0 ? 1.0 : 0.0; }},
    {{Activation::relu6, 0, 0, 0}, [](double y) { return y > 0 && y < 6 ? 1.0 : 0.0; }},
    {{Activation::leaky_relu, 0.3, 0, 0}, [](double y) { return y < 0 ? 0.3 : 1.0; }},
    {{Activation::elu, 0.7, 0, 0}, [](double y) { return y > 0 ? 1.0 : y + 0.7; }},
    {{Activation::tanh, 0, 0, 0}, [](double y) { return 1 - y * y; }},
    {{Activation::sigmoid, 0, 0, 0}, [](double y) { return y * (1 - y); }},
    {{Activation::exponential, 0, 0, 0}, [](double y) { return y; }}};

// Whether element (i, j) of x is to be 0.
using IsZero = bool (*)(int64_t i, int64_t j, int64_t inputs);

// Runs of zeros, single ones, and half of the inputs without any.
bool in_some_columns(int64_t, int64_t j, int64_t inputs) { return j <= inputs / 2 && (j % 20 >= 9 || j % 5 == 1); }

// Some leave so few numbers that zeros are passed over in all products, some only in parts of the layer.
const struct {
  const char* name;
  IsZero is_zero;
} kZeros[] = {
    {"all but a tenth", [](int64_t, int64_t, int64_t) { return random_value(0, 1) > 0.1; }},
    {"all but 0.3", [](int64_t, int64_t, int64_t) { return random_value(0, 1) > 0.3; }},
    {"all but 0.6", [](int64_t, int64_t, int64_t) { return random_value(0, 1) > 0.6; }},
    {"some columns", in_some_columns},
    {"most columns", [](int64_t, int64_t j, int64_t) { return j % 20 >= 6 || j % 5 == 1; }},
    {"most rows", [](int64_t i, int64_t, int64_t) { return i % 5 < 3 && i % 7 != 1; }},
    {"rows, columns and others",
     [](int64_t i, int64_t j, int64_t) { return i % 5 == 3 || j % 9 < 5 || random_value(0, 1) > 0.5; }},
};

// A dense layer of some shape, its numbers, and its input of which some columns are 0.
template <typename T>
struct Dense {
  int64_t rows, inputs, units;
  std::vector<T> x, kernel, bias, dy;
  std::vector<uint32_t> words;  // of nonzero
  Nonzero nonzero;
  std::vector<bool> used;  // whether an input is not 0 in all rows
  std::string name;

  Dense(int64_t row_count, int64_t input_count, int64_t unit_count)
      : rows(row_count),
        inputs(input_count),
        units(unit_count),
        kernel(random_values<T>(inputs * units)),
        bias(random_values<T>(units)),
        dy(random_values<T>(rows * units)) {
    set_input("", in_some_columns);
  }
  Dense(const Dense&) = delete;
  Dense& operator=(const Dense&) = delete;

  void set_input(const char* zeros, IsZero is_zero) {
    name = text("%s, (%d, %d, %d)%s", type_name<T>(), static_cast<int>(rows), static_cast<int>(inputs),
                static_cast<int>(units), zeros);
    x = random_values<T>(rows * inputs);
    used.assign(static_cast<size_t>(inputs), false);
    for (int64_t i = 0; i < rows; ++i) {
      for (int64_t j = 0; j < inputs; ++j) {
        if (is_zero(i, j, inputs))
          x[i * inputs + j] = (i + j) % 3 == 0 ? -T{0} : T{0};
        else
          used[j] = true;
      }
    }
    const NonzeroLayout layout{rows, inputs};
    words = nonzero_words(layout, x);
    nonzero = layout.in(words.data());
  }

  DenseLayer<T> layer(bool with_bias, bool with_nonzero) const {
    return {rows,
            inputs,
            units,
            x.data(),
            kernel.data(),
            with_bias ? bias.data() : nullptr,
            with_nonzero ? nonzero : Nonzero{}};
  }

  bool brief() const { return long_product(rows, inputs, units); }

  Space<T> space(bool backward) const {
    const Kernels<T>& k = kernels<T>();
    return {k.dense_own(inputs, units, backward), k.dense_shared(rows, inputs, units, Space<T>::kMembers, backward)};
  }
};

// dense_forward on teams; the layer is d's, or one row of it.
template <typename T>
std::vector<T> run_forward(const Dense<T>& d, const std::string& what, const DenseLayer<T>& layer,
                           const ActivationSpec& activation) {
  Space<T> space = d.space(false);
  const std::vector<T> y = on_teams(what, unwritten<T>(layer.rows * d.units), [&](const Team& team, T* out) {
    T* const shared = space.of_all(team);
    kernels<T>().dense_forward(team, out, layer, activation, shared, space.of(team));
  });
  space.expect_no_overrun(what);
  return y;
}

template <typename T>
void check_forward(const Dense<T>& d) {
  std::vector<double> sums(static_cast<size_t>(d.rows * d.units));
  add_product(sums, d.x, d.kernel, d.rows, d.units, d.inputs, false, false);
  for (const auto& row : kActivations) {
    if (d.brief() && row.spec.kind != Activation::tanh) continue;
    const std::string what =
        text("dense_forward in %s, activation %d", d.name.c_str(), static_cast<int>(row.spec.kind));
    const auto run = [&](const std::string& how, const DenseLayer<T>& layer) {
      return run_forward(d, what + how, layer, row.spec);
    };
    const std::vector<T> y = run("", d.layer(row.bias, false));
    std::vector<double> expected = sums;
    for (size_t i = 0; i < expected.size(); ++i)
      expected[i] = row.f(expected[i] + (row.bias ? static_cast<double>(d.bias[i % d.units]) : 0));
    expect_near(what, y, expected, static_cast<double>(d.inputs + 16));
    if (d.brief()) continue;
    expect_equal(what + ", zeros passed over", run(", zeros passed over", d.layer(row.bias, true)), y);
    DenseLayer<T> alone = d.layer(row.bias, false);
    alone.rows = 1;
    alone.x += (d.rows - 1) * d.inputs;
    expect_equal(what + ", the last row alone", run(", the last row alone", alone), {y.end() - d.units, y.end()});
  }
}

// dense_backward on teams, with `start` as output: call(team, out, shared, own) passes it on.
template <typename T, typename Call>
std::vector<T> run_backward(const Dense<T>& d, const std::string& what, const std::vector<T>& start, const Call& call) {
  Space<T> space = d.space(true);
  const std::vector<T> result = on_teams(what, start, [&](const Team& team, T* out) {
    T* const shared = space.of_all(team);
    call(team, out, shared, space.of(team));
  });
  space.expect_no_overrun(what);
  return result;
}

template <typename T>
void check_input_gradient(const Dense<T>& d) {
  std::vector<double> products(static_cast<size_t>(d.rows * d.inputs));
  add_product(products, d.dy, d.kernel, d.rows, d.inputs, d.units, false, true);
  for (const auto& below : kBelow) {
    if (d.brief() && below.spec.kind != Activation::sigmoid) continue;
    const std::string what =
        text("dense_backward in %s, input, below activation %d", d.name.c_str(), static_cast<int>(below.spec.kind));
    check(kernels<T>().gradient_from_output(below.spec), what, "gradient_from_output is false");
    std::vector<double> expected = products;
    for (size_t i = 0; i < expected.size(); ++i) expected[i] *= below.slope(static_cast<double>(d.x[i]));
    const std::vector<T> dx =
        run_backward(d, what, unwritten<T>(d.rows * d.inputs), [&](const Team& team, T* out, T* shared, T* own) {
          kernels<T>().dense_backward(team, out, nullptr, d.dy.data(), d.layer(true, false), below.spec, false, shared,
                                      own, {});
        });
    expect_near(what, dx, expected, static_cast<double>(d.units + 16));
  }
}

// The gradient of the kernel or, where `start` has room, of the input before it.
template <typename T>
std::vector<T> run_kernel_gradient(const Dense<T>& d, const std::string& what, const std::vector<T>& start,
                                   bool accumulate, bool with_nonzero) {
  const bool both = start.size() > d.kernel.size();
  return run_backward(d, what, start, [&](const Team& team, T* out, T* shared, T* own) {
    kernels<T>().dense_backward(team, both ? out : nullptr, both ? out + d.x.size() : out, d.dy.data(),
                                d.layer(true, with_nonzero), kBelow[0].spec, accumulate, shared, own, {});
  });
}

// Returns the gradient of the kernel.
template <typename T>
std::vector<T> check_kernel_gradient(const Dense<T>& d) {
  const int64_t size = d.inputs * d.units, dx_size = d.rows * d.inputs;
  std::vector<double> expected(static_cast<size_t>(size));
  add_product(expected, d.x, d.dy, d.inputs, d.units, d.rows, true, false);
  const auto run = [&](const std::string& what, const std::vector<T>& start, bool accumulate, bool with_nonzero) {
    return run_kernel_gradient(d, what, start, accumulate, with_nonzero);
  };
  const std::string what = "dense_backward in " + d.name + ", kernel";
  const double tolerance = static_cast<double>(d.rows + 16);
  const std::vector<T> dkernel = run(what, unwritten<T>(size), false, false);
  expect_near(what, dkernel, expected, tolerance);

  const std::vector<T> both = run(what + " and input", unwritten<T>(dx_size + size), false, true);
  expect_equal(what + " and input", {both.end() - size, both.end()}, dkernel);
  std::vector<double> expected_dx(static_cast<size_t>(dx_size));
  add_product(expected_dx, d.dy, d.kernel, d.rows, d.inputs, d.units, false, true);
  expect_near(what + " and input", std::vector<T>(both.begin(), both.end() - size), expected_dx,
              static_cast<double>(d.units + 16));
  if (d.brief()) return dkernel;

  expect_equal(what + ", zeros passed over", run(what + ", zeros passed over", unwritten<T>(size), false, true),
               dkernel);
  const std::vector<T> start = random_values<T>(size);
  for (size_t i = 0; i < expected.size(); ++i) expected[i] += static_cast<double>(start[i]);
  const std::vector<T> sum = run(what + ", added", start, true, false);
  expect_near(what + ", added", sum, expected, tolerance);
  expect_equal(what + ", added, zeros passed over", run(what + ", added, zeros passed over", start, true, true), sum);
  return dkernel;
}

// Puts parts of the gradient together as `ready` gets them.
template <typename T>
struct Collector {
  T* to;
  int64_t units;
  std::vector<int> calls, factors;  // for each row of the kernel: how often it came, how often as factors

  void start(T* begin, int64_t inputs) {
    to = begin;
    calls.assign(static_cast<size_t>(inputs), 0);
    factors = calls;
  }

  static void call(void* context, Range part, const Gradient<T>& gradient) {
    auto* const self = static_cast<Collector*>(context);
    for (int64_t i = part.begin; i < part.end; ++i) {
      const int64_t row = i - part.begin;
      ++self->calls[static_cast<size_t>(i)];
      self->factors[static_cast<size_t>(i)] += gradient.elements == nullptr;
      for (int64_t j = 0; j < self->units; ++j)
        self->to[i * self->units + j] = gradient.elements != nullptr
                                            ? gradient.elements[row * self->units + j]
                                            : gradient.of_row[row] * gradient.of_column[j] + T{0};  // elements have +0
    }
  }

  // Each row came once, but for rows of zeros that may be left out; as factors where it should.
  void expect_all(const std::string& what, const Dense<T>& d, bool in_scratch, bool skip_zero_gradients) const {
    constexpr int64_t narrowest_vector = 2, widest_vector = 16;  // elements
    bool once = true, as_promised = true;
    for (size_t i = 0; i < calls.size(); ++i) {
      once = once && (calls[i] == 1 || (calls[i] == 0 && skip_zero_gradients && !d.used[i]));
      if (d.rows > 1 || !in_scratch || d.units < narrowest_vector)
        as_promised = as_promised && factors[i] == 0;
      else if (d.units >= widest_vector)
        as_promised = as_promised && factors[i] == calls[i];
    }
    check(once, what, "ready is not called once for each row");
    check(as_promised, what, "factors where elements should be, or elements where factors should be");
  }
};

// `ready` gets the gradient in parts: from dkernel, from scratch or as factors, with rows of zeros or without.
template <typename T>
void check_parts(const Dense<T>& d, const std::vector<T>& dkernel) {
  for (const int flags : {0, 1, 2, 5, 6, 7}) {
    const bool in_scratch = flags & 1, skip_zero_gradients = flags & 2, with_nonzero = flags & 4;
    if (d.brief() && flags != 7) continue;
    const std::string what =
        text("dense_backward in %s, in parts%s%s%s", d.name.c_str(), in_scratch ? ", in scratch" : "",
             skip_zero_gradients ? ", no zeros" : "", with_nonzero ? ", zeros passed over" : "");
    std::vector<T> whole(dkernel.size());
    Collector<T> collector{nullptr, d.units, {}, {}};
    const std::vector<T> collected =
        run_backward(d, what, std::vector<T>(dkernel.size()), [&](const Team& team, T* out, T* shared, T* own) {
          if (team.rank == 0) collector.start(out, d.inputs);
          team.barrier();
          kernels<T>().dense_backward(team, nullptr, in_scratch ? nullptr : whole.data(), d.dy.data(),
                                      d.layer(true, with_nonzero), kBelow[0].spec, false, shared, own,
                                      {Collector<T>::call, &collector, skip_zero_gradients});
        });
    expect_equal(what, collected, dkernel);
    if (!in_scratch && !skip_zero_gradients) expect_equal(what + ", dkernel", whole, dkernel);
    collector.expect_all(what, d, in_scratch, skip_zero_gradients && with_nonzero);
  }
}

// Zeros change no bit of the results when they are passed over. All in one region of each team, as starting them takes
// long under QEMU.
template <typename T>
void check_zeros_of(const Dense<T>& d) {
  const auto size = static_cast<int64_t>(d.kernel.size()), y_size = d.rows * d.units, dx_size = d.rows * d.inputs;
  const int64_t both = dx_size + size, length = 2 * y_size + 4 * both + size;
  const std::string what = "zeros passed over in " + d.name;
  const ActivationSpec& linear = kActivations[0].spec;  // the others hide the sign of a 0
  Space<T> space = d.space(false), backward_space = d.space(true);
  Collector<T> collector{nullptr, d.units, {}, {}};
  const std::vector<T> result = on_teams(what, unwritten<T>(length), [&](const Team& team, T* out) {
    // From the last to the first, so that what one writes behind its end is seen in the next.
    T* to = out + length - size;
    T *shared = backward_space.of_all(team), *own = backward_space.of(team);
    if (team.rank == 0) {
      std::fill_n(to, size, T{0});
      collector.start(to, d.inputs);
    }
    team.barrier();
    kernels<T>().dense_backward(team, nullptr, nullptr, d.dy.data(), d.layer(true, true), linear, false, shared, own,
                                {Collector<T>::call, &collector, true});
    for (const int flags : {3, 2, 1, 0}) {
      const bool accumulate = flags & 2, with_nonzero = flags & 1;
      to -= both;
      team.barrier();
      if (team.rank == 0 && accumulate) std::copy_n(d.kernel.begin(), size, to + dx_size);  // any numbers will do
      shared = backward_space.of_all(team), own = backward_space.of(team);
      kernels<T>().dense_backward(team, to, to + dx_size, d.dy.data(), d.layer(true, with_nonzero), linear, accumulate,
                                  shared, own, {});
    }
    for (const bool with_nonzero : {true, false}) {
      to -= y_size;
      team.barrier();
      shared = space.of_all(team), own = space.of(team);
      kernels<T>().dense_forward(team, to, d.layer(false, with_nonzero), linear, shared, own);
    }
  });
  space.expect_no_overrun(what);
  backward_space.expect_no_overrun(what);
  const auto part = [&](int64_t begin, int64_t n) {
    return std::vector<T>(result.begin() + begin, result.begin() + begin + n);
  };
  const int64_t gradients = 2 * y_size;
  expect_equal(what + ", forward", part(y_size, y_size), part(0, y_size));
  expect_equal(what + ", backward", part(gradients + both, both), part(gradients, both));
  expect_equal(what + ", added", part(gradients + 3 * both, both), part(gradients + 2 * both, both));
  expect_equal(what + ", in parts", part(length - size, size), part(gradients + dx_size, size));
  collector.expect_all(what, d, true, true);
}

template <typename T>
void check_zeros(int64_t rows, int64_t inputs, int64_t units) {
  Dense<T> d(rows, inputs, units);
  // The larger ones with every other kind, as they take long under QEMU.
  const bool large = rows * units > 4000;
  for (size_t i = large ? static_cast<size_t>(units) % 2 : 0; i < std::size(kZeros); i += large ? 2 : 1) {
    const auto& row = kZeros[i];
    d.set_input((std::string(", 0: ") + row.name).c_str(), row.is_zero);
    check_zeros_of(d);
  }
  // 0 times infinity is not 0: nothing may be passed over.
  d.dy.back() = std::numeric_limits<T>::infinity();
  d.name += ", infinite dy";
  check_zeros_of(d);
}

template <typename T>
void check_backward_bias(const Dense<T>& d) {
  for (const bool accumulate : {false, true}) {
    const std::string what = "dense_backward_bias in " + d.name + (accumulate ? ", added" : "");
    const std::vector<T> start = accumulate ? d.bias : unwritten<T>(d.units);
    std::vector<double> expected = accumulate ? as_double(start) : std::vector<double>(start.size());
    for (size_t i = 0; i < d.dy.size(); ++i) expected[i % d.units] += static_cast<double>(d.dy[i]);
    expect_near(what,
                on_teams(what, start,
                         [&](const Team& team, T* out) {
                           kernels<T>().dense_backward_bias(team, out, d.dy.data(), d.rows, d.units,
                                                            team.share(d.units, 32), accumulate);
                         }),
                expected, static_cast<double>(d.rows + 8));
  }
}

template <typename T>
void check_dense() {
  const struct {
    int64_t rows, inputs, units;
  } shapes[] = {{1, 1, 1},       {2, 7, 17},     {7, 16, 15},     {16, 33, 2},  {17, 15, 33},  {33, 2, 7},
                {1, 256, 10},    {3, 300, 40},   {32, 784, 33},   {70, 257, 5}, {257, 70, 16}, {130, 40, 260},
                {130, 260, 260}, {300, 20, 260}, {133, 520, 521}, {1, 40, 3},   {5, 17, 1},    {33, 64, 4},
                {70, 300, 2},    {300, 257, 1},  {300, 64, 3}};
  for (const auto& s : shapes) {
    const Dense<T> d(s.rows, s.inputs, s.units);
    check_forward(d);
    check_input_gradient(d);
    check_parts(d, check_kernel_gradient(d));
    check_backward_bias(d);
  }
  // Every third pair; each number of units with a few rows, some and many.
  constexpr int64_t rows[] = {1, 2, 5, 31, 32, 33, 70, 130, 257};
  constexpr int64_t units[] = {1, 2, 7, 15, 16, 17, 33, 64, 129, 150, 260};
  constexpr int64_t inputs[] = {300, 33, 257, 70, 40};
  int64_t pair = 0;
  for (size_t r = 0; r < std::size(rows); ++r) {
    for (size_t u = 0; u < std::size(units); ++u) {
      if ((r + u) % 3 != 0) continue;
      check_zeros<T>(rows[r], rows[r] > 64 ? 65 : inputs[pair++ % 5], units[u]);
    }
  }
}

}  // namespace

void check_products() {
  check_gemm<float>();
  check_gemm<double>();
  check_dense<float>();
  check_dense<double>();
}

}  // namespace pynn
