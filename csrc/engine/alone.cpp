#include "alone.h"

#include <algorithm>

namespace pynn {
namespace {

// Samples that a member takes at least: a vector of a gradient's rows. A single row would have other bits: kernels have
// short ways for it.
constexpr int64_t kLeastSamples = 8;

// This member's samples of a batch.
Range samples_of(int rank, int members, int64_t batch) {
  const int64_t pieces = batch / kLeastSamples;
  const auto cut = [&](int member) { return member == members ? batch : pieces * member / members * kLeastSamples; };
  return {cut(rank), cut(rank + 1)};
}

}  // namespace

template <typename T>
Alone<T>::Alone(const Plan<T>& plan, const Workspace<T>& space, const ParameterUses<T>& uses, const Team& team)
    : plan_(plan),
      space_(space),
      team_{0, 1, team.state},
      rank_(team.rank),
      members_(team.size),
      pass_(plan.kernels()) {
  if (team.size == 1) return;
  uses_ = uses;
  std::size_t inputs = 0;
  for (std::size_t i = 0; i < plan.ops().size(); ++i) {
    takes_.push_back(plan.goes_alone(*plan.ops()[i], space.capacity));
    inputs = std::max(inputs, plan.ops()[i]->inputs.size());
    for (ParameterUse<T>& use : uses_[i]) use.gradient = nullptr;
  }
  dx_.resize(inputs);
  values_.resize(space.values.size());
  gradients_.resize(space.gradients.size());
  const auto rank = static_cast<std::size_t>(team.rank);
  pass_.shared = space.alone[rank];
  pass_.own = space.own[rank];
  pass_.values = values_.data();
  pass_.gradients = gradients_.data();
  pass_.dx = dx_.data();
}

template <typename T>
void Alone<T>::begin(const Pass<T>& whole) {
  any_ = !takes_.empty() && whole.batch >= 2 * kLeastSamples;
  if (!any_) return;
  mine_ = samples_of(rank_, members_, whole.batch);
  pass_.batch = mine_.end - mine_.begin;
  pass_.first_sample = whole.first_sample + mine_.begin;
  pass_.network_trains = whole.network_trains;
  pass_.keeps = whole.keeps;
  pass_.step = whole.step;
  const auto own_part = [](T* of_batch, int64_t offset) { return of_batch == nullptr ? nullptr : of_batch + offset; };
  for (std::size_t t = 0; t < values_.size(); ++t) {
    const int64_t offset = mine_.begin * plan_.size(static_cast<int>(t));
    values_[t] = own_part(space_.values[t], offset);
    gradients_[t] = own_part(space_.gradients[t], offset);
  }
}

template <typename T>
Pass<T>& Alone<T>::aim(std::size_t op, const std::vector<Nonzero>& nonzero) {
  plan_.aim(pass_, op, space_, uses_, nonzero);
  if (pass_.nonzero.by_row != nullptr) pass_.nonzero.by_row += mine_.begin;
  pass_.nonzero.by_column = nullptr;  // of many rows in a word
  return pass_;
}

template <typename T>
Pass<T>& Alone<T>::aim_back(std::size_t op, const std::vector<T*>& dx, const std::vector<int64_t>& room) {
  for (std::size_t j = 0; j < dx.size(); ++j) dx_[j] = dx[j] == nullptr ? nullptr : dx[j] + mine_.begin * room[j];
  pass_.training = pass_.network_trains || plan_.ops()[op]->trains;
  pass_.saved = nullptr;
  pass_.parameters = uses_[op].data();
  pass_.nonzero = {};
  return pass_;
}

template <typename T>
void Alone<T>::forward(const Team& team, Pass<T>& pass, const std::vector<char>& wanted, const ParameterUses<T>& uses,
                       const std::vector<Nonzero>& nonzero) {
  begin(pass);
  bool waits = false;  // for what the others make alone
  for (std::size_t i = 0; i < plan_.ops().size(); ++i) {
    if (!wanted[i]) continue;
    const Op<T>& op = *plan_.ops()[i];
    if (takes(i)) {
      if (has_samples()) op.forward(team_, aim(i, nonzero));
      waits = true;
      continue;
    }
    if (waits) team.barrier();
    waits = false;
    plan_.aim(pass, i, space_, uses, nonzero);
    op.forward(team, pass);
    team.barrier();
  }
  if (waits) team.barrier();
}

template class Alone<float>;
template class Alone<double>;

}  // namespace pynn
