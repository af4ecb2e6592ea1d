#include "routes.h"

#include <algorithm>

namespace pynn {
namespace {

template <typename Flags>
bool any_of(const Flags& flags, const std::vector<int>& numbers) {
  return std::any_of(numbers.begin(), numbers.end(),
                     [&](int number) { return number >= 0 && flags[static_cast<std::size_t>(number)]; });
}

// The inputs of an op that there are gradients of.
template <typename T>
std::vector<int> with_gradients(const Op<T>& op) {
  std::vector<int> tensors;
  for (std::size_t i = 0; i < op.inputs.size(); ++i)
    if (op.takes_gradient(i)) tensors.push_back(op.inputs[i]);
  return tensors;
}

// What must be made so that the measured tensors are there.
template <typename T>
std::vector<char> ops_for(const Plan<T>& plan, const std::vector<int>& measured) {
  std::vector<char> wanted(plan.graph().sizes().size(), 0), ops(plan.ops().size(), 0);
  for (const int tensor : measured) wanted[static_cast<std::size_t>(tensor)] = 1;
  for (std::size_t i = plan.ops().size(); i-- > 0;) {
    const Op<T>& op = *plan.ops()[i];
    ops[i] = any_of(wanted, op.outputs);
    if (ops[i])
      for (const int tensor : op.inputs) wanted[static_cast<std::size_t>(tensor)] = 1;
  }
  return ops;
}

// The tensors whose gradient leads to a trainable parameter, or to an input that is asked for.
template <typename T>
std::vector<char> leading_somewhere(const Plan<T>& plan, const std::vector<char>& trainable,
                                    const std::vector<char>& inputs) {
  std::vector<char> leads(plan.graph().sizes().size(), 0);
  for (std::size_t i = 0; i < inputs.size(); ++i) leads[static_cast<std::size_t>(plan.inputs()[i].loaded)] = inputs[i];
  for (const auto& op : plan.ops())
    if (any_of(leads, with_gradients(*op)) || any_of(trainable, op->parameters))
      for (const int tensor : op->outputs) leads[static_cast<std::size_t>(tensor)] = 1;
  return leads;
}

// The tensors to which a gradient comes from a loss or a penalty.
template <typename T>
std::vector<char> reached_from(const Plan<T>& plan, const std::vector<int>& loss_tensors) {
  std::vector<char> reached(plan.graph().sizes().size(), 0);
  for (const int tensor : loss_tensors) reached[static_cast<std::size_t>(tensor)] = 1;
  for (const ActivityPenalty& penalty : plan.graph().penalties()) reached[static_cast<std::size_t>(penalty.tensor)] = 1;
  for (auto op = plan.ops().rbegin(); op != plan.ops().rend(); ++op)
    if (any_of(reached, (*op)->outputs))
      for (const auto& of_op : {with_gradients(**op), (*op)->outputs})
        for (const int tensor : of_op) reached[static_cast<std::size_t>(tensor)] = 1;
  return reached;
}

// Which parameters learn, and which have their gradient from several ops, `uses` being how many there are on the way.
template <typename T>
void route_parameters(Routes& routes, const Plan<T>& plan, const std::vector<int>& uses,
                      const std::vector<char>& trainable) {
  routes.learns.assign(uses.size(), 0);
  routes.shared.assign(uses.size(), 0);
  for (std::size_t p = 0; p < uses.size(); ++p) {
    const bool penalized = plan.graph().parameters()[p].parameter().penalized();
    routes.learns[p] = trainable[p] && (uses[p] > 0 || penalized);
    routes.shared[p] = uses[p] != 1;
  }
  // Kernels add to all gradients of an op or to none.
  for (std::size_t i = 0; i < plan.ops().size(); ++i)
    if (const Op<T>* op = plan.ops()[i].get(); routes.backward[i] && any_of(routes.shared, op->parameters))
      for (const int number : op->parameters)
        if (number >= 0) routes.shared[static_cast<std::size_t>(number)] = 1;
}

}  // namespace

template <typename T>
Routes make_routes(const Plan<T>& plan, const std::vector<int>& loss_tensors, const std::vector<int>& measured,
                   const std::vector<char>& trainable, const std::vector<char>& inputs) {
  const auto& ops = plan.ops();
  const std::size_t tensors = plan.graph().sizes().size();
  const std::vector<char> leads = leading_somewhere(plan, trainable, inputs),
                          reached = reached_from(plan, loss_tensors);
  Routes routes;
  routes.forward = ops_for(plan, measured);
  routes.needs.gradients.resize(tensors);
  std::vector<char> asked(tensors, 0), written(tensors, 0);
  for (std::size_t t = 0; t < tensors; ++t) asked[t] = leads[t] && reached[t];

  int now = 0;  // losses write first, then one op after the other
  std::size_t spares = 0;
  // The gradient is needed from now on: to the end, unless it belongs to an op's output.
  const auto begin = [&](int tensor) {
    const auto t = static_cast<std::size_t>(tensor);
    written[t] = 1;
    routes.needs.gradients[t] = {plan.size(tensor), now, LiveRange::kEnd};
  };
  // Where the next writer of a tensor's gradient writes to; `spares` are in use by the same op.
  const auto next_route = [&](int tensor) -> int {
    const auto t = static_cast<std::size_t>(tensor);
    if (!asked[t]) return Routes::none;
    if (!written[t]) {
      begin(tensor);
      return Routes::direct;
    }
    if (spares == routes.needs.spare.size()) routes.needs.spare.push_back(0);
    routes.needs.spare[spares] = std::max(routes.needs.spare[spares], plan.size(tensor));
    return static_cast<int>(spares++);
  };
  for (const int tensor : loss_tensors) routes.losses.push_back(next_route(tensor));

  routes.backward.assign(ops.size(), 0);
  routes.inputs.resize(ops.size());
  routes.unwritten.resize(ops.size());
  std::vector<int> uses(plan.graph().parameters().size(), 0);
  for (std::size_t i = ops.size(); i-- > 0;) {
    const Op<T>& op = *ops[i];
    spares = 0;
    ++now;
    if (!any_of(asked, op.outputs)) {
      routes.inputs[i].assign(op.inputs.size(), Routes::none);
      continue;
    }
    routes.backward[i] = 1;
    if (!op.differentiable() && any_of(asked, op.inputs))
      refuse("train", "activations that a gradient can pass", "one that has none ('step')");
    for (const int tensor : op.outputs) {
      const auto t = static_cast<std::size_t>(tensor);
      if (!written[t]) {
        routes.unwritten[i].push_back(tensor);
        begin(tensor);
      }
      routes.needs.gradients[t].to = now;
    }
    for (std::size_t j = 0; j < op.inputs.size(); ++j)
      routes.inputs[i].push_back(op.takes_gradient(j) ? next_route(op.inputs[j]) : Routes::none);
    for (const int number : op.parameters)
      if (number >= 0) ++uses[static_cast<std::size_t>(number)];
  }
  route_parameters(routes, plan, uses, trainable);
  return routes;
}

template Routes make_routes(const Plan<float>&, const std::vector<int>&, const std::vector<int>&,
                            const std::vector<char>&, const std::vector<char>&);
template Routes make_routes(const Plan<double>&, const std::vector<int>&, const std::vector<int>&,
                            const std::vector<char>&, const std::vector<char>&);

}  // namespace pynn
