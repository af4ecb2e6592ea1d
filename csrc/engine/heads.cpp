#include "heads.h"

#include <algorithm>
#include <numeric>

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

template <typename T>
void Heads<T>::weigh(std::vector<RowSums>& batch, const Dataset& data, const Selection& selection) const {
  batch.clear();
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    const auto rows = static_cast<double>(selection.count * heads_[h].rows);
    batch.push_back({rows, rows});
    if (data.weights.empty() || data.weights[h].data == nullptr) continue;
    const Column& column = data.weights[h];
    int64_t kept = 0;
    double sum = 0;
    for (int64_t i = 0; i < selection.count; ++i) {
      const int64_t row = selection.order == nullptr ? selection.first + i : selection.order[i];
      const T* weights = static_cast<const T*>(row_of(column, row, sizeof(T)));
      for (int64_t j = 0; j < column.width; ++j) {
        if (weights[j] < 0) continue;
        ++kept;
        sum += static_cast<double>(weights[j]);
      }
    }
    const auto each = static_cast<double>(heads_[h].rows / column.width);
    batch.back() = {each * static_cast<double>(kept), each * sum, true};
  }
}

template <typename T>
RowWeights<T> Heads<T>::row_weights(std::size_t head, const std::vector<T*>& values,
                                    const std::vector<RowWeights<T>>& weights) const {
  RowWeights<T> of_rows = weights.empty() ? RowWeights<T>{nullptr, 1} : weights[head];
  if (heads_[head].mask < 0) return of_rows;
  of_rows.mask = values[static_cast<std::size_t>(heads_[head].mask)];
  of_rows.mask_each = heads_[head].mask_each;
  return of_rows;
}

template <typename T>
void Heads<T>::weigh_masked(std::vector<RowSums>& batch, const std::vector<T*>& values,
                            const std::vector<RowWeights<T>>& weights, int64_t samples) const {
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    if (heads_[h].mask < 0) continue;
    const RowWeights<T> of_rows = row_weights(h, values, weights);
    double kept = 0, sum = 0;
    for (int64_t row = 0; row < samples * heads_[h].rows; ++row) {
      const T weight = of_rows.of(row);
      if (weight < 0) continue;
      ++kept;
      sum += static_cast<double>(weight);
    }
    batch[h] = {kept, sum, true};
  }
}

template <typename T>
void Heads<T>::add_up_masked(std::vector<RowSums>& batch, const std::vector<std::vector<RowSums>>& parts) const {
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    if (heads_[h].mask < 0) continue;
    batch[h] = {0, 0, true};
    for (const auto& part : parts) {
      batch[h].rows += part[h].rows;
      batch[h].weights += part[h].weights;
    }
  }
}

// What the loss of a row is multiplied by in that of its batch, and so many times that.
template <typename T>
double Heads<T>::scale(std::size_t head, const std::vector<RowSums>& batch, double times) const {
  const Head& of = heads_[head];
  const RowSums& sums = batch[head];
  const auto rows = static_cast<double>(of.rows);
  double groups = rows;  // values of the loss that a sample has, or the batch
  if (of.overlap) groups = static_cast<double>(of.overlap->axes.groups);
  if (of.overlap && of.overlap->of_batch) {
    // The weights of samples are for the loss of all of them, each in turn.
    if (of.reduction == Reduction::sum) return sums.weighted ? times * sums.weights / rows : times;
    const double divisor = of.reduction == Reduction::mean ? sums.rows : sums.weights;
    return divisor == 0 ? 0 : times * sums.weights / (divisor * groups);
  }
  if (of.reduction == Reduction::sum) return times;
  double divisor = of.reduction == Reduction::mean ? sums.rows : sums.weights;
  if (of.overlap) divisor *= groups / rows;
  return divisor == 0 ? 0 : times / divisor;
}

// Has a barrier inside where the loss is one of the batch.
template <typename T>
void Heads<T>::measure_overlaps(const Team& team, double* rows, const T* pred, T* slope, const TargetRows<T>& target,
                                const RowWeights<T>& weights, int64_t samples, const Head& head, double scale) const {
  const Kernels<T>& k = plan_.kernels();
  const OverlapSpec& spec = *head.overlap;
  const int64_t groups = spec.axes.groups;
  if (!spec.of_batch) {
    double* const sums = rows + samples;
    k.overlap_sums(team, sums, pred, target.values, samples, spec.axes);
    k.overlap_of_samples(team, rows, sums, weights, head.rows, samples, spec, scale);
    if (slope != nullptr) k.overlap_slopes(team, slope, target.values, sums, 3 * groups, samples, spec.axes);
    return;
  }
  double *const factors = rows + 3 * groups, *const sums = factors + 2 * groups;
  k.overlap_sums(team, sums, pred, target.values, samples, spec.axes);
  team.barrier();
  k.overlap_of_batch(team, rows, factors, sums, samples, spec, scale);
  team.barrier();
  if (slope != nullptr) k.overlap_slopes(team, slope, target.values, factors, 0, samples, spec.axes);
}

