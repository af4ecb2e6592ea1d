// Parameters, graphs, plans and trainers, as classes.
#include <algorithm>

#include "../engine/names.h"
#include "attributes.h"
#include "networks.h"

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

int add_weight(Parameters& parameters, int64_t size, bool learned, double l1, double l2, bool by_rows,
               const std::optional<ConstraintOf>& constraint) {
  Parameter fresh;
  fresh.size = size;
  fresh.learned = learned;
  fresh.l1 = l1;
  fresh.l2 = l2;
  fresh.by_rows = by_rows;
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
                        const std::vector<int>& parameters, const py::dict& attributes, int64_t times, bool trains) {
  const Interrupt interrupt = signal_check();
  const Interruptible guard(interrupt);
  return graph.add({kind, inputs, parameters, attributes_of(attributes), {}, times, trains});
}

// ---- plan

template <typename T>
std::vector<T*> outputs_of(const Plan<T>& plan, Arrays& outs, int64_t samples) {
  require(outs.size() == plan.graph().outputs().size(), "there must be an array for each output");
  std::vector<T*> to;
  for (std::size_t i = 0; i < outs.size(); ++i) {
    require(size(outs[i]) == samples * plan.size(plan.graph().outputs()[i]), "out must have the size of the output");
    to.push_back(output<T>(outs[i], "out"));
  }
  return to;
}

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
Place predict_with(const AnyPlan& any, Arrays& outs, const Arrays& xs, int threads, const Predict& predict) {
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

Place predict(const AnyPlan& any, Arrays outs, const Arrays& xs, bool check_finite, int threads, uint64_t step) {
  return predict_with(any, outs, xs, threads, [&](const auto& plan, const auto& to, const auto& x, const auto& check) {
    return plan.predict(to, x, check_finite, step, threads, check);
  });
}

Place predict_training(const AnyPlan& any, Arrays outs, const Arrays& xs, bool check_finite, uint64_t step,
                       int threads) {
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

py::object predict_array(const AnyPlan& any, const Given& x, const py::tuple& x_shape, const py::tuple& y_shape,
                         bool check_finite, int threads) {
  require(threads > 0, "threads must be positive");
  return any.with([&](const auto& plan) -> py::object {
    using T = typename std::decay_t<decltype(plan)>::Number;
    if (plan.inputs().size() != 1 || plan.inputs()[0].kind != InputKind::real || plan.graph().outputs().size() != 1 ||
        x.ndim() < 1 || x.shape(0) < 1 || !(is<T>(x) || is<uint8_t>(x)) || plan.draws() ||
        (plan.state_samples() != 0 && x.shape(0) != plan.state_samples()))
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
    const auto bad = without_gil([&] { return plan.predict(to, data, check_finite, 0, threads, interrupt); });
    return bad ? py::object(py::none()) : py::object(std::move(y));
  });
}

std::vector<int64_t> mask_sizes(const AnyPlan& any) {
  return any.with([](const auto& plan) {
    std::vector<int64_t> sizes;
    for (std::size_t i = 0; i < plan.graph().outputs().size(); ++i)
      sizes.push_back(plan.graph().mask(i) < 0 ? 0 : plan.size(plan.graph().mask(i)));
    return sizes;
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
using AxesOf = std::optional<std::pair<bool, std::vector<std::pair<int64_t, bool>>>>;
using HeadOf = std::tuple<int, std::string, int64_t, NumbersOf, std::string, double, std::vector<MetricOf>, AxesOf>;

void set_heads(const AnyTrainer& any, const std::vector<HeadOf>& heads, const std::vector<int>& handed) {
  std::vector<HeadSetting> settings;
  for (const auto& [output, loss, columns, numbers, reduction, weight, metrics, axes] : heads) {
    const auto [a, b, c, by_class] = loss_numbers(numbers);
    settings.push_back({output, loss, columns, a, reduction, weight, {}, b, c, by_class});
    if (axes) settings.back().axes = SummedAxes{axes->first, axes->second};
    for (const auto& [name, of_metric, weighted] : metrics) {
      const auto [d, e, f, each] = loss_numbers(of_metric);
      settings.back().metrics.push_back({name, d, weighted, e, f, each});
    }
  }
  const Interrupt interrupt = signal_check();
  any.with([&](auto& trainer) {
    const WithoutGil released;  // it may wait for other threads
    trainer.set_heads(settings, interrupt, handed);
  });
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

// Where outputs of so many samples go: an array or None for each output; none at all for an empty list.
template <typename T>
std::vector<T*> handed_outputs(const Plan<T>& plan, std::vector<Optional>& outs, int64_t samples) {
  const std::vector<int>& outputs = plan.graph().shown();
  require(outs.empty() || outs.size() == plan.graph().outputs().size() || outs.size() == outputs.size(),
          "outs must have an array or None for each output, and perhaps for the mask of each, or nothing");
  std::vector<T*> to;
  for (std::size_t i = 0; i < outs.size(); ++i) {
    require(!outs[i] || outputs[i] >= 0, "there is no mask of this output");
    if (outs[i])
      require(size(*outs[i]) >= samples * plan.size(outputs[i]), "outs must have room for the outputs of all samples");
    to.push_back(outs[i] ? output<T>(*outs[i], "outs") : nullptr);
  }
  return to;
}

bool train(const AnyTrainer& any, Given totals, const Arrays& xs, const Arrays& ys,
           const std::vector<Optional>& weights, int64_t batch_size, bool shuffle, uint64_t seed, int64_t epoch,
           int64_t first_step, int64_t steps, int threads, const Optional& rates, std::vector<Optional> outs) {
  return any.with([&](auto& trainer) {
    const auto heads = trainer.heads();
    const Dataset data = data_of(trainer, *heads, xs, ys, weights, false);
    require(data.samples > 0 && batch_size > 0 && epoch >= 0 && first_step >= 0 && steps >= 0 && threads > 0,
            "train wants samples, a batch size, and no negative number");
    require(steps <= INT64_MAX - first_step, "first_step + steps must fit into 64 bits");
    require(!rates || size(*rates) >= steps, "rates must have one for each step");
    const double* of_steps = rates ? input<double>(*rates, "rates") : nullptr;
    const TrainRange range{std::min(batch_size, data.samples), shuffle, seed, epoch, first_step, steps, of_steps};
    const int64_t batches = (data.samples - 1) / range.batch_size + 1;
    require(totals.ndim() == 2 && totals.shape(1) == heads->columns() &&
                (steps == 0 || totals.shape(0) > (first_step + steps - 1) / batches),
            "totals must have a row for each epoch, and the columns of losses and metrics");
    double* to = output<double>(totals, "totals");
    const int64_t visited = outs.empty() ? 0 : range.visited_before(first_step + steps, data.samples);
    const auto handed = handed_outputs(trainer.plan(), outs, visited);
    for (std::size_t i = 0; i < handed.size(); ++i)
      require(handed[i] == nullptr || heads->hands(i), "outs must be of outputs that set_heads was told of");
    const Interrupt interrupt = signal_check();
    return without_gil([&] { return trainer.train(to, data, range, threads, {interrupt}, heads, handed); });
  });
}

void evaluate(const AnyTrainer& any, Given totals, const Arrays& xs, const Arrays& ys,
              const std::vector<Optional>& weights, int threads, std::vector<Optional> outs, bool by_rows) {
  any.with([&](const auto& trainer) {
    const auto heads = trainer.heads();
    const Dataset data = data_of(trainer, *heads, xs, ys, weights);
    require(threads > 0, "threads must be positive");
    require(size(totals) == heads->columns(), "totals must have the columns of losses and metrics");
    double* to = output<double>(totals, "totals");
    const auto handed = handed_outputs(trainer.plan(), outs, data.samples);
    const Interrupt interrupt = signal_check();
    without_gil([&] { trainer.evaluate(to, data, threads, interrupt, heads, handed, by_rows); });
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

// ---- the classes

void bind_parameters(py::module_& m) {
  py::class_<Parameters, std::shared_ptr<Parameters>>(m, "Parameters")
      .def(py::init([](const std::string& dtype) { return std::make_shared<Parameters>(is_float64(dtype)); }),
           py::arg("dtype"))
      .def_property_readonly("dtype", [](const Parameters& p) { return p.is_double() ? "float64" : "float32"; })
      .def("add", &add_weight, py::arg("size"), py::arg("learned") = true, py::arg("l1") = 0.0, py::arg("l2") = 0.0,
           py::arg("by_rows") = false, py::arg("constraint") = py::none())
      .def("__len__", &Parameters::count)
      .def("array", &weight_view, py::arg("number"))
      .def_property(
          "frozen", [](const Parameters& p) { return p.frozen.load(); },
          [](Parameters& p, bool value) { p.frozen = value; });
}

void bind_graph(py::module_& m) {
  py::class_<Graph>(m, "Graph")
      .def(py::init<>())
      .def("add_input", &add_input, py::arg("size"), py::arg("kind") = "real")
      .def(
          "add_parameter",
          [](Graph& g, const std::shared_ptr<Parameters>& parameters, int number) {
            return g.add_parameter({parameters, number});
          },
          py::arg("parameters").none(false), py::arg("number"))
      .def("add", &add_op, py::arg("kind"), py::arg("inputs"), py::arg("parameters"), py::arg("attributes"),
           py::arg("times") = 1, py::arg("trains") = false)
      .def(
          "add_activity_penalty",
          [](Graph& g, int tensor, double l1, double l2, double linear) {
            g.add_activity_penalty({tensor, {l1, l2, linear}});
          },
          py::arg("tensor"), py::arg("l1"), py::arg("l2"), py::arg("linear") = 0.0)
      .def("set_outputs", &Graph::set_outputs, py::arg("tensors"), py::arg("masks") = std::vector<int>())
      .def("size", &Graph::size, py::arg("tensor"));
}

void bind_plan(py::module_& m) {
  py::class_<AnyPlan>(m, "Plan")
      .def(py::init(&make_plan), py::arg("graph"), py::arg("dtype"))
      .def_property_readonly("dtype", [](const AnyPlan& p) { return p.either.index() == 1 ? "float64" : "float32"; })
      .def_property_readonly("masks", &mask_sizes)
      .def_property_readonly(
          "state_samples",
          [](const AnyPlan& p) { return p.with([](const auto& plan) { return plan.state_samples(); }); })
      .def_property_readonly("draws",
                             [](const AnyPlan& p) { return p.with([](const auto& plan) { return plan.draws(); }); })
      .def("predict", &predict, py::arg("outs"), py::arg("xs"), py::arg("check_finite"), py::arg("threads"),
           py::arg("step") = 0)
      .def("predict_array", &predict_array, py::arg("x"), py::arg("x_shape"), py::arg("y_shape"),
           py::arg("check_finite"), py::arg("threads"))
      .def("vjp", &vjp, py::arg("dys"), py::arg("xs"), py::arg("wanted"), py::arg("training"), py::arg("step"),
           py::arg("threads"))
      .def("predict_training", &predict_training, py::arg("outs"), py::arg("xs"), py::arg("check_finite"),
           py::arg("step"), py::arg("threads"));
}

void bind_trainer(py::module_& m) {
  const auto get = [](auto member) {
    return [member](const AnyTrainer& any) { return any.with([&](auto& trainer) { return member(trainer); }); };
  };
  py::class_<AnyTrainer> trainers(m, "Trainer");
  trainers.def(py::init(&make_trainer), py::arg("plan"))
      .def("set_heads", &set_heads, py::arg("heads"), py::arg("handed") = std::vector<int>())
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
      .def("train", &train, py::arg("totals"), py::arg("xs"), py::arg("ys"), py::arg("weights"), py::arg("batch_size"),
           py::arg("shuffle"), py::arg("seed"), py::arg("epoch"), py::arg("first_step"), py::arg("steps"),
           py::arg("threads"), py::arg("rates") = py::none(), py::arg("outs") = std::vector<Optional>())
      .def("evaluate", &evaluate, py::arg("totals"), py::arg("xs"), py::arg("ys"), py::arg("weights"),
           py::arg("threads"), py::arg("outs") = std::vector<Optional>(), py::arg("by_rows") = true);

  bind_optimizer_state(m, trainers);
}

void bind_use_lock(py::module_& m) {
  py::class_<Hold>(m, "Hold")
      .def("__enter__", [](const py::object& self) { return self; })
      .def("__exit__", [](Hold& held, const py::args&) { held.taken.release(); });
  py::class_<UseLock, std::shared_ptr<UseLock>>(m, "UseLock")
      .def(py::init<>())
      .def("hold", &hold, py::arg("message"))
      .def_property_readonly("is_held_here", &UseLock::is_held_here);
}

}  // namespace

void bind_engine(py::module_& m) {
  bind_parameters(m);
  bind_graph(m);
  bind_plan(m);
  bind_trainer(m);
  bind_use_lock(m);
}

}  // namespace pynn
