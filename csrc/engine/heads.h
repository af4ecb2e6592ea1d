// What is made of the outputs and their targets: losses, metrics beside them, and penalties of tensors. heads.cpp says
// what they are, measure.cpp makes them of a batch.
#pragma once

#include <list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataset.h"
#include "names.h"
#include "plan.h"

namespace pynn {

// Any loss may serve as a metric. It has the rows of the loss beside it.
struct MetricSetting {
  std::string name;
  double a;
  bool weighted = false;  // whether the weights of rows count; those that are masked never do
  double b = 0, c = 0;    // of a loss: see LossSpec
  std::vector<double> by_class{};
};

// The axes that a loss of overlaps sums over: that of the samples or not, and which of a sample's (size, summed).
struct SummedAxes {
  bool samples = false;
  std::vector<std::pair<int64_t, bool>> of_sample{};
};

// One loss of a network, and what is measured beside it.
struct HeadSetting {
  int output;        // number of the output of the graph
  std::string loss;  // empty: none, there are metrics only. Such heads come behind those that have one
  int64_t columns;
  double a;
  std::string reduction;
  double weight;  // of this loss in that of the network
  std::vector<MetricSetting> metrics;
  double b = 0, c = 0;  // with a, the settings of the loss: see LossSpec, or alpha, beta, epsilon of OverlapSpec
  std::vector<double> by_class{};
  std::optional<SummedAxes> axes{};  // of the loss "tversky", which is one of overlaps, and of no other
};

// What the rows of a batch count for together.
struct RowSums {
  double rows;  // how many are not masked
  double weights;
  bool weighted = false;  // whether any have weights
};

// What the penalty of a parameter is multiplied by in the loss of a batch; the rows are those of the first loss.
inline double penalty_share(const Parameter& p, const std::vector<RowSums>& batch) {
  if (!p.by_rows) return 1;
  return batch[0].weights > 0 ? 1 / batch[0].weights : 0;
}

// What is measured of a batch, in rows of doubles: a sum of them for each part, in the order losses, metrics,
// penalties. A loss of the overlaps in a batch has the sums that it is made of as its parts.
template <typename T>
class Heads {
 public:
  // `handed`: the outputs that training hands to whoever measures outside. Throws std::invalid_argument for a name that
  // is not known, and for what does not fit.
  Heads(const Plan<T>& plan, const std::vector<HeadSetting>& settings, const std::vector<int>& handed = {});
  Heads(const Heads&) = delete;  // specs of losses point into it
  Heads& operator=(const Heads&) = delete;

  int count() const { return static_cast<int>(heads_.size()); }
  std::size_t losses() const { return losses_; }
  // Columns of totals: the loss, the parts of it where there are several, and for each metric the sum of the rows'
  // values and what to divide it by. A loss is that of a batch times its samples.
  int64_t columns() const { return loss_columns() + 2 * static_cast<int64_t>(metrics_.size()); }
  int64_t loss_columns() const { return 1 + (losses_ > 1 ? static_cast<int64_t>(losses_) : 0); }
  // Of a sample's targets for a head: labels, or numbers.
  bool takes_labels(int head) const { return heads_[static_cast<std::size_t>(head)].labels; }
  int64_t target_width(int head) const;
  int64_t rows(int head) const { return heads_[static_cast<std::size_t>(head)].rows; }  // of a sample
  // Rows of a column of weights that lie at `from`; none where the column has no data.
  RowWeights<T> weights(std::size_t head, const Column& column, const void* from) const {
    return {column.data == nullptr ? nullptr : static_cast<const T*>(from), heads_[head].rows / column.width};
  }
  // Those of the samples of `data` from `first` on, where they lie: by head.
  std::vector<TargetRows<T>> targets(const Dataset& data, int64_t first) const;
  std::vector<RowWeights<T>> weights(const Dataset& data, int64_t first) const;
  // Whether each row may have a weight of its own, rather than each sample.
  bool takes_row_weights(int head) const;
  // Labels are 0..classes-1.
  int64_t classes(int head) const { return heads_[static_cast<std::size_t>(head)].columns; }

  // Tensors that must be made, and those of them whose gradient measure() writes: one for each loss.
  std::vector<int> measured_tensors() const;
  std::vector<int> loss_tensors() const;
  // Whether a loss needs all samples of a batch at once.
  bool couples_samples() const;
  // Whether training makes what the graph shows, an output or a mask, so that it may be handed over.
  bool hands(std::size_t output) const;

