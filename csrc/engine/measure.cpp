// What heads make of a batch: what its rows count for, losses with their gradients, metrics, penalties of tensors.
#include <algorithm>
#include <numeric>

#include "heads.h"

namespace pynn {

template <typename T>
void Heads<T>::count_rows(std::vector<RowSums>& batch, const Dataset& data, const Selection& selection) const {
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
void Heads<T>::count_masked_rows(std::vector<RowSums>& batch, const std::vector<T*>& values,
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
void Heads<T>::add_up_masked_rows(std::vector<RowSums>& batch, const std::vector<std::vector<RowSums>>& parts) const {
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

#define PYNN_INSTANTIATE(T)                                                                                          \
  template void Heads<T>::count_rows(std::vector<RowSums>&, const Dataset&, const Selection&) const;                 \
  template void Heads<T>::count_masked_rows(std::vector<RowSums>&, const std::vector<T*>&,                           \
                                            const std::vector<RowWeights<T>>&, int64_t) const;                       \
  template void Heads<T>::add_up_masked_rows(std::vector<RowSums>&, const std::vector<std::vector<RowSums>>&) const; \
  template void Heads<T>::measure(const Team&, double*, const std::vector<T*>&, const std::vector<T*>&,              \
                                  const std::vector<TargetRows<T>>&, const std::vector<RowWeights<T>>&, int64_t,     \
                                  const std::vector<RowSums>&) const;                                                \
  template void Heads<T>::add_up(double*, const double*, int64_t) const;                                             \
  template double Heads<T>::loss(const double*, const std::vector<RowSums>&, int64_t) const;                         \
  template double Heads<T>::part_of_loss(std::size_t, const double*, const std::vector<RowSums>&, double) const;     \
  template void Heads<T>::add_metrics(double*, const double*) const;                                                 \
  template void Heads<T>::add_metric_weights(double*, const std::vector<RowSums>&) const;                            \
  template void Heads<T>::add_totals(double*, const double*, const std::vector<RowSums>&, int64_t) const;
PYNN_INSTANTIATE(float)
PYNN_INSTANTIATE(double)

}  // namespace pynn
