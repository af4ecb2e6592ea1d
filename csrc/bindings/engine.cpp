// Parameters, graphs, plans and trainers, as classes.
#include <pybind11/functional.h>

#include <algorithm>
#include <variant>

#include "../engine/gradients.h"
#include "../engine/names.h"
#include "../engine/trainer.h"
#include "attributes.h"
#include "calls.h"

namespace pynn {
namespace {

bool is_float64(const std::string& dtype) {
  require(dtype == "float32" || dtype == "float64", "dtype must be float32 or float64");
  return dtype == "float64";
}

// A writable view of memory that `owner` keeps alive.
template <typename T>
py::array view(const void* data, int64_t n, const py::object& owner) {
  return py::array_t<T>(n, static_cast<const T*>(data), owner);
}

// ---- parameters

using ConstraintOf = std::tuple<std::string, std::vector<double>, std::vector<int64_t>>;

int add_weight(Parameters& parameters, int64_t size, bool learned, double l1, double l2,
               const std::optional<ConstraintOf>& constraint) {
  Parameter fresh;
  fresh.size = size;
  fresh.learned = learned;
  fresh.l1 = l1;
  fresh.l2 = l2;
  if (constraint) {
    const auto& [kind, numbers, sizes] = *constraint;
    require(numbers.size() == 3 && sizes.size() == 3, "a constraint has 3 numbers and 3 sizes");
    fresh.constraint = {constraint_of(kind), numbers[0], numbers[1], numbers[2], sizes[0], sizes[1], sizes[2]};
  }
  return parameters.add(fresh);
}

py::array weight_view(const py::object& self, int number) {
  const auto& parameters = py::cast<const Parameters&>(self);
  const int64_t size = parameters.at(number).size;
  if (parameters.is_double()) return view<double>(parameters.data(number), size, self);
  return view<float>(parameters.data(number), size, self);
}

// ---- graph

int add_input(Graph& graph, int64_t size, const std::string& kind) {
  require(kind == "real" || kind == "ids", "kind must be real or ids");
  return graph.add_input(size, kind == "real" ? InputKind::real : InputKind::ids);
}

std::vector<int> add_op(Graph& graph, const std::string& kind, const std::vector<int>& inputs,
                        const std::vector<int>& parameters, const py::dict& attributes) {
  const Interrupt interrupt = signal_check();
  const Interruptible guard(interrupt);
  return graph.add({kind, inputs, parameters, attributes_of(attributes), {}});
}

// ---- datasets

template <typename T>
Column column(const py::array& a, const char* name) {
  require(a.ndim() >= 1, "samples and targets must have an axis of samples");
  int64_t width = 1;
  for (py::ssize_t axis = 1; axis < a.ndim(); ++axis) width *= static_cast<int64_t>(a.shape(axis));
  if (is<T>(a)) return {ColumnKind::real, input<T>(a, name), width};
  if (is<uint8_t>(a)) return {ColumnKind::bytes, input<uint8_t>(a, name), width};
  if (is<int32_t>(a)) return {ColumnKind::ids, input<int32_t>(a, name), width};
  return {ColumnKind::real, input<T>(a, name), width};
}

// Adds the arrays of one kind, each of as many samples.
template <typename T>
void add_columns(Dataset& data, std::vector<Column>& to, const std::vector<py::array>& arrays, const char* name) {
  for (const py::array& a : arrays) {
    to.push_back(column<T>(a, name));
    const auto samples = static_cast<int64_t>(a.shape(0));
    require(data.inputs.size() + data.targets.size() == 1 || samples == data.samples,
            "all arrays must have the same number of samples");
    data.samples = samples;
  }
}

void check_ids_of(const Column& column, int64_t samples, int64_t below, const char* what) {
  check_ids(static_cast<const int32_t*>(column.data), samples * column.width, below, what);
}

template <typename T>
Dataset samples_of(const Plan<T>& plan, const std::vector<py::array>& xs) {
  require(xs.size() == plan.inputs().size(), "there must be an array of samples for each input");
  Dataset data;
  add_columns<T>(data, data.inputs, xs, "x");
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const PlanInput<T>& in = plan.inputs()[i];
    const Column& c = data.inputs[i];
    require(c.width == in.width, "x must have the shape (samples, size of the input)");
    require((in.kind == InputKind::ids) == (c.kind == ColumnKind::ids), "x must be real or ids, as the input is");
    if (c.kind == ColumnKind::ids) check_ids_of(c, data.samples, in.ids_below, "ids of rows of a table");
  }
  return data;
}

// Weights of rows beside the targets of each head; all missing, where none has any.
template <typename T>
void add_weights(Dataset& data, const Heads<T>& heads, const std::vector<Optional>& weights) {
  if (std::none_of(weights.begin(), weights.end(), [](const Optional& each) { return each.has_value(); })) return;
  require(weights.size() == static_cast<std::size_t>(heads.count()), "there must be weights, or None, for each head");
  for (std::size_t head = 0; head < weights.size(); ++head) {
    if (!weights[head]) {
      data.weights.push_back({ColumnKind::real, nullptr, 1});
      continue;
    }
    const Column c = column<T>(*weights[head], "weights");
    require(c.kind == ColumnKind::real, "weights must be of the network's number type");
    require(static_cast<int64_t>(weights[head]->shape(0)) == data.samples, "there must be weights for each sample");
    require(c.width == 1 || c.width == heads.rows(static_cast<int>(head)),
            "weights must be one for each sample, or for each row of the loss");
    data.weights.push_back(c);
  }
}

template <typename T>
Dataset data_of(const Trainer<T>& trainer, const Heads<T>& heads, const std::vector<py::array>& xs,
                const std::vector<py::array>& ys, const std::vector<Optional>& weights) {
  Dataset data = samples_of(trainer.plan(), xs);
  require(ys.size() == static_cast<std::size_t>(heads.count()), "there must be an array of targets for each head");
  add_columns<T>(data, data.targets, ys, "y");
  for (int head = 0; head < heads.count(); ++head) {
    const Column& c = data.targets[static_cast<std::size_t>(head)];
    require(c.width == heads.target_width(head), "y must have a label for each row, or the size of the output");
    require(heads.takes_labels(head) ? c.kind == ColumnKind::ids : c.kind == ColumnKind::real,
            "y must be labels (int32) or numbers, as the loss takes them");
    if (c.kind == ColumnKind::ids) check_ids_of(c, data.samples, heads.classes(head), "labels of classes");
  }
  add_weights(data, heads, weights);
  return data;
}

template <typename T>
std::vector<T*> outputs_of(const Plan<T>& plan, std::vector<py::array>& outs, int64_t samples) {
  require(outs.size() == plan.graph().outputs().size(), "there must be an array for each output");
  std::vector<T*> to;
  for (std::size_t i = 0; i < outs.size(); ++i) {
    require(size(outs[i]) == samples * plan.size(plan.graph().outputs()[i]), "out must have the size of the output");
    to.push_back(output<T>(outs[i], "out"));
  }
  return to;
}

// ---- plan

// A plan or a trainer of one of the two number types.
template <template <typename> class Of>
struct Either {
  std::variant<std::shared_ptr<Of<float>>, std::shared_ptr<Of<double>>> either;

