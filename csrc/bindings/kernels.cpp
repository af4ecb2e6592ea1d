#include "../engine/buffer.h"
#include "../engine/names.h"
#include "../engine/optimizer.h"
#include "calls.h"

namespace pynn {
namespace {

void gemm(py::array c, const py::array& a, const py::array& b, bool transpose_a, bool transpose_b, bool accumulate,
          int threads) {
  constexpr const char* message = "a, b and c must be matrices";
  const int64_t m = dim(a, transpose_a ? 1 : 0, message), k = dim(a, transpose_a ? 0 : 1, message);
  const int64_t n = dim(b, transpose_b ? 0 : 1, message);
  require(dim(b, transpose_b ? 1 : 0, message) == k, "the inner dimensions must agree");
  require(dim(c, 0, message) == m && dim(c, 1, message) == n, "c has the wrong shape");
  with_type(a, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(c, "c");
    const T* pa = input<T>(a, "a");
    const T* pb = input<T>(b, "b");
    const Kernels<T>& kernel = kernels<T>();
    Buffer<T> scratch;
    const int64_t each = padded<T>(kernel.gemm_scratch(m, n, transpose_b));
    scratch.allocate(threads * each);
    run(threads, product(m, n, k), [&](const Team& team) {
      kernel.gemm(team, to, pa, pb, m, n, k, transpose_a, transpose_b, accumulate, scratch.data() + team.rank * each);
    });
  });
}

// What the kernels of a dense layer want beside their arrays.
template <typename T>
class DenseScratch {
 public:
  DenseScratch(const Kernels<T>& k, const DenseLayer<T>& layer, int threads, bool backward)
      : each_(padded<T>(k.dense_own(layer.inputs, layer.units, backward))), threads_(threads) {
    memory_.allocate(threads * each_ + k.dense_shared(layer.rows, layer.inputs, layer.units, threads, backward));
  }
  T* own(const Team& team) const { return memory_.data() + team.rank * each_; }
  T* shared() const { return memory_.data() + threads_ * each_; }

 private:
  const int64_t each_, threads_;
  Buffer<T> memory_;
};

void dense_forward(py::array y, const py::array& x, const py::array& kernel, const Optional& bias, int threads) {
  constexpr const char* message = "x, kernel and y must be matrices";
  const int64_t rows = dim(x, 0, message), inputs = dim(x, 1, message), units = dim(kernel, 1, message);
  require(dim(kernel, 0, message) == inputs, "kernel must have as many rows as x has columns");
  require(dim(y, 0, message) == rows && dim(y, 1, message) == units, "y has the wrong shape");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* px = input<T>(x, "x");
    const T* pk = input<T>(kernel, "kernel");
    const T* pb = optional_input<T>(bias, "bias", units);
    const Kernels<T>& k = kernels<T>();
    const DenseLayer<T> layer{rows, inputs, units, px, pk, pb, {}};
    const DenseScratch<T> scratch(k, layer, threads, false);
    run(threads, product(rows, inputs, units), [&](const Team& team) {
      k.dense_forward(team, to, layer, no_activation, scratch.shared(), scratch.own(team));
    });
  });
}

void dense_backward(Optional dx, Optional dkernel, Optional dbias, const py::array& dy, const py::array& x,
                    const py::array& kernel, int threads) {
  constexpr const char* message = "dy, x and kernel must be matrices";
  const int64_t rows = dim(x, 0, message), inputs = dim(x, 1, message), units = dim(kernel, 1, message);
  require(dim(kernel, 0, message) == inputs, "kernel must have as many rows as x has columns");
  require(dim(dy, 0, message) == rows && dim(dy, 1, message) == units, "dy has the wrong shape");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* pdx = optional_output<T>(dx, "dx", rows * inputs);
    T* pdk = optional_output<T>(dkernel, "dkernel", inputs * units);
    T* pdb = optional_output<T>(dbias, "dbias", units);
    const T* pdy = input<T>(dy, "dy");
    const T* px = input<T>(x, "x");
    const T* pk = input<T>(kernel, "kernel");
    const Kernels<T>& k = kernels<T>();
    const DenseLayer<T> layer{rows, inputs, units, px, pk, nullptr, {}};
    const DenseScratch<T> scratch(k, layer, threads, true);
    run(threads, 2 * product(rows, inputs, units), [&](const Team& team) {
      k.dense_backward(team, pdx, pdk, pdy, layer, no_activation, false, scratch.shared(), scratch.own(team), {});
      if (pdb != nullptr) k.dense_backward_bias(team, pdb, pdy, rows, units, team.share(units, 32), false);
    });
  });
}