  // Doubles that measure() writes for so many samples, and numbers that add_up() gives.
  int64_t row_count(int64_t samples) const;
  std::size_t parts() const { return loss_parts_ + metrics_.size() + penalties_.size(); }

  // Adds up what the rows of a batch count for, by head. What masks leave out is known once the samples have gone
  // forwards: count_masked_rows then does it again for the heads that have one.
  void count_rows(std::vector<RowSums>& batch, const Dataset& data, const Selection& selection) const;
  void count_masked_rows(std::vector<RowSums>& batch, const std::vector<T*>& values,
                         const std::vector<RowWeights<T>>& weights, int64_t samples) const;
  // Of a batch whose parts were counted.
  void add_up_masked_rows(std::vector<RowSums>& batch, const std::vector<std::vector<RowSums>>& parts) const;
  // Whether any head has a mask.
  bool masked() const;

  // Measures this member's share of the rows of all parts. slopes, for training: where the gradient of each loss's
  // tensor goes, null for none. weights: by head, values null for none; empty: none at all. These samples are some of
  // a batch, whose loss the gradient is of. A barrier must follow before add_up.
  void measure(const Team& team, double* rows, const std::vector<T*>& values, const std::vector<T*>& slopes,
               const std::vector<TargetRows<T>>& targets, const std::vector<RowWeights<T>>& weights, int64_t samples,
               const std::vector<RowSums>& batch) const;
  void add_up(double* sums, const double* rows, int64_t samples) const;

  // What these sums add to the loss of a batch of so many samples, and one part of it alone, without its weight.
  double loss(const double* sums, const std::vector<RowSums>& batch, int64_t samples) const;
  double part_of_loss(std::size_t head, const double* sums, const std::vector<RowSums>& batch, double times = 1) const;
  // Adds to the columns of the metrics: what these sums add, and what all rows of the batch count for.
  void add_metrics(double* totals, const double* sums) const;
  void add_metric_weights(double* totals, const std::vector<RowSums>& batch) const;
  // For evaluation: adds a row of totals for one batch.
  void add_totals(double* totals, const double* sums, const std::vector<RowSums>& batch, int64_t samples) const;

 private:
  struct Head {
    LossSpec loss;
    int tensor;    // what the loss is computed from: the output, or what goes into its activation
    int64_t rows;  // of a sample
    int64_t columns;
    Reduction reduction;
    double weight;
    bool labels;
    std::optional<OverlapSpec> overlap;  // in place of the loss
    int mask = -1;                       // the tensor that leaves steps out, or -1
    int64_t mask_each = 1;               // rows of a step

    // Whether the loss has a value for each row, which may have a weight of its own, or be masked.
    bool has_values_of_rows() const;
    // Of the parts of the loss, and of what is measured of a sample for them.
    int64_t parts() const { return overlap && overlap->of_batch ? 3 * overlap->axes.groups : 1; }
    int64_t overlap_count(int64_t samples) const {
      const int64_t groups = overlap->axes.groups;
      return (overlap->of_batch ? 5 * groups : samples) + samples * 3 * groups;
    }
  };
  struct Metric {
    bool is_loss;
    LossSpec loss;
    MetricSpec metric;
    std::size_t head;
    int tensor;
    bool weighted;
  };

  int output_tensor(int output) const;
  void add_head(const HeadSetting& setting);
  void find_logits(Head& head) const;
  void take_mask(Head& head, int output) const;
  RowWeights<T> row_weights(std::size_t head, const std::vector<T*>& values,
                            const std::vector<RowWeights<T>>& weights) const;
  void add_metric(const MetricSetting& setting, std::size_t head, int output);
  const double* keep(const std::vector<double>& by_class, Loss kind, int64_t columns);
  void measure_overlaps(const Team& team, double* rows, const T* pred, T* slope, const TargetRows<T>& target,
                        const RowWeights<T>& weights, int64_t samples, const Head& head, double scale) const;
  double scale(std::size_t head, const std::vector<RowSums>& batch, double times = 1) const;
  const double* loss_sums(std::size_t head, const double* sums) const;
  const double* metric_sums(const double* sums) const { return sums + loss_parts_; }
  const double* penalty_sums(const double* sums) const { return metric_sums(sums) + metrics_.size(); }

  const Plan<T>& plan_;
  std::vector<Head> heads_;
  std::size_t losses_ = 0;  // of the first heads
  std::size_t loss_parts_ = 0;
  std::vector<Metric> metrics_;
  std::vector<ActivityPenalty> penalties_;
  std::list<std::vector<double>> by_class_;  // of all losses and metrics that have it
  std::vector<int> handed_;                  // tensors
};

}  // namespace pynn
