// What is made of the outputs and their targets: losses, metrics beside them, and penalties of tensors.
#pragma once

#include <string>
#include <vector>

#include "names.h"
#include "plan.h"

namespace pynn {

// Any loss may serve as a metric.
struct MetricSetting {
  std::string name;
  int64_t columns;  // of a row
  double a;
};

// One loss of a network.
struct HeadSetting {
  int output;  // number of the output of the graph
  std::string loss;
  int64_t columns;
  double a;
  bool mean;      // over the rows of a batch; otherwise their sum
  double weight;  // of this loss in that of the network
  std::vector<MetricSetting> metrics;
};

// What is measured of a batch, in rows of doubles: a sum of them for each part, in the order losses, metrics,
// penalties.
template <typename T>
class Heads {
 public:
  // Throws std::invalid_argument for a name that is not known, and for what does not fit.
  Heads(const Plan<T>& plan, const std::vector<HeadSetting>& settings);

  int count() const { return static_cast<int>(heads_.size()); }
  // Columns of totals: the loss, that of each head where there are several, the metrics.
  int64_t columns() const { return 1 + (count() > 1 ? count() : 0) + static_cast<int64_t>(metrics_.size()); }
  // Of a sample's targets for a head: labels, or numbers.
  bool takes_labels(int head) const { return pynn::takes_labels(heads_[static_cast<std::size_t>(head)].loss.kind); }
  int64_t target_width(int head) const;
  // Labels are 0..classes-1.
  int64_t classes(int head) const { return heads_[static_cast<std::size_t>(head)].columns; }

  // Tensors that must be made, and those of them whose gradient measure() writes: one for each head.
  std::vector<int> measured_tensors() const;
  std::vector<int> loss_tensors() const;

  // Doubles that measure() writes for so many samples, and numbers that add_up() gives.
  int64_t row_count(int64_t samples) const;
  std::size_t parts() const { return heads_.size() + metrics_.size() + penalties_.size(); }

  // Measures this member's share of the rows of all parts. slopes, for training: where the gradient of each head's
  // tensor goes, null for none. These samples are some of a batch of `of_batch`, whose loss the gradient is of. A
  // barrier must follow before add_up.
  void measure(const Team& team, double* rows, const std::vector<T*>& values, const std::vector<T*>& slopes,
               const std::vector<TargetRows<T>>& targets, int64_t samples, int64_t of_batch) const;
  void add_up(double* sums, const double* rows, int64_t samples) const;

  // What these sums add to the loss of a batch, and the loss of one head alone.
  double loss(const double* sums, int64_t of_batch) const;
  double head_loss(std::size_t head, const double* sums, int64_t of_batch) const;
  const double* metric_sums(const double* sums) const { return sums + heads_.size(); }
  const double* penalty_sums(const double* sums) const { return metric_sums(sums) + metrics_.size(); }
  std::size_t metric_count() const { return metrics_.size(); }
  // For evaluation: sums over samples, from which the caller makes means. Adds a row of totals and the penalties.
  void add_totals(double* totals, const double* sums) const;

 private:
  struct Head {
    LossSpec loss;
    int tensor;    // what the loss is computed from: the output, or what goes into its activation
    int64_t rows;  // of a sample
    int64_t columns;
    bool mean;
    double weight;
  };
  struct Metric {
    bool is_loss;
    LossSpec loss;
    MetricSpec metric;
    std::size_t head;
    int tensor;
    int64_t rows, columns;
  };

  void add_head(const HeadSetting& setting);
  void add_metric(const MetricSetting& setting, std::size_t head, int output);
  double scale(const Head& head, int64_t of_batch) const;

  const Plan<T>& plan_;
  std::vector<Head> heads_;
  std::vector<Metric> metrics_;
  std::vector<ActivityPenalty> penalties_;
};

}  // namespace pynn