void activation_forward(py::array y, const py::array& x, const std::string& name, double a, double b, double c,
                        int threads) {
  require(size(y) == size(x), "y must have the size of x");
  const ActivationSpec spec{activation_of(name), a, b, c};
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* from = input<T>(x, "x");
    run(threads, elementwise(x),
        [&](const Team& team) { kernels<T>().activation_forward(team, to, from, size(x), spec); });
  });
}

void activation_backward(py::array dx, const py::array& dy, const py::array& x, const py::array& y,
                         const std::string& name, double a, double b, double c, int threads) {
  require(size(dx) == size(x) && size(dy) == size(x) && size(y) == size(x), "all arrays must have the size of x");
  const ActivationSpec spec{activation_of(name), a, b, c};
  require(spec.kind != Activation::step, "step has no gradient");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(dx, "dx");
    const T* pdy = input<T>(dy, "dy");
    const T* px = input<T>(x, "x");
    const T* py_ = input<T>(y, "y");
    run(threads, elementwise(x),
        [&](const Team& team) { kernels<T>().activation_backward(team, to, pdy, px, py_, size(x), spec); });
  });
}

void softmax_forward(py::array y, const py::array& x, int64_t outer, int64_t axis, int64_t inner, bool log,
                     int threads) {
  require(size(y) == size(x) && outer * axis * inner == size(x), "outer * axis * inner must be the size of x and y");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* from = input<T>(x, "x");
    run(threads, elementwise(x),
        [&](const Team& team) { kernels<T>().softmax_forward(team, to, from, outer, axis, inner, log); });
  });
}

void softmax_backward(py::array dx, const py::array& dy, const py::array& y, int64_t outer, int64_t axis, int64_t inner,
                      bool log, int threads) {
  require(size(dx) == size(y) && size(dy) == size(y) && outer * axis * inner == size(y),
          "outer * axis * inner must be the size of dx, dy and y");
  with_type(y, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(dx, "dx");
    const T* pdy = input<T>(dy, "dy");
    const T* from = input<T>(y, "y");
    run(threads, elementwise(y),
        [&](const Team& team) { kernels<T>().softmax_backward(team, to, pdy, from, outer, axis, inner, log); });
  });
}

void rescaling_forward(py::array y, const py::array& x, const py::array& scale, const py::array& offset, int threads) {
  const int64_t period = size(scale);
  require(size(y) == size(x) && size(offset) == period && period > 0 && size(x) % period == 0,
          "scale and offset must be of one size, which divides that of x");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    const T* from = input<T>(x, "x");
    const T* s = input<T>(scale, "scale");
    const T* o = input<T>(offset, "offset");
    run(threads, elementwise(x),
        [&](const Team& team) { kernels<T>().rescaling_forward(team, to, from, size(x), nullptr, s, o, period); });
  });
}

void group_norm_forward(py::array y, py::array mean, py::array inverse, const py::array& x, const Optional& gamma,
                        const Optional& beta, int64_t samples, const std::vector<int64_t>& numbers, double epsilon,
                        int threads) {
  require(numbers.size() == 3 && samples > 0, "shape must have 3 numbers, and samples be at least 1");
  const GroupShape shape{numbers[0], numbers[1], numbers[2]};
  int64_t rest = size(x);  // what the axes leave
  for (const int64_t n : {samples, shape.positions, shape.groups, shape.columns}) {
    require(n > 0 && rest % n == 0, "x must have the elements of samples of the shape");
    rest /= n;
  }
  require(rest == 1, "x must have the elements of samples of the shape");
  require(size(y) == size(x), "y must have the size of x");
  require(size(mean) == samples * shape.groups && size(inverse) == size(mean),
          "mean and inverse must have an element for each group of each sample");
  with_type(x, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(y, "y");
    T* pm = output<T>(mean, "mean");
    T* pi = output<T>(inverse, "inverse");
    const T* from = input<T>(x, "x");
    const T* pg = optional_input<T>(gamma, "gamma", shape.groups * shape.columns);
    const T* pb = optional_input<T>(beta, "beta", shape.groups * shape.columns);
    run(threads, elementwise(x), [&](const Team& team) {
      kernels<T>().group_norm_forward(team, to, pm, pi, from, pg, pb, samples, shape, epsilon);
    });
  });
}

