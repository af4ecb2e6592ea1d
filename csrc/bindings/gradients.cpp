// Gradients on demand, and steps with gradients of one's own.
#include "../engine/gradients.h"

#include <algorithm>

#include "networks.h"

namespace pynn {
namespace {

// Arrays for the gradients of weights, and where they are by parameter of the graph; 0 for one that the graph has not.
template <typename T>
std::pair<std::vector<Array<T>>, std::vector<T*>> gradients_for(const Graph& graph, const WeightsOf& weights) {
  std::vector<Array<T>> arrays;
  std::vector<T*> by_parameter(graph.parameters().size(), nullptr);
  for (const auto& [owner, number] : weights) {
    require(owner != nullptr, "weights must be of Parameters, not of None");
    require(owner->is_double() == (sizeof(T) == sizeof(double)), "weights must be of the network's number type");
    Array<T> gradient(owner->at(number).size);
    T* to = gradient.mutable_data();
    std::fill_n(to, gradient.size(), T{0});
    for (std::size_t i = 0; i < by_parameter.size(); ++i) {
      if (graph.parameters()[i].owner != owner || graph.parameters()[i].number != number) continue;
      require(by_parameter[i] == nullptr, "each weight must come once");
      by_parameter[i] = to;
    }
    arrays.push_back(std::move(gradient));
  }
  return {std::move(arrays), std::move(by_parameter)};
}

}  // namespace

py::tuple gradients(const AnyTrainer& any, const Arrays& xs, const Arrays& ys, const std::vector<Optional>& weights,
                    const WeightsOf& wanted, bool training, uint64_t step, int threads) {
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

py::tuple vjp(const AnyPlan& any, const Arrays& dys, const Arrays& xs, const WeightsOf& wanted, bool training,
              uint64_t step, int threads) {
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
void apply_gradients(const AnyTrainer& any, const Arrays& gradients, const WeightsOf& weights, int threads) {
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
      require(found != parameters.end(),
              "the optimizer has not begun with one of the weights, nor does its model train it");
      const T*& to = given[static_cast<std::size_t>(found - parameters.begin())];
      require(to == nullptr, "each weight must come once");
      require(size(gradients[i]) == owner->at(number).size, "a gradient must have the size of its weight");
      to = input<T>(gradients[i], "a gradient");
    }
    const Interrupt interrupt = signal_check();
    without_gil([&] { trainer.apply_gradients(given, threads, interrupt); });
  });
}

}  // namespace pynn