  template <typename F>
  auto with(F f) const {
    return std::visit([&](const auto& pointer) { return f(*pointer); }, either);
  }
};
using AnyPlan = Either<Plan>;
using AnyTrainer = Either<Trainer>;

AnyPlan make_plan(const Graph& graph, const std::string& dtype) {
  const bool is_double = is_float64(dtype);
  const auto copy = std::make_shared<const Graph>(graph);
  const Interrupt interrupt = signal_check();
  const Interruptible guard(interrupt);
  const WithoutGil released;
  if (is_double) return {std::make_shared<Plan<double>>(copy)};
  return {std::make_shared<Plan<float>>(copy)};
}

using Place = std::optional<std::pair<int, int64_t>>;

template <typename Predict>
Place predict_with(const AnyPlan& any, std::vector<py::array>& outs, const std::vector<py::array>& xs, int threads,
                   const Predict& predict) {
  require(threads > 0, "threads must be positive");
  return any.with([&](const auto& plan) -> Place {
    const Dataset data = samples_of(plan, xs);
    const auto to = outputs_of(plan, outs, data.samples);
    const Interrupt interrupt = signal_check();
    const std::optional<BadElement> bad = without_gil([&] { return predict(plan, to, data, interrupt); });
    if (!bad) return std::nullopt;
    return std::make_pair(bad->input, bad->index);
  });
}

Place predict(const AnyPlan& any, std::vector<py::array> outs, const std::vector<py::array>& xs, bool check_finite,
              int threads) {
  return predict_with(any, outs, xs, threads, [&](const auto& plan, const auto& to, const auto& x, const auto& check) {
    return plan.predict(to, x, check_finite, threads, check);
  });
}

Place predict_training(const AnyPlan& any, std::vector<py::array> outs, const std::vector<py::array>& xs,
                       bool check_finite, uint64_t step, int threads) {
  return predict_with(any, outs, xs, threads, [&](const auto& plan, const auto& to, const auto& x, const auto& check) {
    return plan.predict_training(to, x, check_finite, step, threads, check);
  });
}

// The sizes in a tuple behind `samples`; empty where one of them is no number.
std::vector<py::ssize_t> batch_shape(py::ssize_t samples, const py::tuple& of_sample) {
  std::vector<py::ssize_t> shape{samples};
  for (const py::handle size : of_sample) {
    if (!py::isinstance<py::int_>(size)) return {};
    shape.push_back(PyLong_AsSsize_t(size.ptr()));
  }
  return shape;
}

py::object predict_array(const AnyPlan& any, const py::array& x, const py::tuple& x_shape, const py::tuple& y_shape,
                         bool check_finite, int threads) {
  require(threads > 0, "threads must be positive");
  return any.with([&](const auto& plan) -> py::object {
    using T = typename std::decay_t<decltype(plan)>::Number;
    if (plan.inputs().size() != 1 || plan.inputs()[0].kind != InputKind::real || plan.graph().outputs().size() != 1 ||
        x.ndim() < 1 || x.shape(0) < 1 || !(is<T>(x) || is<uint8_t>(x)))
      return py::none();
    const auto aligned = reinterpret_cast<std::uintptr_t>(x.data()) % static_cast<std::size_t>(x.itemsize()) == 0;
    const std::vector<py::ssize_t> wanted = batch_shape(x.shape(0), x_shape), shape = batch_shape(x.shape(0), y_shape);
    if (!aligned || shape.empty() || !std::equal(wanted.begin(), wanted.end(), x.shape(), x.shape() + x.ndim()))
      return py::none();
    Array<T> y(shape);
    const auto samples = static_cast<int64_t>(x.shape(0));
    require(size(y) == samples * plan.size(plan.graph().outputs()[0]), "y_shape must be that of the output");
    require(size(x) == samples * plan.inputs()[0].width, "x_shape must be that of the input");
    const ColumnKind kind = is<T>(x) ? ColumnKind::real : ColumnKind::bytes;
    const Dataset data{samples, {{kind, x.data(), plan.inputs()[0].width}}, {}};
    const std::vector<T*> to{y.mutable_data()};
    const Interrupt interrupt = signal_check();
    const auto bad = without_gil([&] { return plan.predict(to, data, check_finite, threads, interrupt); });
    return bad ? py::object(py::none()) : py::object(std::move(y));
  });
}

// ---- trainer

AnyTrainer make_trainer(const AnyPlan& any) {
  return std::visit(
      [](const auto& plan) -> AnyTrainer {
        using PlanOfType = std::decay_t<decltype(*plan)>;
        if constexpr (std::is_same_v<PlanOfType, Plan<double>>)
          return {std::make_shared<Trainer<double>>(plan)};
        else
          return {std::make_shared<Trainer<float>>(plan)};
      },
      any.either);
}

using MetricOf = std::tuple<std::string, NumbersOf, bool>;
using HeadOf = std::tuple<int, std::string, int64_t, NumbersOf, std::string, double, std::vector<MetricOf>>;

void set_heads(const AnyTrainer& any, const std::vector<HeadOf>& heads) {
  std::vector<HeadSetting> settings;
  for (const auto& [output, loss, columns, numbers, reduction, weight, metrics] : heads) {
    const auto [a, b, c] = three_numbers(numbers);
    settings.push_back({output, loss, columns, a, reduction, weight, {}, b, c});
    for (const auto& [name, of_metric, weighted] : metrics) {
      const auto [d, e, f] = three_numbers(of_metric);
      settings.back().metrics.push_back({name, d, weighted, e, f});
    }
  }
  const Interrupt interrupt = signal_check();
  any.with([&](auto& trainer) {
    const WithoutGil released;  // it may wait for other threads
    trainer.set_heads(settings, interrupt);
  });
}

using WeightsOf = std::vector<std::pair<std::shared_ptr<Parameters>, int>>;

std::vector<ParameterRef> references(const WeightsOf& weights) {
  std::vector<ParameterRef> found;
  for (const auto& [parameters, number] : weights) found.push_back({parameters, number});
  return found;
}

void set_optimizer(const AnyTrainer& any, const std::string& name, const Settings& settings) {
  const Interrupt interrupt = signal_check();
  any.with([&](auto& trainer) {
    const WithoutGil released;
    trainer.set_optimizer(name, settings, interrupt);
  });
}

void set_undecayed(const AnyTrainer& any, const WeightsOf& weights) {
  const Interrupt interrupt = signal_check();
  const std::vector<ParameterRef> found = references(weights);
  any.with([&](auto& trainer) {
    const WithoutGil released;
    trainer.set_undecayed(found, interrupt);
  });
}

void take_averages(const AnyTrainer& any, const WeightsOf& weights) {
  const Interrupt interrupt = signal_check();
  const std::vector<ParameterRef> found = references(weights);
  any.with([&](auto& trainer) {
    const WithoutGil released;
    trainer.take_averages(found, interrupt);
  });
}

void take_optimizer(const AnyTrainer& any, const AnyTrainer& other) {
  const Interrupt interrupt = signal_check();
  std::visit(
      [&](const auto& mine, const auto& theirs) {
        if constexpr (std::is_same_v<decltype(mine), decltype(theirs)>) {
          const WithoutGil released;  // it may wait for other threads
          mine->take_optimizer(*theirs, interrupt);
        } else {
          require(false, "trainers must be of one number type");
        }
      },
      any.either, other.either);
}

bool train(const AnyTrainer& any, Float64 totals, const std::vector<py::array>& xs, const std::vector<py::array>& ys,
           const std::vector<Optional>& weights, int64_t batch_size, bool shuffle, uint64_t seed, int64_t epoch,
           int64_t first_step, int64_t steps, int threads) {
  return any.with([&](auto& trainer) {
    const auto heads = trainer.heads();
    const Dataset data = data_of(trainer, *heads, xs, ys, weights);
    require(data.samples > 0 && batch_size > 0 && epoch >= 0 && first_step >= 0 && steps >= 0 && threads > 0,
            "train wants samples, a batch size, and no negative number");
    require(steps <= INT64_MAX - first_step, "first_step + steps must fit into 64 bits");
    const TrainRange range{std::min(batch_size, data.samples), shuffle, seed, epoch, first_step, steps};
    const int64_t batches = (data.samples - 1) / range.batch_size + 1;
    require(totals.ndim() == 2 && totals.shape(1) == heads->columns() &&
                (steps == 0 || totals.shape(0) > (first_step + steps - 1) / batches),
            "totals must have a row for each epoch, and the columns of losses and metrics");
    double* to = output<double>(totals, "totals");
    const Interrupt interrupt = signal_check();
    return without_gil([&] { return trainer.train(to, data, range, threads, {interrupt}, heads); });
  });
}

void evaluate(const AnyTrainer& any, Float64 totals, const std::vector<py::array>& xs, const std::vector<py::array>& ys,
              const std::vector<Optional>& weights, int threads) {
  any.with([&](const auto& trainer) {
    const auto heads = trainer.heads();
    const Dataset data = data_of(trainer, *heads, xs, ys, weights);
    require(threads > 0, "threads must be positive");
    require(size(totals) == heads->columns(), "totals must have the columns of losses and metrics");
    double* to = output<double>(totals, "totals");
    const Interrupt interrupt = signal_check();
    without_gil([&] { trainer.evaluate(to, data, threads, interrupt, heads); });
  });
}

// ---- gradients on demand

// Arrays for the gradients of weights, and where they are by parameter of the graph; 0 for one that the graph has not.
template <typename T>
std::pair<std::vector<Array<T>>, std::vector<T*>> gradients_for(const Graph& graph, const WeightsOf& weights) {
  std::vector<Array<T>> arrays;
  std::vector<T*> by_parameter(graph.parameters().size(), nullptr);
  for (const auto& [owner, number] : weights) {
    require(owner->is_double() == (sizeof(T) == sizeof(double)), "weights must be of the network's number type");
    Array<T> gradient(owner->at(number).size);
    T* to = gradient.mutable_data();
    std::fill_n(to, gradient.size(), T{0});
    for (std::size_t i = 0; i < by_parameter.size(); ++i)
      if (graph.parameters()[i].owner == owner && graph.parameters()[i].number == number) by_parameter[i] = to;
    arrays.push_back(std::move(gradient));
  }
  return {std::move(arrays), std::move(by_parameter)};
}

py::tuple gradients(const AnyTrainer& any, const std::vector<py::array>& xs, const std::vector<py::array>& ys,
                    const std::vector<Optional>& weights, const WeightsOf& wanted, bool training, uint64_t step,
                    int threads) {
  require(threads > 0, "threads must be positive");
  return any.with([&](const auto& trainer) -> py::tuple {
    using T = typename std::decay_t<decltype(trainer)>::Number;
    const auto heads = trainer.heads();
    const Dataset data = data_of(trainer, *heads, xs, ys, weights);
    require(data.samples > 0, "gradients wants samples");
    const auto [arrays, to] = gradients_for<T>(trainer.plan().graph(), wanted);
    const Interrupt interrupt = signal_check();
    const GradientCall<T> call{data, training, step, to, {}, threads, interrupt};
    const double loss = without_gil([&] { return loss_gradients(trainer.plan(), *heads, call); });
    return py::make_tuple(loss, arrays);
  });
}

py::tuple vjp(const AnyPlan& any, const std::vector<py::array>& dys, const std::vector<py::array>& xs,
              const WeightsOf& wanted, bool training, uint64_t step, int threads) {
  require(threads > 0, "threads must be positive");
  return any.with([&](const auto& plan) -> py::tuple {
    using T = typename std::decay_t<decltype(plan)>::Number;
    const Dataset data = samples_of(plan, xs);
    const std::vector<int>& outputs = plan.graph().outputs();
    require(dys.size() == outputs.size(), "there must be an array for each output");
    std::vector<const T*> from;
    for (std::size_t i = 0; i < dys.size(); ++i) {
      require(size(dys[i]) == data.samples * plan.size(outputs[i]), "dy must have the size of the output");
      from.push_back(input<T>(dys[i], "dy"));
    }
    const auto [arrays, to] = gradients_for<T>(plan.graph(), wanted);
    std::vector<Array<T>> dxs;
    std::vector<T*> dx;
    for (const PlanInput<T>& in : plan.inputs()) {
      dxs.emplace_back(in.kind == InputKind::real ? data.samples * in.width : 0);
      dx.push_back(in.kind == InputKind::real ? dxs.back().mutable_data() : nullptr);
    }
    const Interrupt interrupt = signal_check();
    const GradientCall<T> call{data, training, step, to, dx, threads, interrupt};
    without_gil([&] { vector_jacobian_product(plan, from, call); });
    return py::make_tuple(arrays, dxs);
  });
}

// Each of the weights must be a parameter of the graph, and come once.
void apply_gradients(const AnyTrainer& any, const std::vector<py::array>& gradients, const WeightsOf& weights,
                     int threads) {
  require(threads > 0, "threads must be positive");
  require(gradients.size() == weights.size(), "there must be a gradient for each weight");
  any.with([&](auto& trainer) {
    using T = typename std::decay_t<decltype(trainer)>::Number;
    const auto& parameters = trainer.plan().graph().parameters();
    std::vector<const T*> given(parameters.size(), nullptr);
    for (std::size_t i = 0; i < weights.size(); ++i) {
      const auto& [owner, number] = weights[i];
      const auto is_it = [&](const ParameterRef& p) { return p.owner == owner && p.number == number; };
      const auto found = std::find_if(parameters.begin(), parameters.end(), is_it);
      require(found != parameters.end(), "the optimizer has not begun with one of the weights, nor does its model train it");
      const T*& to = given[static_cast<std::size_t>(found - parameters.begin())];
      require(to == nullptr, "each weight must come once");
      require(size(gradients[i]) == owner->at(number).size, "a gradient must have the size of its weight");
      to = input<T>(gradients[i], "a gradient");
    }
    const Interrupt interrupt = signal_check();
    without_gil([&] { trainer.apply_gradients(given, threads, interrupt); });
  });
}

// ---- use lock

// Given back when it is dropped, or at the end of a `with` block.
struct Hold {
  std::shared_ptr<UseLock> lock;
  Taken taken;
};

std::unique_ptr<Hold> hold(const std::shared_ptr<UseLock>& lock, const std::string& message) {
  auto held = std::make_unique<Hold>();
  held->lock = lock;
  held->taken = Taken(*lock);
  if (!held->taken) throw Busy(message);
  return held;
}

}  // namespace

