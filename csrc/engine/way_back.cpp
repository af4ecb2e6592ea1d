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
    for (std::size_t j = 0; j < op.inputs.size(); ++j) dx_[i].push_back(gradient_at(routes.inputs[i][j], op.inputs[j]));
    const auto is_output = [&](const ActivityPenalty& penalty) {
      return std::find(op.outputs.begin(), op.outputs.end(), penalty.tensor) != op.outputs.end();
    };
    to_be_completed_.push_back(!routes.unwritten[i].empty() ||
                               std::any_of(penalties_.begin(), penalties_.end(), is_output));
  }
  for (std::size_t i = plan.ops().size(); i-- > 0;)
    if (routes.backward[i]) last_ = i;
}

template <typename T>
T* WayBack<T>::gradient_at(int route, int tensor) const {
  if (route == Routes::none) return nullptr;
  return route == Routes::direct ? space_.gradients[static_cast<std::size_t>(tensor)]
                                 : space_.spare[static_cast<std::size_t>(route)];
}

template <typename T>
void WayBack<T>::run(const Team& team, Pass<T>& pass, const ParameterUses<T>& uses, const std::vector<Nonzero>& nonzero,
                     int64_t batch, bool ends) const {
  for (std::size_t h = 0; h < loss_tensors_.size(); ++h)
    if (routes_.losses[h] >= 0) add_spare(team, pass, loss_tensors_[h], routes_.losses[h]);
  for (std::size_t i = plan_.ops().size(); i-- > 0;) {
    if (!routes_.backward[i]) continue;
    const Op<T>& op = *plan_.ops()[i];
    if (to_be_completed_[i]) complete(team, pass, i, batch);
    plan_.aim(pass, i, space_, uses, nonzero);
    pass.dx = dx_[i].data();
    op.backward(team, pass);
    if (i != last_ || ends) team.barrier();
    for (std::size_t j = 0; j < op.inputs.size(); ++j)
      if (routes_.inputs[i][j] >= 0) add_spare(team, pass, op.inputs[j], routes_.inputs[i][j]);
  }
}

// Completes the gradients of the op's outputs: they are zeros where no one has written them, and penalties are added.
template <typename T>
void WayBack<T>::complete(const Team& team, const Pass<T>& pass, std::size_t op, int64_t batch) const {
  const auto part = [&](int tensor) { return team.share(pass.batch * plan_.size(tensor), 64); };
  for (const int tensor : routes_.unwritten[op]) {
    T* gradient = space_.gradients[static_cast<std::size_t>(tensor)];
    const Range mine = part(tensor);
    std::fill(gradient + mine.begin, gradient + mine.end, T{0});
    team.barrier();
  }
  const std::vector<int>& outputs = plan_.ops()[op]->outputs;
  for (const ActivityPenalty& penalty : penalties_) {
    if (std::find(outputs.begin(), outputs.end(), penalty.tensor) == outputs.end()) continue;
    const auto number = static_cast<std::size_t>(penalty.tensor);
    const Range mine = part(penalty.tensor);
    pass.k.add_penalty_slope(space_.gradients[number] + mine.begin, pass.values[number] + mine.begin,
                             mine.end - mine.begin, penalty.l1 / static_cast<double>(batch),
                             penalty.l2 / static_cast<double>(batch));
    team.barrier();
  }
}

// Adds a spare gradient to that of a tensor; the team has made both.
template <typename T>
void WayBack<T>::add_spare(const Team& team, const Pass<T>& pass, int tensor, int spare) const {
  const Range mine = team.share(pass.batch * plan_.size(tensor), 64);
  pass.k.add_to(space_.gradients[static_cast<std::size_t>(tensor)] + mine.begin,
                space_.spare[static_cast<std::size_t>(spare)] + mine.begin, mine.end - mine.begin);
  team.barrier();
}

template class WayBack<float>;
template class WayBack<double>;

}  // namespace pynn