// Targets of `rows` rows: labels, or values like the prediction's.
template <typename T>
TargetRows<T> target_rows(const py::array& y_true, bool labels, int64_t rows, int64_t columns) {
  require(size(y_true) == (labels ? rows : rows * columns), "y_true has the wrong size");
  if (!labels) return {input<T>(y_true, "y_true"), nullptr};
  const int32_t* label = input<int32_t>(y_true, "y_true");
  for (int64_t i = 0; i < rows; ++i)
    require(label[i] >= 0 && label[i] < columns, "a label lies outside of the classes");
  return {nullptr, label};
}

int64_t columns_of(const py::array& y_pred, int64_t rows) {
  require(rows > 0 && size(y_pred) > 0 && size(y_pred) % rows == 0, "y_pred must have rows of one size");
  return size(y_pred) / rows;
}

void loss_forward(Float64 values, const py::array& y_pred, const py::array& y_true, const std::string& name, double a,
                  int threads) {
  const LossSpec spec{loss_of(name), a};
  const int64_t rows = size(values), columns = columns_of(y_pred, rows);
  with_type(y_pred, [&](auto type) {
    using T = decltype(type);
    double* to = output<double>(values, "values");
    const T* p = input<T>(y_pred, "y_pred");
    const TargetRows<T> t = target_rows<T>(y_true, takes_labels(spec.kind), rows, columns);
    run(threads, elementwise(y_pred),
        [&](const Team& team) { kernels<T>().loss(team, to, nullptr, p, t, rows, columns, spec, 1); });
  });
}

void loss_backward(py::array dy_pred, const py::array& y_pred, const py::array& y_true, const std::string& name,
                   double a, double scale, int threads) {
  const LossSpec spec{loss_of(name), a};
  require(y_pred.ndim() > 0 && size(dy_pred) == size(y_pred), "dy_pred must have the size of y_pred, which has rows");
  const auto columns = static_cast<int64_t>(y_pred.shape(y_pred.ndim() - 1));
  require(columns > 0, "y_pred must have columns");
  const int64_t rows = size(y_pred) / columns;
  with_type(y_pred, [&](auto type) {
    using T = decltype(type);
    T* to = output<T>(dy_pred, "dy_pred");
    const T* p = input<T>(y_pred, "y_pred");
    const TargetRows<T> t = target_rows<T>(y_true, takes_labels(spec.kind), rows, columns);
    run(threads, elementwise(y_pred),
        [&](const Team& team) { kernels<T>().loss(team, nullptr, to, p, t, rows, columns, spec, scale); });
  });
}

void metric_forward(Float64 values, const py::array& y_pred, const py::array& y_true, const std::string& name, double a,
                    int threads) {
  if (!is_metric(name)) {
    loss_forward(values, y_pred, y_true, name, a, threads);
    return;
  }
  const MetricSpec spec{metric_of(name), a};
  const int64_t rows = size(values), columns = columns_of(y_pred, rows);
  with_type(y_pred, [&](auto type) {
    using T = decltype(type);
    double* to = output<double>(values, "values");
    const T* p = input<T>(y_pred, "y_pred");
    const TargetRows<T> t = target_rows<T>(y_true, takes_labels(spec.kind), rows, columns);
    run(threads, elementwise(y_pred),
        [&](const Team& team) { kernels<T>().metric(team, to, p, t, rows, columns, spec); });
  });
}

void optimizer_update(const std::string& name, const Settings& settings, py::array w, const py::array& g,
                      std::vector<py::array> slots, int64_t iteration, int threads) {
  const OptimizerSettings parsed(name, settings);
  require(!parsed.needs_norms(), "clipnorm and global_clipnorm want all gradients: scale them first");
  require(slots.size() == parsed.slot_names().size(), "the optimizer has another number of slots");
  require(size(g) == size(w) && iteration > 0, "g must have the size of w, and iteration count from 1");
  const OptimizerStep step = OptimizerSchedule().step(parsed, parsed.learning_rate, iteration);
  with_type(w, [&](auto type) {
    using T = decltype(type);
    T* pw = output<T>(w, "w");
    const T* pg = input<T>(g, "g");
    std::vector<T*> slot;
    for (py::array& s : slots) {
      require(size(s) == size(w), "a slot must have the size of w");
      slot.push_back(output<T>(s, "slot"));
    }
    run(threads, elementwise(w), [&](const Team& team) {
      const Range mine = team.share(size(w), 64);
      T* at[max_slots];
      for (std::size_t i = 0; i < slot.size(); ++i) at[i] = slot[i] + mine.begin;
      kernels<T>().optimizer_update(pw + mine.begin, {pg + mine.begin, nullptr, nullptr, 0}, at, mine.end - mine.begin,
                                    step);
    });
  });
}

