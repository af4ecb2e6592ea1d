// Networks as calls from Python see them: of either number type, with the arrays of a call as columns.
#pragma once

#include <algorithm>
#include <variant>

#include "../engine/trainer.h"
#include "calls.h"

namespace pynn {

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

using WeightsOf = std::vector<std::pair<std::shared_ptr<Parameters>, int>>;

inline std::vector<ParameterRef> references(const WeightsOf& weights) {
  std::vector<ParameterRef> found;
  for (const auto& [parameters, number] : weights) found.push_back({parameters, number});
  return found;
}

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

// As `column`; also of rows that overlap, as windows of a series do.
template <typename T>
Column input_column(const py::array& a, const char* name) {
  if (a.ndim() != 2 || a.strides(1) != a.itemsize() || a.strides(0) <= 0 || a.strides(0) % a.itemsize() != 0 ||
      a.strides(0) >= a.shape(1) * a.itemsize())
    return column<T>(a, name);
  const bool is_real = py::isinstance<py::array_t<T, 0>>(a);
  if (!is_real && !py::isinstance<py::array_t<uint8_t, 0>>(a)) return column<T>(a, name);
  check_aligned(a, name);
  return {is_real ? ColumnKind::real : ColumnKind::bytes, a.data(), static_cast<int64_t>(a.shape(1)),
          static_cast<int64_t>(a.strides(0) / a.itemsize())};
}

// Notes how many samples there are in the array whose column was added last: as many as in the others.
inline void note_samples(Dataset& data, const py::array& a) {
  const auto samples = static_cast<int64_t>(a.shape(0));
  require(data.inputs.size() + data.targets.size() == 1 || samples == data.samples,
          "all arrays must have the same number of samples");
  data.samples = samples;
}

inline void check_ids_of(const Column& column, int64_t samples, int64_t below, const char* what) {
  check_ids(static_cast<const int32_t*>(column.data), samples * column.width, below, what);
}

// `check`: whether to look at all ids now, before anything else is done; training looks at those of each batch.
template <typename T>
Dataset samples_of(const Plan<T>& plan, const Arrays& xs, bool check = true) {
  require(xs.size() == plan.inputs().size(), "there must be an array of samples for each input");
  Dataset data;
  for (const py::array& x : xs) {
    data.inputs.push_back(input_column<T>(x, "x"));
    note_samples(data, x);
  }
  for (std::size_t i = 0; i < xs.size(); ++i) {
    const PlanInput<T>& in = plan.inputs()[i];
    const Column& c = data.inputs[i];
    require(c.width == in.width, "x must have the shape (samples, size of the input)");
    require((in.kind == InputKind::ids) == (c.kind == ColumnKind::ids), "x must be real or ids, as the input is");
    if (check && c.kind == ColumnKind::ids) check_ids_of(c, data.samples, in.ids_below, "ids of rows of a table");
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
    const int number = static_cast<int>(head);
    require(c.width == 1 || (c.width == heads.rows(number) && heads.takes_row_weights(number)),
            "weights must be one for each sample, or for each row of the loss");
    data.weights.push_back(c);
  }
}

template <typename T>
Dataset data_of(const Trainer<T>& trainer, const Heads<T>& heads, const Arrays& xs, const Arrays& ys,
                const std::vector<Optional>& weights, bool check = true) {
  Dataset data = samples_of(trainer.plan(), xs, check);
  require(ys.size() == static_cast<std::size_t>(heads.count()), "there must be an array of targets for each head");
  for (const py::array& y : ys) {
    data.targets.push_back(column<T>(y, "y"));
    note_samples(data, y);
  }
  for (int head = 0; head < heads.count(); ++head) {
    const Column& c = data.targets[static_cast<std::size_t>(head)];
    require(c.width == heads.target_width(head), "y must have a label for each row, or the size of the output");
    require(heads.takes_labels(head) ? c.kind == ColumnKind::ids : c.kind == ColumnKind::real,
            "y must be labels (int32) or numbers, as the loss takes them");
    if (check && c.kind == ColumnKind::ids) check_ids_of(c, data.samples, heads.classes(head), "labels of classes");
  }
  add_weights(data, heads, weights);
  return data;
}

// What an optimizer keeps, and holds to read it (optimizer_state.cpp).
void bind_optimizer_state(py::module_& m, py::class_<AnyTrainer>& trainer);

// Gradients on demand, and steps with them (gradients.cpp).
py::tuple gradients(const AnyTrainer& any, const Arrays& xs, const Arrays& ys, const std::vector<Optional>& weights,
                    const WeightsOf& wanted, bool training, uint64_t step, int threads);
py::tuple vjp(const AnyPlan& any, const Arrays& dys, const Arrays& xs, const WeightsOf& wanted, bool training,
              uint64_t step, int threads);
void apply_gradients(const AnyTrainer& any, const Arrays& gradients, const WeightsOf& weights, int threads);

}  // namespace pynn
