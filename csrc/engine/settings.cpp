// How a network is trained: which parameters, with which penalties and constraints, loss, metrics, optimizer.
#include "network_impl.h"

namespace pynn {

template <typename T>
void NetworkOf<T>::set_trainable(const std::vector<bool>& trainable) {
  if (trainable.size() != parameters_.size()) throw std::invalid_argument("one flag for each parameter");
  const auto lock = lock_for_change();
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].frozen = !trainable[i];
  drop_spaces();
}

template <typename T>
void NetworkOf<T>::set_regularizers(const std::vector<std::pair<double, double>>& factors) {
  if (factors.size() != parameters_.size()) throw std::invalid_argument("one pair of factors for each parameter");
  const auto lock = lock_for_change();
  for (std::size_t i = 0; i < parameters_.size(); ++i) std::tie(parameters_[i].l1, parameters_[i].l2) = factors[i];
}

template <typename T>
void NetworkOf<T>::set_constraints(const std::vector<ConstraintSpec>& constraints) {
  if (constraints.size() != parameters_.size()) throw std::invalid_argument("one constraint for each parameter");
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const ConstraintSpec& c = constraints[i];
    if (c.kind != Constraint::none &&
        (c.outer < 1 || c.axis < 1 || c.inner < 1 || c.outer * c.axis * c.inner != parameters_[i].size))
      throw std::invalid_argument("outer * axis * inner must be the size of the parameter");
  }
  const auto lock = lock_for_change();
  for (std::size_t i = 0; i < parameters_.size(); ++i) parameters_[i].constraint = constraints[i];
}

template <typename T>
void NetworkOf<T>::set_loss(const std::string& name, int tensor, int64_t columns, double a, bool mean) {
  const int64_t size = sizes_[check_tensor(tensor)];
  if (columns < 1 || size % columns != 0) throw std::invalid_argument("columns must divide the size of the tensor");
  if (is_unused(tensor)) throw std::invalid_argument("tensor " + std::to_string(tensor) + " is not kept");
  for (const ActivityPenalty& penalty : activity_penalties_)
    if (penalty.tensor > tensor) throw std::invalid_argument("a penalty needs the gradient of a later tensor");
  const LossSpec loss{loss_of(name), a};
  const auto lock = lock_for_change();
  objective_.loss = loss;
  objective_.tensor = tensor;
  objective_.columns = columns;
  objective_.mean = mean;
  drop_spaces();
}

template <typename T>
void NetworkOf<T>::set_metrics(const std::vector<std::tuple<std::string, int64_t, double>>& metrics) {
  std::vector<Objective::MetricEntry> entries;
  for (const auto& [name, columns, a] : metrics) {
    if (columns < 1 || output_size() % columns != 0)
      throw std::invalid_argument("columns must divide the output's size");
    Objective::MetricEntry entry{};
    entry.columns = columns;
    entry.is_loss = !is_metric(name);
    if (entry.is_loss)
      entry.loss = {loss_of(name), a};
    else
      entry.metric = {metric_of(name), a};
    const bool labels = entry.is_loss ? takes_labels(entry.loss.kind) : takes_labels(entry.metric.kind);
    if (labels != loss_takes_labels())
      throw std::invalid_argument("metric '" + name + "' takes other targets than the loss");
    entries.push_back(entry);
  }
  const auto lock = lock_for_change();
  objective_.metrics = std::move(entries);
  drop_spaces();
}

template <typename T>
void NetworkOf<T>::set_optimizer(const std::string& name, const std::map<std::string, double>& settings) {
  const OptimizerSettings fresh(name, settings);
  const int used = static_cast<int>(fresh.slot_names().size());
  const auto lock = lock_for_change();
  std::array<Buffer<T>, max_slots> slots;
  for (int i = 0; i < used; ++i) {
    Buffer<T>& slot = slots[static_cast<std::size_t>(i)];
    slot.allocate(parameter_elements_);
    std::fill_n(slot.data(), parameter_elements_, static_cast<T>(fresh.slot_initial_value()));
  }
  slots_ = std::move(slots);
  slots_used_ = used;
  settings_ = fresh;
  schedule_ = {};
  learning_rate_ = fresh.learning_rate;
  iterations_ = 0;
}

template <typename T>
void NetworkOf<T>::set_iterations(int64_t value) {
  if (value < 0) throw std::invalid_argument("iterations must not be negative");
  iterations_ = value;
}

template void NetworkOf<float>::set_trainable(const std::vector<bool>&);
template void NetworkOf<double>::set_trainable(const std::vector<bool>&);
template void NetworkOf<float>::set_regularizers(const std::vector<std::pair<double, double>>&);
template void NetworkOf<double>::set_regularizers(const std::vector<std::pair<double, double>>&);
template void NetworkOf<float>::set_constraints(const std::vector<ConstraintSpec>&);
template void NetworkOf<double>::set_constraints(const std::vector<ConstraintSpec>&);
template void NetworkOf<float>::set_loss(const std::string&, int, int64_t, double, bool);
template void NetworkOf<double>::set_loss(const std::string&, int, int64_t, double, bool);
template void NetworkOf<float>::set_metrics(const std::vector<std::tuple<std::string, int64_t, double>>&);
template void NetworkOf<double>::set_metrics(const std::vector<std::tuple<std::string, int64_t, double>>&);
template void NetworkOf<float>::set_optimizer(const std::string&, const std::map<std::string, double>&);
template void NetworkOf<double>::set_optimizer(const std::string&, const std::map<std::string, double>&);
template void NetworkOf<float>::set_iterations(int64_t);
template void NetworkOf<double>::set_iterations(int64_t);

}  // namespace pynn
