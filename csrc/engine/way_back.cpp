#include "way_back.h"

#include <algorithm>

namespace pynn {

template <typename T>
WayBack<T>::WayBack(const Plan<T>& plan, const Routes& routes, const Workspace<T>& space, std::vector<int> loss_tensors,
                    bool penalized)
    : plan_(plan), routes_(routes), space_(space), loss_tensors_(std::move(loss_tensors)) {
  if (penalized) penalties_ = plan.graph().penalties();
  for (std::size_t h = 0; h < loss_tensors_.size(); ++h)
    slopes_.push_back(gradient_at(routes.losses[h], loss_tensors_[h]));
  for (std::size_t i = 0; i < plan.ops().size(); ++i) {
    const Op<T>& op = *plan.ops()[i];
    dx_.emplace_back();
    room_.emplace_back();
    for (std::size_t j = 0; j < op.inputs.size(); ++j) {
      const int route = routes.inputs[i][j];
      dx_[i].push_back(gradient_at(route, op.inputs[j]));
      room_[i].push_back(route >= 0 ? room_of(route) : plan.size(op.inputs[j]));
    }
    const auto is_output = [&](const ActivityPenalty& penalty) {
      return std::find(op.outputs.begin(), op.outputs.end(), penalty.tensor) != op.outputs.end();
    };
    to_be_completed_.push_back(!routes.unwritten[i].empty() ||
                               std::any_of(penalties_.begin(), penalties_.end(), is_output));
  }
  for (std::size_t i = plan.ops().size(); i-- > 0;) {
    if (routes.backward[i]) last_ = i;
    nowhere_.resize(std::max(nowhere_.size(), plan.ops()[i]->inputs.size()));
  }
}

template <typename T>
T* WayBack<T>::gradient_at(int route, int tensor) const {
  if (route == Routes::none) return nullptr;
  return route == Routes::direct ? space_.gradients[static_cast<std::size_t>(tensor)]
                                 : space_.spare[static_cast<std::size_t>(route)];
}

template <typename T>
void WayBack<T>::run(const Team& team, Pass<T>& pass, Alone<T>& alone, const ParameterUses<T>& uses,
                     const std::vector<Nonzero>& nonzero, int64_t batch, bool ends) const {
  for (std::size_t h = 0; h < loss_tensors_.size(); ++h)
    if (routes_.losses[h] >= 0) add_spare(team, pass, loss_tensors_[h], routes_.losses[h], 0);
  for (std::size_t i = plan_.ops().size(); i-- > 0;) {
    if (!routes_.backward[i]) continue;
    if (alone.takes(i)) {
      i = run_alone(team, pass, alone, i, uses, nonzero, batch);
      if (i != last_ || ends) team.barrier();
      continue;
    }
    if (to_be_completed_[i]) complete(team, pass, i, batch);
    plan_.aim(pass, i, space_, uses, nonzero);
    pass.dx = dx_[i].data();
    plan_.ops()[i]->backward(team, pass);
    if (i != last_ || ends) team.barrier();
    add_spares(team, pass, i, 0);
  }
}

// Goes back from op `last` on as far as members go alone, and returns the op that it ends with. First each member takes
// its samples back to the inputs; then the team makes the gradients of the parameters, which need all samples.
template <typename T>
std::size_t WayBack<T>::run_alone(const Team& team, Pass<T>& pass, Alone<T>& alone, std::size_t last,
                                  const ParameterUses<T>& uses, const std::vector<Nonzero>& nonzero,
                                  int64_t batch) const {
  std::size_t end = last;
  for (std::size_t i = last + 1; i-- > 0;) {
    if (!routes_.backward[i]) continue;
    if (!alone.takes(i)) break;
    end = i;
    if (!alone.has_samples()) continue;
    const Pass<T>& mine = alone.aim_back(i, dx_[i], room_[i]);
    if (to_be_completed_[i]) complete(alone.team(), mine, i, batch);
    plan_.ops()[i]->backward(alone.team(), mine);
    add_spares(alone.team(), mine, i, alone.first());
  }
  team.barrier();
  pass.dx = nowhere_.data();
  for (std::size_t i = last + 1; i-- > end;) {
    const auto of_op = [&](auto has) { return std::any_of(uses[i].begin(), uses[i].end(), has); };
    if (!routes_.backward[i] || !of_op([](const ParameterUse<T>& use) { return use.gradient != nullptr; })) continue;
    if (of_op([](const ParameterUse<T>& use) { return use.adds; })) team.barrier();  // others may have cut it otherwise
    plan_.aim(pass, i, space_, uses, nonzero);
    plan_.ops()[i]->backward(team, pass);
  }
  return end;
}

// Completes the gradients of the op's outputs: they are zeros where no one has written them, and penalties are added.
template <typename T>
void WayBack<T>::complete(const Team& team, const Pass<T>& pass, std::size_t op, int64_t batch) const {
  const auto part = [&](int tensor) { return team.share(pass.batch * plan_.size(tensor), 64); };
  for (const int tensor : routes_.unwritten[op]) {
    T* gradient = pass.gradients[static_cast<std::size_t>(tensor)];
    const Range mine = part(tensor);
    std::fill(gradient + mine.begin, gradient + mine.end, T{0});
    team.barrier();
  }
  const std::vector<int>& outputs = plan_.ops()[op]->outputs;
  for (const ActivityPenalty& penalty : penalties_) {
    if (std::find(outputs.begin(), outputs.end(), penalty.tensor) == outputs.end()) continue;
    const auto number = static_cast<std::size_t>(penalty.tensor);
    const Range mine = part(penalty.tensor);
    const auto samples = static_cast<double>(batch);
    const PenaltySpec& p = penalty.penalty;
    pass.k.add_penalty_slope(pass.gradients[number] + mine.begin, pass.values[number] + mine.begin,
                             mine.end - mine.begin, {p.l1 / samples, p.l2 / samples, p.linear / samples});
    team.barrier();
  }
}

// Adds the spare gradients that the op has written to those of its inputs. The samples of the pass begin at `first`.
template <typename T>
void WayBack<T>::add_spares(const Team& team, const Pass<T>& pass, std::size_t op, int64_t first) const {
  const std::vector<int>& inputs = plan_.ops()[op]->inputs;
  for (std::size_t j = 0; j < inputs.size(); ++j)
    if (routes_.inputs[op][j] >= 0) add_spare(team, pass, inputs[j], routes_.inputs[op][j], first);
}

// Adds a spare gradient to that of a tensor; the team has made both.
template <typename T>
void WayBack<T>::add_spare(const Team& team, const Pass<T>& pass, int tensor, int spare, int64_t first) const {
  const int64_t size = plan_.size(tensor);
  const Range mine = team.share(pass.batch * size, 64);
  pass.k.add_to(pass.gradients[static_cast<std::size_t>(tensor)] + mine.begin,
                space_.spare[static_cast<std::size_t>(spare)] + first * room_of(spare) + mine.begin,
                mine.end - mine.begin);
  team.barrier();
}

template class WayBack<float>;
template class WayBack<double>;

}  // namespace pynn