template <typename T>
void Heads<T>::measure(const Team& team, double* rows, const std::vector<T*>& values, const std::vector<T*>& slopes,
                       const std::vector<TargetRows<T>>& targets, const std::vector<RowWeights<T>>& weights,
                       int64_t samples, const std::vector<RowSums>& batch) const {
  const Kernels<T>& k = plan_.kernels();
  const auto value = [&](int tensor) { return values[static_cast<std::size_t>(tensor)]; };
  const auto weigh = [&](std::size_t h, T* slope, bool masks_only) {
    const RowWeights<T> of_rows = row_weights(h, values, weights);
    if (of_rows.values == nullptr && of_rows.mask == nullptr) return;
    k.weigh(team, rows, slope, of_rows, samples * heads_[h].rows, heads_[h].columns, masks_only);
  };
  for (std::size_t h = 0; h < losses_; ++h) {
    const Head& head = heads_[h];
    T* slope = slopes.empty() ? nullptr : slopes[h];
    if (head.overlap) {
      measure_overlaps(team, rows, value(head.tensor), slope, targets[h], row_weights(h, values, weights), samples,
                       head, head.weight * scale(h, batch));
      rows += head.overlap_count(samples);
      continue;
    }
    k.loss(team, rows, slope, value(head.tensor), targets[h], samples * head.rows, head.columns, head.loss,
           head.weight * scale(h, batch));
    weigh(h, slope, false);
    rows += samples * head.rows;
  }
  for (const Metric& metric : metrics_) {
    const int64_t count = samples * heads_[metric.head].rows, columns = heads_[metric.head].columns;
    if (metric.is_loss)
      k.loss(team, rows, nullptr, value(metric.tensor), targets[metric.head], count, columns, metric.loss, 1);
    else
      k.metric(team, rows, value(metric.tensor), targets[metric.head], count, columns, metric.metric);
    weigh(metric.head, nullptr, !metric.weighted);
    rows += count;
  }
  for (const ActivityPenalty& penalty : penalties_) {
    const int64_t size = plan_.size(penalty.tensor);
    const Range mine = team.share(samples);
    for (int64_t i = mine.begin; i < mine.end; ++i)
      rows[i] = k.penalty(value(penalty.tensor) + i * size, size, penalty.penalty);
    rows += samples;
  }
}

// Every member adds the rows up for itself, so that all come to the same decisions without waiting.
template <typename T>
void Heads<T>::add_up(double* sums, const double* rows, int64_t samples) const {
  const auto add = [&](int64_t count) {
    double sum = 0;
    for (int64_t i = 0; i < count; ++i) sum += rows[i];
    rows += count;
    *sums++ = sum;
  };
  for (std::size_t h = 0; h < losses_; ++h) {
    const Head& head = heads_[h];
    if (!head.overlap) {
      add(samples * head.rows);
      continue;
    }
    if (head.overlap->of_batch)
      sums = std::copy_n(rows, head.parts(), sums);
    else
      *sums++ = std::accumulate(rows, rows + samples, 0.0);
    rows += head.overlap_count(samples);
  }
  for (const Metric& metric : metrics_) add(samples * heads_[metric.head].rows);
  for (std::size_t i = 0; i < penalties_.size(); ++i) add(samples);
}

template <typename T>
const double* Heads<T>::loss_sums(std::size_t head, const double* sums) const {
  for (std::size_t h = 0; h < head; ++h) sums += heads_[h].parts();
  return sums;
}

template <typename T>
double Heads<T>::part_of_loss(std::size_t head, const double* sums, const std::vector<RowSums>& batch,
                              double times) const {
  const Head& of = heads_[head];
  const double* own = loss_sums(head, sums);
  const double value = of.overlap && of.overlap->of_batch ? plan_.kernels().overlap_value(own, *of.overlap) : *own;
  return value * scale(head, batch, times);
}

template <typename T>
double Heads<T>::loss(const double* sums, const std::vector<RowSums>& batch, int64_t samples) const {
  double loss = 0, penalty = 0;
  for (std::size_t h = 0; h < losses_; ++h) loss += heads_[h].weight * part_of_loss(h, sums, batch);
  for (std::size_t p = 0; p < penalties_.size(); ++p) penalty += penalty_sums(sums)[p];
  return loss + penalty / static_cast<double>(samples);
}

template <typename T>
void Heads<T>::add_metrics(double* totals, const double* sums) const {
  for (std::size_t m = 0; m < metrics_.size(); ++m)
    totals[loss_columns() + 2 * static_cast<int64_t>(m)] += metric_sums(sums)[m];
}

template <typename T>
void Heads<T>::add_metric_weights(double* totals, const std::vector<RowSums>& batch) const {
  for (std::size_t m = 0; m < metrics_.size(); ++m) {
    const RowSums& rows = batch[metrics_[m].head];
    totals[loss_columns() + 2 * static_cast<int64_t>(m) + 1] += metrics_[m].weighted ? rows.weights : rows.rows;
  }
}

template <typename T>
void Heads<T>::add_totals(double* totals, const double* sums, const std::vector<RowSums>& batch,
                          int64_t samples) const {
  const auto times = static_cast<double>(samples);
  for (std::size_t h = 0; h < losses_; ++h) {
    const double loss = part_of_loss(h, sums, batch, times);
    totals[0] += heads_[h].weight * loss;
    if (losses_ > 1) totals[1 + h] += loss;
  }
  for (std::size_t p = 0; p < penalties_.size(); ++p) totals[0] += penalty_sums(sums)[p];
  add_metrics(totals, sums);
  add_metric_weights(totals, batch);
}

template class Heads<float>;
template class Heads<double>;

}  // namespace pynn
