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
    run(threads, static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k), [&](const Team& team) {
      kernel.gemm(team, to, pa, pb, m, n, k, transpose_a, transpose_b, accumulate, scratch.data() + team.rank * each);
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

// It points into the numbers.
LossSpec loss_spec(const std::string& name, const LossNumbers& numbers, int64_t columns) {
  const LossSpec spec{loss_of(name), numbers.a, numbers.b, numbers.c,
                      numbers.by_class.empty() ? nullptr : numbers.by_class.data()};
  if (spec.by_class != nullptr) check_by_class(numbers.by_class, spec.kind, columns);
  return spec;
}

void loss_forward(Float64 values, const py::array& y_pred, const py::array& y_true, const std::string& name,
                  const NumbersOf& numbers, int threads) {
  const int64_t rows = size(values), columns = columns_of(y_pred, rows);
  const LossNumbers settings = loss_numbers(numbers);
  const LossSpec spec = loss_spec(name, settings, columns);
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
                   const NumbersOf& numbers, double scale, int threads) {
  require(y_pred.ndim() > 0 && size(dy_pred) == size(y_pred), "dy_pred must have the size of y_pred, which has rows");
  const auto columns = static_cast<int64_t>(y_pred.shape(y_pred.ndim() - 1));
  require(columns > 0, "y_pred must have columns");
  const LossNumbers settings = loss_numbers(numbers);
  const LossSpec spec = loss_spec(name, settings, columns);
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

void metric_forward(Float64 values, const py::array& y_pred, const py::array& y_true, const std::string& name,
                    const NumbersOf& numbers, int threads) {
  if (!is_metric(name)) {
    loss_forward(values, y_pred, y_true, name, numbers, threads);
    return;
  }
  const MetricSpec spec{metric_of(name), loss_numbers(numbers).a};
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

void optimizer_update(const std::string& name, const Settings& settings, py::array w, const py::array& g, Arrays slots,
                      int64_t iteration, int threads) {
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
    for (Given& s : slots) {
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
    run(threads, static_cast<double>(size(x)), [&](const Team& team) {
      const Range mine = team.share(size(x), 1024);
      int64_t& at = found[static_cast<std::size_t>(team.rank)];
      for (int64_t begin = mine.begin; begin < mine.end && at < 0; begin += kPiece) {
        team.poll();
        at = kernels<T>().first_non_finite(from, {begin, std::min(begin + kPiece, mine.end)});
      }
    });
    for (const int64_t at : found)
      if (at >= 0) return at;
    return int64_t{-1};
  });
}

}  // namespace

void bind_kernels(py::module_& m) {
  m.def("gemm", &gemm, py::arg("c"), py::arg("a"), py::arg("b"), py::arg("transpose_a"), py::arg("transpose_b"),
        py::arg("accumulate"), py::arg("threads"));
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