void bind_engine(py::module_& m) {
  py::class_<Parameters, std::shared_ptr<Parameters>>(m, "Parameters")
      .def(py::init([](const std::string& dtype) { return std::make_shared<Parameters>(is_float64(dtype)); }),
           py::arg("dtype"))
      .def_property_readonly("dtype", [](const Parameters& p) { return p.is_double() ? "float64" : "float32"; })
      .def("add", &add_weight, py::arg("size"), py::arg("learned") = true, py::arg("l1") = 0.0, py::arg("l2") = 0.0,
           py::arg("constraint") = py::none())
      .def("__len__", &Parameters::count)
      .def("array", &weight_view, py::arg("number"))
      .def_property(
          "frozen", [](const Parameters& p) { return p.frozen.load(); },
          [](Parameters& p, bool value) { p.frozen = value; });

  py::class_<Graph>(m, "Graph")
      .def(py::init<>())
      .def("add_input", &add_input, py::arg("size"), py::arg("kind") = "real")
      .def(
          "add_parameter",
          [](Graph& g, const std::shared_ptr<Parameters>& parameters, int number) {
            return g.add_parameter({parameters, number});
          },
          py::arg("parameters"), py::arg("number"))
      .def("add", &add_op, py::arg("kind"), py::arg("inputs"), py::arg("parameters"), py::arg("attributes"))
      .def(
          "add_activity_penalty",
          [](Graph& g, int tensor, double l1, double l2) { g.add_activity_penalty({tensor, l1, l2}); },
          py::arg("tensor"), py::arg("l1"), py::arg("l2"))
      .def("set_outputs", &Graph::set_outputs, py::arg("tensors"))
      .def("size", &Graph::size, py::arg("tensor"));

  py::class_<AnyPlan>(m, "Plan")
      .def(py::init(&make_plan), py::arg("graph"), py::arg("dtype"))
      .def_property_readonly("dtype", [](const AnyPlan& p) { return p.either.index() == 1 ? "float64" : "float32"; })
      .def("predict", &predict, py::arg("outs"), py::arg("xs"), py::arg("check_finite"), py::arg("threads"))
      .def("predict_array", &predict_array, py::arg("x"), py::arg("x_shape"), py::arg("y_shape"),
           py::arg("check_finite"), py::arg("threads"))
      .def("vjp", &vjp, py::arg("dys"), py::arg("xs"), py::arg("wanted"), py::arg("training"), py::arg("step"),
           py::arg("threads"))
      .def("predict_training", &predict_training, py::arg("outs"), py::arg("xs"), py::arg("check_finite"),
           py::arg("step"), py::arg("threads"));

  const auto get = [](auto member) {
    return [member](const AnyTrainer& any) { return any.with([&](auto& trainer) { return member(trainer); }); };
  };
  py::class_<AnyTrainer>(m, "Trainer")
      .def(py::init(&make_trainer), py::arg("plan"))
      .def("set_heads", &set_heads, py::arg("heads"))
      .def("take_optimizer", &take_optimizer, py::arg("other"))
      .def("set_optimizer", &set_optimizer, py::arg("name"), py::arg("settings"))
      .def("set_undecayed", &set_undecayed, py::arg("weights"))
      .def("take_averages", &take_averages, py::arg("weights"))
      .def_property("learning_rate", get([](auto& t) { return t.learning_rate(); }),
                    [](const AnyTrainer& any, double value) {
                      any.with([&](auto& trainer) { trainer.set_learning_rate(value); });
                    })
      .def_property(
          "iterations", get([](auto& t) { return t.iterations(); }),
          [](const AnyTrainer& any, int64_t value) { any.with([&](auto& trainer) { trainer.set_iterations(value); }); })
      .def_property_readonly("steps_done", get([](auto& t) { return t.steps_done(); }))
      .def("apply_gradients", &apply_gradients, py::arg("gradients"), py::arg("weights"), py::arg("threads"))
      .def("gradients", &gradients, py::arg("xs"), py::arg("ys"), py::arg("weights"), py::arg("wanted"),
           py::arg("training"), py::arg("step"), py::arg("threads"))
      .def("train", &train, py::arg("totals").noconvert(), py::arg("xs"), py::arg("ys"), py::arg("weights"),
           py::arg("batch_size"), py::arg("shuffle"), py::arg("seed"), py::arg("epoch"), py::arg("first_step"),
           py::arg("steps"), py::arg("threads"))
      .def("evaluate", &evaluate, py::arg("totals").noconvert(), py::arg("xs"), py::arg("ys"), py::arg("weights"),
           py::arg("threads"));

  py::class_<Hold>(m, "Hold")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](Hold& held, const py::args&) { held.taken.release(); });
  py::class_<UseLock, std::shared_ptr<UseLock>>(m, "UseLock")
      .def(py::init<>())
      .def("hold", &hold, py::arg("message"))
      .def_property_readonly("is_held_here", &UseLock::is_held_here);
}

}  // namespace pynn
