#include "heads.h"

#include <algorithm>

namespace pynn {

template <typename T>
Heads<T>::Heads(const Plan<T>& plan, const std::vector<HeadSetting>& settings)
    : plan_(plan), penalties_(plan.graph().penalties()) {
  if (settings.empty()) refuse("heads", "at least one head", "none");
  for (const HeadSetting& setting : settings) add_head(setting);
}

template <typename T>
void Heads<T>::add_head(const HeadSetting& setting) {
  const std::vector<int>& outputs = plan_.graph().outputs();
  if (setting.output < 0 || setting.output >= static_cast<int>(outputs.size()))
    refuse("heads", "the number of one of " + std::to_string(outputs.size()) + " outputs",
           std::to_string(setting.output));
  const int output = outputs[static_cast<std::size_t>(setting.output)];
  const int64_t size = plan_.size(output);
  if (setting.columns < 1 || size % setting.columns != 0)
    refuse("heads", "columns that divide the size " + std::to_string(size) + " of the output",
           std::to_string(setting.columns));
  Head head{{loss_of(setting.loss), setting.a},
            output,
            size / setting.columns,
            setting.columns,
            setting.mean,
            setting.weight};
  // The loss of the logits is exact where the activation saturates, and faster. A penalty of the output needs a
  // gradient that passes the activation.
  const bool penalized = std::any_of(penalties_.begin(), penalties_.end(),
                                     [&](const ActivityPenalty& penalty) { return penalty.tensor == output; });
  for (const auto& op : plan_.ops()) {
    if (penalized || op->outputs[0] != output) continue;
    const Loss of_input = op->loss_of_input(head.loss.kind, setting.columns);
    if (of_input == Loss::count) continue;
    head.loss.kind = of_input;
    head.tensor = op->inputs[0];
  }
  heads_.push_back(head);
  for (const MetricSetting& metric : setting.metrics) add_metric(metric, heads_.size() - 1, output);
}

template <typename T>
void Heads<T>::add_metric(const MetricSetting& setting, std::size_t head, int output) {
  const int64_t size = plan_.size(output);
  if (setting.columns < 1 || size % setting.columns != 0)
    refuse("metrics", "columns that divide the size " + std::to_string(size) + " of the output",
           std::to_string(setting.columns));
  Metric metric{!is_metric(setting.name), {}, {}, head, output, size / setting.columns, setting.columns};
  if (metric.is_loss)
    metric.loss = {loss_of(setting.name), setting.a};
  else
    metric.metric = {metric_of(setting.name), setting.a};
  const bool labels = metric.is_loss ? pynn::takes_labels(metric.loss.kind) : pynn::takes_labels(metric.metric.kind);
  if (labels != takes_labels(static_cast<int>(head)))
    refuse("metrics", "metrics that take targets as the loss does", "'" + setting.name + "'");
  if (labels && setting.columns != heads_[head].columns)  // there is a label for each row of the loss
    refuse("metrics", std::to_string(heads_[head].columns) + " columns, as the loss has",
           std::to_string(setting.columns));
  metrics_.push_back(metric);
}

template <typename T>
int64_t Heads<T>::target_width(int head) const {
  const Head& of = heads_[static_cast<std::size_t>(head)];
  return takes_labels(head) ? of.rows : of.rows * of.columns;
}

template <typename T>
std::vector<int> Heads<T>::measured_tensors() const {
  std::vector<int> tensors = loss_tensors();
  for (const Metric& metric : metrics_) tensors.push_back(metric.tensor);
  for (const ActivityPenalty& penalty : penalties_) tensors.push_back(penalty.tensor);
  return tensors;
}

template <typename T>
std::vector<int> Heads<T>::loss_tensors() const {
  std::vector<int> tensors;
  for (const Head& head : heads_) tensors.push_back(head.tensor);
  return tensors;
}

template <typename T>
int64_t Heads<T>::row_count(int64_t samples) const {
  int64_t rows = static_cast<int64_t>(penalties_.size());
  for (const Head& head : heads_) rows += head.rows;
  for (const Metric& metric : metrics_) rows += metric.rows;
  return rows * samples;
}

// That of a row in the loss of a batch.
template <typename T>
double Heads<T>::scale(const Head& head, int64_t of_batch) const {
  return head.mean ? 1 / static_cast<double>(of_batch * head.rows) : 1;
}

template <typename T>
void Heads<T>::measure(const Team& team, double* rows, const std::vector<T*>& values, const std::vector<T*>& slopes,
                       const std::vector<TargetRows<T>>& targets, int64_t samples, int64_t of_batch) const {
  const Kernels<T>& k = plan_.kernels();
  const auto value = [&](int tensor) { return values[static_cast<std::size_t>(tensor)]; };
  for (std::size_t h = 0; h < heads_.size(); ++h) {
    const Head& head = heads_[h];
    k.loss(team, rows, slopes.empty() ? nullptr : slopes[h], value(head.tensor), targets[h], samples * head.rows,
           head.columns, head.loss, head.weight * scale(head, of_batch));
    rows += samples * head.rows;
  }
  for (const Metric& metric : metrics_) {
    const int64_t count = samples * metric.rows;
    if (metric.is_loss)
      k.loss(team, rows, nullptr, value(metric.tensor), targets[metric.head], count, metric.columns, metric.loss, 1);
    else
      k.metric(team, rows, value(metric.tensor), targets[metric.head], count, metric.columns, metric.metric);
    rows += count;
  }
  for (const ActivityPenalty& penalty : penalties_) {
    const int64_t size = plan_.size(penalty.tensor);
    const Range mine = team.share(samples);
    for (int64_t i = mine.begin; i < mine.end; ++i)
      rows[i] = k.penalty(value(penalty.tensor) + i * size, size, penalty.l1, penalty.l2);
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
  for (const Head& head : heads_) add(samples * head.rows);
  for (const Metric& metric : metrics_) add(samples * metric.rows);
  for (std::size_t i = 0; i < penalties_.size(); ++i) add(samples);
}

template <typename T>
double Heads<T>::head_loss(std::size_t head, const double* sums, int64_t of_batch) const {
  return sums[head] * scale(heads_[head], of_batch);
}

template <typename T>
double Heads<T>::loss(const double* sums, int64_t of_batch) const {
  double loss = 0, penalty = 0;
  for (std::size_t h = 0; h < heads_.size(); ++h) loss += heads_[h].weight * head_loss(h, sums, of_batch);
  for (std::size_t p = 0; p < penalties_.size(); ++p) penalty += penalty_sums(sums)[p];
  return loss + penalty / static_cast<double>(of_batch);
}

template <typename T>
void Heads<T>::add_totals(double* totals, const double* sums) const {
  double* to = totals;
  if (count() == 1) {
    *to++ += sums[0];
  } else {
    double loss = 0;
    for (std::size_t h = 0; h < heads_.size(); ++h)
      loss += heads_[h].weight * sums[h] / (heads_[h].mean ? static_cast<double>(heads_[h].rows) : 1);
    *to++ += loss;
    for (std::size_t h = 0; h < heads_.size(); ++h) *to++ += sums[h];
  }
  for (std::size_t m = 0; m < metrics_.size(); ++m) *to++ += metric_sums(sums)[m];
  for (std::size_t p = 0; p < penalties_.size(); ++p) *to += penalty_sums(sums)[p];
}

template class Heads<float>;
template class Heads<double>;

}  // namespace pynn