int64_t first_non_finite(const py::array& x, int threads) {
  constexpr int64_t kPiece = 1 << 18;  // elements between two looks for Ctrl-C
  return with_type(x, [&](auto type) {
    using T = decltype(type);
    const T* from = input<T>(x, "x");
    std::vector<int64_t> found(static_cast<std::size_t>(std::max(threads, 1)), -1);
    run(
        threads, static_cast<double>(size(x)),
        [&](const Team& team) {
          const Range mine = team.share(size(x), 1024);
          int64_t& at = found[static_cast<std::size_t>(team.rank)];
          for (int64_t begin = mine.begin; begin < mine.end && at < 0; begin += kPiece) {
            team.poll();
            at = kernels<T>().first_non_finite(from, {begin, std::min(begin + kPiece, mine.end)});
          }
        },
        check_signals);
    for (const int64_t at : found)
      if (at >= 0) return at;
    return int64_t{-1};
  });
}

}  // namespace

void bind_kernels(py::module_& m) {
  m.def("gemm", &gemm, py::arg("c"), py::arg("a"), py::arg("b"), py::arg("transpose_a"), py::arg("transpose_b"),
        py::arg("accumulate"), py::arg("threads"));
  m.def("dense_forward", &dense_forward, py::arg("y"), py::arg("x"), py::arg("kernel"), py::arg("bias"),
        py::arg("threads"));
  m.def("dense_backward", &dense_backward, py::arg("dx"), py::arg("dkernel"), py::arg("dbias"), py::arg("dy"),
        py::arg("x"), py::arg("kernel"), py::arg("threads"));
  m.def("activation_forward", &activation_forward, py::arg("y"), py::arg("x"), py::arg("name"), py::arg("a"),
        py::arg("b"), py::arg("c"), py::arg("threads"));
  m.def("activation_backward", &activation_backward, py::arg("dx"), py::arg("dy"), py::arg("x"), py::arg("y"),
        py::arg("name"), py::arg("a"), py::arg("b"), py::arg("c"), py::arg("threads"));
  m.def("softmax_forward", &softmax_forward, py::arg("y"), py::arg("x"), py::arg("outer"), py::arg("axis"),
        py::arg("inner"), py::arg("log"), py::arg("threads"));
  m.def("softmax_backward", &softmax_backward, py::arg("dx"), py::arg("dy"), py::arg("y"), py::arg("outer"),
        py::arg("axis"), py::arg("inner"), py::arg("log"), py::arg("threads"));
  m.def("rescaling_forward", &rescaling_forward, py::arg("y"), py::arg("x"), py::arg("scale"), py::arg("offset"),
        py::arg("threads"));
  m.def("group_norm_forward", &group_norm_forward, py::arg("y"), py::arg("mean"), py::arg("inverse"), py::arg("x"),
        py::arg("gamma"), py::arg("beta"), py::arg("samples"), py::arg("shape"), py::arg("epsilon"),
        py::arg("threads"));
  m.def("loss_forward", &loss_forward, py::arg("values").noconvert(), py::arg("y_pred"), py::arg("y_true"),
        py::arg("name"), py::arg("a"), py::arg("threads"));
  m.def("loss_backward", &loss_backward, py::arg("dy_pred"), py::arg("y_pred"), py::arg("y_true"), py::arg("name"),
        py::arg("a"), py::arg("scale"), py::arg("threads"));
  m.def("metric_forward", &metric_forward, py::arg("values").noconvert(), py::arg("y_pred"), py::arg("y_true"),
        py::arg("name"), py::arg("a"), py::arg("threads"));
  m.def("optimizer_update", &optimizer_update, py::arg("name"), py::arg("settings"), py::arg("w"), py::arg("g"),
        py::arg("slots"), py::arg("iteration"), py::arg("threads"));
  m.def("first_non_finite", &first_non_finite, py::arg("x"), py::arg("threads"));
}

}  // namespace pynn
