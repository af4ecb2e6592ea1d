// gemm and the dense layer.
#include <algorithm>
#include <cmath>

#include "check.h"

namespace pynn {
namespace {

// Memory of one member or of the team, not a number to begin with; nothing may be written behind its end.
template <typename T>
class Scratch {
 public:
  explicit Scratch(int64_t size) : size_(static_cast<size_t>(size)), memory_(size_ + kGuard, kMark) {}
  T* begin() {
    std::fill_n(memory_.begin(), size_, std::numeric_limits<T>::quiet_NaN());
    return memory_.data();
  }
  bool overrun() const {
    return std::any_of(memory_.begin() + static_cast<std::ptrdiff_t>(size_), memory_.end(),
                       [](T x) { return x != kMark; });
  }

 private:
  static constexpr size_t kGuard = 64;
  static constexpr T kMark = 77;
  size_t size_;
  std::vector<T> memory_;
};

// What kernels ask for: something of each member's own, something of the team.
template <typename T>
struct Space {
  std::vector<Scratch<T>> own;
  Scratch<T> shared;

  Space(int64_t own_size, int64_t shared_size) : own(kMembers, Scratch<T>(own_size)), shared(shared_size) {}
  T* of(const Team& team) { return own[static_cast<size_t>(team.rank)].begin(); }
  T* of_all(const Team& team) {
    if (team.rank == 0) pointer_ = shared.begin();
    team.barrier();
    return pointer_;
  }
  void expect_no_overrun(const std::string& what) const {
    check(std::none_of(own.begin(), own.end(), [](const Scratch<T>& s) { return s.overrun(); }), what,
          "writes behind the end of a member's memory");
    check(!shared.overrun(), what, "writes behind the end of the team's memory");
  }

 private:
  static constexpr size_t kMembers = 7;
  T* pointer_ = nullptr;
};

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
      Space<T> space(k.gemm_packs(s.m, s.n, transpose_b) ? k.gemm_scratch() : 0, 0);
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
    {{Activation::tanh, 0, 0, 0}, [](double y) { return 1 - y * y; }},
    {{Activation::sigmoid, 0, 0, 0}, [](double y) { return y * (1 - y); }},
    {{Activation::exponential, 0, 0, 0}, [](double y) { return y; }}};

// A dense layer of some shape, its numbers, and its input of which some columns are 0.
template <typename T>
struct Dense {
  int64_t rows, inputs, units;
  std::vector<T> x, kernel, bias, dy;
  std::vector<uint8_t> nonzero;
  std::string name;

  Dense(int64_t row_count, int64_t input_count, int64_t unit_count)
      : rows(row_count),
        inputs(input_count),
        units(unit_count),
        x(random_values<T>(rows * inputs)),
        kernel(random_values<T>(inputs * units)),
        bias(random_values<T>(units)),
        dy(random_values<T>(rows * units)),
        nonzero(static_cast<size_t>(inputs)),
        name(text("%s, (%d, %d, %d)", type_name<T>(), static_cast<int>(rows), static_cast<int>(inputs),
                  static_cast<int>(units))) {
    // Runs of zeros, single ones, and half of the inputs without any.
    for (int64_t j = 0; j < inputs; ++j) {
      nonzero[j] = j > inputs / 2 || (j % 20 < 9 && j % 5 != 1);
      for (int64_t i = 0; i < rows && nonzero[j] == 0; ++i) x[i * inputs + j] = 0;
    }
  }

  DenseLayer<T> layer(bool with_bias, bool with_zeros) const {
    return {rows,
            inputs,
            units,
            x.data(),
            kernel.data(),
            with_bias ? bias.data() : nullptr,
            with_zeros ? nonzero.data() : nullptr};
  }

  bool brief() const { return long_product(rows, inputs, units); }

