#include "../engine/network.h"

#include <pybind11/stl.h>

#include "../engine/names.h"
#include "calls.h"
#include "windows.h"

namespace pynn {

void check_signals() {
  const py::gil_scoped_acquire gil;
  if (PyErr_CheckSignals() != 0) throw py::error_already_set();
}

namespace {

const void* numbers(const Network& network, const py::array& a, const char* name) {
  return network.is_double() ? static_cast<const void*>(input<double>(a, name)) : input<float>(a, name);
}

Samples samples(const Network& network, const py::array& x) {
  require(x.ndim() == 2 && x.shape(1) == network.input_size(), "x must have the shape (samples, input_size)");
  Samples s;
  s.count = static_cast<int64_t>(x.shape(0));
  if (is<uint8_t>(x))
    s.bytes = input<uint8_t>(x, "x");
  else
    s.values = numbers(network, x, "x");
  return s;
}

Targets targets(const Network& network, const py::array& y, int64_t count) {
  Targets t;
  if (network.loss_takes_labels()) {
    require(size(y) == count * network.loss_rows(), "y must have one label for each row");
    t.labels = input<int32_t>(y, "y");
  } else {
    require(size(y) == count * network.output_size(), "y must have the size of the output");
    t.values = numbers(network, y, "y");
  }
  return t;
}

// A writable view of a parameter, a gradient or a slot, which keeps the network alive.
py::array view(const py::object& self, void* data, int64_t n) {
  if (py::cast<const Network&>(self).is_double()) return py::array_t<double>(n, static_cast<double*>(data), self);
  return py::array_t<float>(n, static_cast<float*>(data), self);
}

bool train(Network& network, Float64 totals, const py::array& x, const py::array& y, int64_t batch_size, bool shuffle,
           uint64_t seed, int64_t epoch, int64_t first_step, int64_t steps, int threads) {
  const Samples s = samples(network, x);
  const Targets t = targets(network, y, s.count);
  require(s.count > 0 && batch_size > 0 && epoch >= 0 && first_step >= 0 && steps >= 0 && threads > 0,
          "train wants samples, a batch size, and no negative number");
  const int64_t batches = (s.count + batch_size - 1) / batch_size;
  require(totals.ndim() == 2 && totals.shape(0) * batches >= first_step + steps && first_step < batches,
          "totals must have a row for each epoch");
  double* to = output<double>(totals, "totals");
  const int64_t columns = totals.shape(1);
  const py::gil_scoped_release release;
  return network.train(to, columns, s, t, {batch_size, shuffle, seed, epoch, first_step, steps}, threads,
                       check_signals);
}

using ConstraintOf = std::tuple<std::string, std::vector<double>, std::vector<int64_t>>;

void set_constraints(Network& network, const std::vector<ConstraintOf>& constraints) {
  std::vector<ConstraintSpec> specs;
  for (const auto& [kind, numbers, sizes] : constraints) {
    require(numbers.size() == 3 && sizes.size() == 3, "a constraint has 3 numbers and 3 sizes");
    specs.push_back({constraint_of(kind), numbers[0], numbers[1], numbers[2], sizes[0], sizes[1], sizes[2]});
  }
  const py::gil_scoped_release release;
  network.set_constraints(specs);
}

void evaluate(Network& network, Float64 totals, const py::array& x, const py::array& y, int threads) {
  const Samples s = samples(network, x);
  const Targets t = targets(network, y, s.count);
  require(threads > 0, "threads must be positive");
  double* to = output<double>(totals, "totals");
  const int64_t columns = size(totals);
  const py::gil_scoped_release release;
  network.evaluate(to, columns, s, t, threads, check_signals);
}

// Where predictions for the samples go.
void* outputs(const Network& network, py::array& out, const Samples& s) {
  require(size(out) == s.count * network.output_size(), "out must have the size of the output");
  return network.is_double() ? static_cast<void*>(output<double>(out, "out")) : output<float>(out, "out");
}

int64_t predict(Network& network, py::array out, const py::array& x, bool check_finite, int threads) {
  require(threads > 0, "threads must be positive");
  const Samples s = samples(network, x);
  void* to = outputs(network, out, s);
  const py::gil_scoped_release release;
  return network.predict(to, s, check_finite, threads, check_signals);
}

int64_t predict_training(Network& network, py::array out, const py::array& x, bool check_finite, uint64_t step,
                         int threads) {
  require(threads > 0, "threads must be positive");
  const Samples s = samples(network, x);
  void* to = outputs(network, out, s);
  const py::gil_scoped_release release;
  return network.predict_training(to, s, check_finite, step, threads, check_signals);
}

int add_resample(Network& network, int x, int64_t inputs, int64_t inner, const py::array& begin, const py::array& index,
                 const py::array& weight) {
  const int64_t outputs = size(begin) - 1;
  const SparseMap<double> map{inputs,
                              outputs,
                              inner,
                              input<int64_t>(begin, "begin"),
                              input<int64_t>(index, "index"),
                              input<double>(weight, "weight")};
  require(outputs >= 0 && map.begin[outputs] == size(index) && size(index) == size(weight),
          "index and weight must have begin[-1] elements");
  return network.add_resample(x, map);
}

std::unique_ptr<Network> create(const std::string& dtype, int64_t input_size) {
  require(dtype == "float32" || dtype == "float64", "dtype must be float32 or float64");
  return make_network(dtype == "float64", input_size);
}

}  // namespace

void bind_network(py::module_& m) {
  // Calls that may wait for other threads, which may want the GIL.
  const auto without_gil = py::call_guard<py::gil_scoped_release>();
  py::class_<Network>(m, "Network")
      .def(py::init(&create), py::arg("dtype"), py::arg("input_size"))
      .def_property_readonly("dtype", [](const Network& n) { return n.is_double() ? "float64" : "float32"; })
      .def("add_parameter", &Network::add_parameter, py::arg("size"), py::arg("learned"))
      .def("add_dense", &Network::add_dense, py::arg("x"), py::arg("kernel"), py::arg("bias"), py::arg("inputs"),
           py::arg("units"))
      .def(
          "add_conv",
          [](Network& n, int x, int kernel, int bias, const Numbers& shape, bool transposed) {
            return n.add_conv(x, kernel, bias, conv_shape(shape), transposed);
          },
          py::arg("x"), py::arg("kernel"), py::arg("bias"), py::arg("shape"), py::arg("transposed"))
      .def(
          "add_pool",
          [](Network& n, int x, const std::string& kind, const Numbers& shape) {
            return n.add_pool(x, kind, pool_shape(shape));
          },
          py::arg("x"), py::arg("kind"), py::arg("shape"))
      .def("add_noise", &Network::add_noise, py::arg("x"), py::arg("kind"), py::arg("shape"), py::arg("sharing"),
           py::arg("amount"), py::arg("seed"))
      .def("add_batch_norm", &Network::add_batch_norm, py::arg("x"), py::arg("gamma"), py::arg("beta"),
           py::arg("moving_mean"), py::arg("moving_variance"), py::arg("columns"), py::arg("momentum"),
           py::arg("epsilon"))
      .def("add_group_norm", &Network::add_group_norm, py::arg("x"), py::arg("gamma"), py::arg("beta"),
           py::arg("samples"), py::arg("groups"), py::arg("columns"), py::arg("epsilon"))
      .def("add_resample", &add_resample, py::arg("x"), py::arg("inputs"), py::arg("inner"), py::arg("begin"),
           py::arg("index"), py::arg("weight"))
      .def("add_activation", &Network::add_activation, py::arg("x"), py::arg("name"), py::arg("a"), py::arg("b"),
           py::arg("c"))
      .def("add_softmax", &Network::add_softmax, py::arg("x"), py::arg("outer"), py::arg("axis"), py::arg("inner"),
           py::arg("log"))
      .def("add_rescaling", &Network::add_rescaling, py::arg("x"), py::arg("scale"), py::arg("offset"),
           py::arg("mean") = std::vector<double>{})
      .def("add_activity_penalty", &Network::add_activity_penalty, py::arg("x"), py::arg("l1"), py::arg("l2"))
      .def("build", &Network::build, py::arg("output"))
      .def(
          "parameter",
          [](const py::object& self, int number) {
            auto& n = py::cast<Network&>(self);
            return view(self, n.parameter(number), n.parameter_size(number));
          },
          py::arg("number"))
      .def(
          "slot",
          [](const py::object& self, int slot, int number) {
            auto& n = py::cast<Network&>(self);
            return view(self, n.slot(slot, number), n.parameter_size(number));
          },
          py::arg("slot"), py::arg("number"))
      .def_property_readonly("slots", &Network::slots)
      .def("set_trainable", &Network::set_trainable, py::arg("trainable"), without_gil)
      .def("set_regularizers", &Network::set_regularizers, py::arg("factors"), without_gil)
      .def("set_constraints", &set_constraints, py::arg("constraints"))
      .def("set_loss", &Network::set_loss, py::arg("name"), py::arg("tensor"), py::arg("columns"), py::arg("a"),
           py::arg("mean"), without_gil)
      .def("set_metrics", &Network::set_metrics, py::arg("metrics"), without_gil)
      .def("set_optimizer", &Network::set_optimizer, py::arg("name"), py::arg("settings"), without_gil)
      .def_property("learning_rate", &Network::learning_rate, &Network::set_learning_rate)
      .def_property("iterations", &Network::iterations, &Network::set_iterations)
      .def_property_readonly("steps_done", &Network::steps_done)
      .def("train", &train, py::arg("totals").noconvert(), py::arg("x"), py::arg("y"), py::arg("batch_size"),
           py::arg("shuffle"), py::arg("seed"), py::arg("epoch"), py::arg("first_step"), py::arg("steps"),
           py::arg("threads"))
      .def("evaluate", &evaluate, py::arg("totals").noconvert(), py::arg("x"), py::arg("y"), py::arg("threads"))
      .def("predict", &predict, py::arg("out"), py::arg("x"), py::arg("check_finite"), py::arg("threads"))
      .def("predict_training", &predict_training, py::arg("out"), py::arg("x"), py::arg("check_finite"),
           py::arg("step"), py::arg("threads"));
}

}  // namespace pynn
