#include "heads.h"

#include <algorithm>

namespace pynn {
namespace {

// Whether the targets of a loss or metric are class labels, or of a head.
bool wants_labels(const std::string& name) {
  return is_metric(name) ? takes_labels(metric_of(name)) : takes_labels(loss_of(name));
}

bool wants_labels(const HeadSetting& setting) {
  if (setting.axes) return false;
  if (!setting.loss.empty()) return wants_labels(setting.loss);
  if (setting.metrics.empty()) refuse("heads", "a loss or metrics", "neither");
  return wants_labels(setting.metrics[0].name);
}

// Neighbours of one kind together; axes of one element are of any kind.
OverlapAxes overlap_axes(const std::vector<std::pair<int64_t, bool>>& axes) {
  OverlapAxes found;
  for (const auto& [size, summed] : axes) {
    if (size < 1) refuse("heads", "axes of at least one element", std::to_string(size));
    if (size == 1) continue;
    found.elements *= size;
    if (!summed) found.groups *= size;
    if (found.count > 0 && found.kept[found.count - 1] == !summed) {
      found.sizes[found.count - 1] *= size;
      continue;
    }
    if (found.count == OverlapAxes::most)
      refuse("heads", "axes that change between summed and kept less often", std::to_string(axes.size()) + " axes");
    found.sizes[found.count] = size;
    found.kept[found.count++] = !summed;
  }
  if (found.count == 0) found.sizes[found.count++] = 1;
  return found;
}

OverlapSpec overlap_of(const HeadSetting& setting, int64_t size) {
  if (setting.loss != "tversky") refuse("heads", "axes for the loss tversky only", "'" + setting.loss + "'");
  OverlapSpec spec{setting.a, setting.b, setting.c, overlap_axes(setting.axes->of_sample), setting.axes->samples};
  if (spec.axes.elements != size)
    refuse("heads", "axes of " + std::to_string(size) + " elements, as the output has",
           std::to_string(spec.axes.elements));
  return spec;
}

}  // namespace

template <typename T>
Heads<T>::Heads(const Plan<T>& plan, const std::vector<HeadSetting>& settings, const std::vector<int>& handed)
    : plan_(plan), penalties_(plan.graph().penalties()) {
  for (const HeadSetting& setting : settings) add_head(setting);
  if (losses_ == 0) refuse("heads", "at least one loss", "none");
  for (const int output : handed) {
    handed_.push_back(output_tensor(output));
    if (const int mask = plan.graph().mask(static_cast<std::size_t>(output)); mask >= 0) handed_.push_back(mask);
  }
}

template <typename T>
int Heads<T>::output_tensor(int output) const {
  const std::vector<int>& outputs = plan_.graph().outputs();
  if (output < 0 || output >= static_cast<int>(outputs.size()))
    refuse("heads", "the number of one of " + std::to_string(outputs.size()) + " outputs", std::to_string(output));
  return outputs[static_cast<std::size_t>(output)];
}

template <typename T>
void Heads<T>::add_head(const HeadSetting& setting) {
  const int output = output_tensor(setting.output);
  const int64_t size = plan_.size(output);
  if (setting.columns < 1 || size % setting.columns != 0)
    refuse("heads", "columns that divide the size " + std::to_string(size) + " of the output",
           std::to_string(setting.columns));
  Head head{{Loss::count, setting.a, setting.b, setting.c},
            output,
            size / setting.columns,
            setting.columns,
            reduction_of(setting.reduction),
            setting.weight,
            wants_labels(setting),
            {}};
  take_mask(head, setting.output);
  if (!setting.loss.empty()) {
    if (losses_ < heads_.size()) refuse("heads", "those that have a loss first", "one that has none before");
    if (setting.axes) {
      head.overlap = overlap_of(setting, size);
      if (head.mask >= 0 && !head.has_values_of_rows())
        refuse("heads", "no mask where a loss of overlaps has sums over rows", "one");
    } else {
      head.loss.kind = loss_of(setting.loss);
      head.loss.by_class = keep(setting.by_class, head.loss.kind, head.columns);
      find_logits(head);
    }
    ++losses_;
    loss_parts_ += static_cast<std::size_t>(head.parts());
  }
  heads_.push_back(head);
  for (const MetricSetting& metric : setting.metrics) add_metric(metric, heads_.size() - 1, output);
}

// A step has one row or several.
template <typename T>
void Heads<T>::take_mask(Head& head, int output) const {
  head.mask = plan_.graph().mask(static_cast<std::size_t>(output));
  if (head.mask < 0) return;
  const int64_t steps = plan_.size(head.mask);
  if (head.rows % steps != 0)
    refuse("heads", "a mask with a step for each of " + std::to_string(head.rows) + " rows, or for some together",
           std::to_string(steps) + " steps");
  head.mask_each = head.rows / steps;
}

// What a loss has for each class; null for nothing.
template <typename T>
const double* Heads<T>::keep(const std::vector<double>& by_class, Loss kind, int64_t columns) {
  if (by_class.empty()) return nullptr;
  check_by_class(by_class, kind, columns);
  by_class_.push_back(by_class);
  return by_class_.back().data();
}

// The loss of the logits is exact where the activation saturates, and faster. A penalty of the output needs a gradient
// that passes the activation.
template <typename T>
void Heads<T>::find_logits(Head& head) const {
  const int output = head.tensor;
  const auto is_of_output = [&](const ActivityPenalty& penalty) { return penalty.tensor == output; };
  if (std::any_of(penalties_.begin(), penalties_.end(), is_of_output)) return;
  for (const auto& op : plan_.ops()) {
    if (op->outputs[0] != output) continue;
    const Loss of_input = op->loss_of_input(head.loss.kind, head.columns);
    if (of_input == Loss::count) continue;
    head.loss.kind = of_input;
    head.tensor = op->inputs[0];
  }
}

template <typename T>
void Heads<T>::add_metric(const MetricSetting& setting, std::size_t head, int output) {
  Metric metric{!is_metric(setting.name), {}, {}, head, output, setting.weighted};
  if (metric.is_loss)
    metric.loss = {loss_of(setting.name), setting.a, setting.b, setting.c,
                   keep(setting.by_class, loss_of(setting.name), heads_[head].columns)};
  else
    metric.metric = {metric_of(setting.name), setting.a};
  if (wants_labels(setting.name) != heads_[head].labels)
    refuse("metrics", "metrics that take targets as the loss does", "'" + setting.name + "'");
  metrics_.push_back(metric);
}

template <typename T>
int64_t Heads<T>::target_width(int head) const {
  const Head& of = heads_[static_cast<std::size_t>(head)];
  return takes_labels(head) ? of.rows : of.rows * of.columns;
}

template <typename T>
bool Heads<T>::takes_row_weights(int head) const {
  return heads_[static_cast<std::size_t>(head)].has_values_of_rows();
}

template <typename T>
bool Heads<T>::Head::has_values_of_rows() const {
  if (!overlap) return true;
  const OverlapAxes& axes = overlap->axes;
  const int last = axes.count - 1;
  const bool sums_rows = axes.count <= 2 && (axes.count == 1 || axes.kept[0]);
  return !overlap->of_batch && sums_rows && axes.groups == rows && (axes.kept[last] || axes.sizes[last] == columns);
}

template <typename T>
bool Heads<T>::couples_samples() const {
  return std::any_of(heads_.begin(), heads_.end(),
                     [](const Head& head) { return head.mask >= 0 || (head.overlap && head.overlap->of_batch); });
}

template <typename T>
bool Heads<T>::masked() const {
  return std::any_of(heads_.begin(), heads_.end(), [](const Head& head) { return head.mask >= 0; });
}

template <typename T>
std::vector<TargetRows<T>> Heads<T>::targets(const Dataset& data, int64_t first) const {
  std::vector<TargetRows<T>> targets;
  for (const Column& column : data.targets) {
    const void* from = row_of(column, first, sizeof(T));
    if (column.kind == ColumnKind::ids)
      targets.push_back({nullptr, static_cast<const int32_t*>(from)});
    else
      targets.push_back({static_cast<const T*>(from), nullptr});
  }
  return targets;
}

template <typename T>
std::vector<RowWeights<T>> Heads<T>::weights(const Dataset& data, int64_t first) const {
  std::vector<RowWeights<T>> weights;
  for (std::size_t h = 0; h < data.weights.size(); ++h)
    weights.push_back(this->weights(h, data.weights[h], row_of(data.weights[h], first, sizeof(T))));
  return weights;
}

template <typename T>
std::vector<int> Heads<T>::measured_tensors() const {
  std::vector<int> tensors = loss_tensors();
  for (const Metric& metric : metrics_) tensors.push_back(metric.tensor);
  for (const ActivityPenalty& penalty : penalties_) tensors.push_back(penalty.tensor);
  for (const Head& head : heads_)
    if (head.mask >= 0) tensors.push_back(head.mask);
  tensors.insert(tensors.end(), handed_.begin(), handed_.end());
  return tensors;
}

template <typename T>
bool Heads<T>::hands(std::size_t output) const {
  return std::count(handed_.begin(), handed_.end(), plan_.graph().shown()[output]) > 0;
}

template <typename T>
std::vector<int> Heads<T>::loss_tensors() const {
  std::vector<int> tensors;
  for (std::size_t h = 0; h < losses_; ++h) tensors.push_back(heads_[h].tensor);
  return tensors;
}

template <typename T>
int64_t Heads<T>::row_count(int64_t samples) const {
  int64_t rows = static_cast<int64_t>(penalties_.size()) * samples;
  for (std::size_t h = 0; h < losses_; ++h)
    rows += heads_[h].overlap ? heads_[h].overlap_count(samples) : heads_[h].rows * samples;
  for (const Metric& metric : metrics_) rows += heads_[metric.head].rows * samples;
  return rows;
}

template class Heads<float>;
template class Heads<double>;

}  // namespace pynn