  Space<T> space() const {
    const Kernels<T>& k = kernels<T>();
    return {k.dense_own(inputs, units), k.dense_shared(rows, inputs, units)};
  }
};

template <typename T>
void check_forward(const Dense<T>& d) {
  Space<T> space = d.space();
  std::vector<double> sums(static_cast<size_t>(d.rows * d.units));
  add_product(sums, d.x, d.kernel, d.rows, d.units, d.inputs, false, false);
  for (const auto& row : kActivations) {
    if (d.brief() && row.spec.kind != Activation::tanh) continue;
    const std::string what =
        text("dense_forward in %s, activation %d", d.name.c_str(), static_cast<int>(row.spec.kind));
    const auto run = [&](const std::string& how, const DenseLayer<T>& layer) {
      const std::vector<T> y = on_teams(what + how, unwritten<T>(layer.rows * d.units), [&](const Team& team, T* out) {
        T* const shared = space.of_all(team);
        kernels<T>().dense_forward(team, out, layer, row.spec, shared, space.of(team));
      });
      space.expect_no_overrun(what + how);
      return y;
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
  Space<T> space = d.space();
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

// Returns the gradient of the kernel.
template <typename T>
std::vector<T> check_kernel_gradient(const Dense<T>& d) {
  const int64_t size = d.inputs * d.units, dx_size = d.rows * d.inputs;
  const ActivationSpec linear = kBelow[0].spec;
  std::vector<double> expected(static_cast<size_t>(size));
  add_product(expected, d.x, d.dy, d.inputs, d.units, d.rows, true, false);
  const auto run = [&](const std::string& what, const std::vector<T>& start, bool accumulate, bool zeros) {
    return run_backward(d, what, start, [&](const Team& team, T* out, T* shared, T* own) {
      T* const dx = start.size() > expected.size() ? out : nullptr;
      T* const dkernel = dx == nullptr ? out : out + dx_size;
      kernels<T>().dense_backward(team, dx, dkernel, d.dy.data(), d.layer(true, zeros), linear, accumulate, shared, own,
                                  {});
    });
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
  std::vector<int> calls;  // for each row of the kernel

  static void call(void* context, Range part, const T* gradient) {
    auto* const self = static_cast<Collector*>(context);
    for (int64_t i = part.begin; i < part.end; ++i) {
      ++self->calls[static_cast<size_t>(i)];
      std::copy_n(gradient + (i - part.begin) * self->units, self->units, self->to + i * self->units);
    }
  }
};

// `ready` gets the gradient in parts: from dkernel or from scratch, with rows of zeros or without.
template <typename T>
void check_parts(const Dense<T>& d, const std::vector<T>& dkernel) {
  for (const int flags : {0, 1, 2, 3}) {
    const bool in_scratch = flags & 1, not_for_zeros = flags & 2;
    if (d.brief() && flags != 3) continue;
    const std::string what = text("dense_backward in %s, in parts%s%s", d.name.c_str(),
                                  in_scratch ? ", in scratch" : "", not_for_zeros ? ", no zeros" : "");
    std::vector<T> whole(dkernel.size());
    Collector<T> collector{nullptr, d.units, {}};
    const std::vector<T> collected =
        run_backward(d, what, std::vector<T>(dkernel.size()), [&](const Team& team, T* out, T* shared, T* own) {
          if (team.rank == 0) {
            collector.to = out;
            collector.calls.assign(static_cast<size_t>(d.inputs), 0);
          }
          team.barrier();
          kernels<T>().dense_backward(team, nullptr, in_scratch ? nullptr : whole.data(), d.dy.data(),
                                      d.layer(true, not_for_zeros), kBelow[0].spec, false, shared, own,
                                      {Collector<T>::call, &collector, not_for_zeros});
        });
    expect_equal(what, collected, dkernel);
    if (!in_scratch && !not_for_zeros) expect_equal(what + ", dkernel", whole, dkernel);
    bool once = true;
    for (size_t i = 0; i < collector.calls.size(); ++i)
      once = once && (collector.calls[i] == 1 || (collector.calls[i] == 0 && not_for_zeros && d.nonzero[i] == 0));
    check(once, what, "ready is not called once for each row");
  }
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
                           kernels<T>().dense_backward_bias(out, d.dy.data(), d.rows, d.units, team.share(d.units, 32),
                                                            accumulate);
                         }),
                expected, static_cast<double>(d.rows + 8));
  }
}

template <typename T>
void check_dense() {
  const struct {
    int64_t rows, inputs, units;
  } shapes[] = {{1, 1, 1},     {2, 7, 17},     {7, 16, 15},     {16, 33, 2},    {17, 15, 33},
                {33, 2, 7},    {1, 256, 10},   {3, 300, 40},    {32, 784, 33},  {70, 257, 5},
                {257, 70, 16}, {130, 40, 260}, {130, 260, 260}, {300, 20, 260}, {133, 520, 521}};
  for (const auto& s : shapes) {
    const Dense<T> d(s.rows, s.inputs, s.units);
    check_forward(d);
    check_input_gradient(d);
    check_parts(d, check_kernel_gradient(d));
    check_backward_bias(d);
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
