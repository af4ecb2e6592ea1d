// The network for one type of numbers. Private to the engine: network.cpp builds, settings.cpp says how it is trained,
// training.cpp and inference.cpp run.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <stdexcept>

#include "../kernels/dispatch.h"
#include "buffer.h"
#include "names.h"
#include "network.h"
#include "op.h"
#include "optimizer.h"
#include "shapes.h"

namespace pynn {

// Multiply-adds that make another member worth its start and its barriers: some 15 us of them.
constexpr double kWorkPerMember = 1e6;

// What is made of a prediction and its targets: the loss, and metrics beside it.
struct Objective {
  struct MetricEntry {
    bool is_loss;  // any loss may serve as a metric
    LossSpec loss;
    MetricSpec metric;
    int64_t columns;
  };

  LossSpec loss{Loss::mean_squared_error, 0};
  int tensor = -1;  // what the loss is computed from
  int64_t columns = 1;
  bool mean = true;
  std::vector<MetricEntry> metrics;  // computed from the output
};

// Elements of a partial sum over a parameter: such sums are shared by the team, and added in order.
constexpr int64_t kSumChunk = 8192;

// A penalty for large elements of a tensor.
struct ActivityPenalty {
  int tensor;
  double l1, l2;
};

// Memory for `capacity` samples on their way through a network.
template <typename T>
struct Workspace {
  int64_t capacity = 0;
  Buffer<T> memory;
  std::vector<T*> values, gradients;  // by tensor number; gradients are null where none is asked for
  std::vector<T*> saved;              // by tensor number
  Buffer<T> targets;
  Buffer<int32_t> labels;
  Buffer<double> rows;    // a value for each row of the loss, or of a metric
  T* shared = nullptr;    // scratch of the team
  std::vector<T*> own;    // scratch of each member
  Buffer<uint32_t> bits;  // of `nonzero`
  Nonzero nonzero{};      // of the samples
};

template <typename T>
class NetworkOf : public Network {
 public:
  explicit NetworkOf(int64_t input_size);

  int add_parameter(int64_t size, bool learned) override;
  int add_dense(int x, int kernel, int bias, int64_t inputs, int64_t units) override;
  int add_conv(int x, int kernel, int bias, const ConvShape& shape, bool transposed) override;
  int add_pool(int x, const std::string& kind, const PoolShape& shape) override;
  int add_noise(int x, const std::string& kind, const std::vector<int64_t>& shape, const std::vector<bool>& sharing,
                double amount, uint64_t seed) override;
  int add_batch_norm(int x, int gamma, int beta, int moving_mean, int moving_variance, int64_t columns, double momentum,
                     double epsilon) override;
  int add_group_norm(int x, int gamma, int beta, int64_t samples, int64_t groups, int64_t columns,
                     double epsilon) override;
  int add_resample(int x, const SparseMap<double>& map) override;
  int add_activation(int x, const std::string& name, double a, double b, double c) override;
  int add_softmax(int x, int64_t outer, int64_t axis, int64_t inner, bool log) override;
  int add_rescaling(int x, const std::vector<double>& scale, const std::vector<double>& offset,
                    const std::vector<double>& mean) override;
  void add_activity_penalty(int x, double l1, double l2) override;
  void build(int output) override;

  bool is_double() const override { return sizeof(T) == sizeof(double); }
  int64_t input_size() const override { return sizes_[0]; }
  int64_t output_size() const override { return sizes_[check_tensor(output_)]; }
  int parameters() const override { return static_cast<int>(parameters_.size()); }
  int64_t parameter_size(int number) const override { return parameters_[check_parameter(number)].size; }
  void* parameter(int number) override { return values_.data() + parameters_[check_parameter(number)].offset; }
  int slots() const override { return slots_used_; }
  void* slot(int slot, int number) override;

  void set_trainable(const std::vector<bool>& trainable) override;
  void set_regularizers(const std::vector<std::pair<double, double>>& factors) override;
  void set_constraints(const std::vector<ConstraintSpec>& constraints) override;
  void set_loss(const std::string& name, int tensor, int64_t columns, double a, bool mean) override;
  void set_metrics(const std::vector<std::tuple<std::string, int64_t, double>>& metrics) override;
  void set_optimizer(const std::string& name, const std::map<std::string, double>& settings) override;
  double learning_rate() const override { return learning_rate_; }
  void set_learning_rate(double value) override { learning_rate_ = value; }
  int64_t iterations() const override { return iterations_; }
  void set_iterations(int64_t value) override;
  int metrics() const override { return static_cast<int>(objective_.metrics.size()); }
  bool loss_takes_labels() const override { return takes_labels(objective_.loss.kind); }
  int64_t loss_rows() const override;

  int64_t steps_done() const override { return steps_done_; }
  bool train(double* totals, int64_t columns, const Samples& x, const Targets& y, const TrainRange& range, int threads,
             const Interrupt& interrupt) override;
  void evaluate(double* totals, int64_t columns, const Samples& x, const Targets& y, int threads,
                const Interrupt& interrupt) override;
  int64_t predict(void* out, const Samples& x, bool check_finite, int threads, const Interrupt& interrupt) override;
  int64_t predict_training(void* out, const Samples& x, bool check_finite, uint64_t step, int threads,
                           const Interrupt& interrupt) override;

 private:
  struct Run;

  // How samples go through the ops, but for training itself.
  struct Mode {
    bool training;
    uint64_t step;
  };

  // Training and changes wait until those who read are done; who would read meanwhile gets Busy.
  std::unique_lock<std::shared_mutex> lock_for_change();
  std::shared_lock<std::shared_mutex> lock_for_reading();
  std::size_t check_tensor(int tensor) const;
  std::size_t check_parameter(int parameter) const;
  void check_objective(int64_t columns, int more) const;  // of a caller's totals, which have so many more columns
  int add(std::unique_ptr<Op<T>> op, int64_t size);
  int64_t rows_of(int x, int64_t columns, const std::vector<int>& parameters) const;
  int next_tensor() const { return static_cast<int>(sizes_.size()); }

  // network.cpp
  std::vector<bool> needs_gradient() const;
  bool zeros_matter() const;
  bool couples_samples() const;
  double work() const;  // multiply-adds per sample, forward
  InputScaling<T> input_scaling() const;
  bool first_parameters_finite() const;
  bool is_unused(int tensor) const { return std::find(unused_.begin(), unused_.end(), tensor) != unused_.end(); }
  void plan(Workspace<T>& space, int64_t capacity, const std::vector<bool>& gradients, int members) const;
  int64_t max_rows() const;  // of a sample, over the loss and the metrics
  void loss_rows(const Team& team, double* rows, T* slope, const T* prediction, const TargetRows<T>& target,
                 int64_t batch, double scale) const;
  void metric_rows(const Team& team, double* rows, const Objective::MetricEntry& metric, const T* prediction,
                   const TargetRows<T>& target, int64_t batch) const;
  void activity_rows(const Team& team, double* rows, const ActivityPenalty& penalty, const T* values,
                     int64_t batch) const;
  double parameter_penalties() const;
  double penalty_of_chunk(const Parameter& parameter, int64_t chunk) const;

  // training.cpp
  void train_member(const Team& team, Run& run, bool team_waits);
  void put_in_order(uint64_t seed, int64_t epoch, int64_t count);
  bool slice(const Team& team, Run& run, const Pass<T>& pass, int64_t batch, int64_t totals_row, double* loss);
  void gather(const Team& team, const Run& run, int64_t begin, int64_t count);
  template <typename Apply>
  void update(const Team& team, Run& run, const Apply& apply);
  template <typename Body>
  void for_my_chunks(const Team& team, const Run& run, const Body& body) const;
  void scale_by_norms(const Team& team, Run& run);
  double largest_gradient(const Parameter* of) const;

  // inference.cpp
  template <typename OnChunk>
  int64_t infer(const Samples& x, T* out, bool check_finite, const Mode& mode, int threads, const Interrupt& interrupt,
                const OnChunk& on_chunk);
  int64_t infer_to(T* to, const Samples& x, bool check_finite, const Mode& mode, int threads,
                   const Interrupt& interrupt);
  int64_t chunk_rows() const;
  Workspace<T> borrow_space(int64_t capacity, int members);
  void give_back(Workspace<T> space);
  void drop_spaces();  // after a change of what they are planned for

  const Kernels<T>& k_ = kernels<T>();
  std::vector<int64_t> sizes_;  // of the tensors
  std::vector<std::unique_ptr<Op<T>>> ops_;
  std::vector<Parameter> parameters_;
  int64_t parameter_elements_ = 0;
  Buffer<T> values_, gradients_;
  std::array<Buffer<T>, max_slots> slots_;
  int slots_used_ = 0;
  int output_ = -1;
  int loaded_ = 0;                                          // the tensor that samples are loaded to
  std::vector<T> input_mean_, input_scale_, input_offset_;  // of samples as they are loaded, where loaded_ is not 0
  std::vector<int> unused_;                                 // tensors that are never made
  std::vector<ActivityPenalty> activity_penalties_;

  Objective objective_;
  OptimizerSettings settings_;
  OptimizerSchedule schedule_;
  std::atomic<double> learning_rate_{0};  // written by other threads while training runs
  std::atomic<int64_t> iterations_{0}, steps_done_{0};

  std::shared_mutex mutex_;  // exclusive: training and changes; shared: evaluation and prediction
  std::atomic<int> changes_waiting_{0};
  Workspace<T> space_;              // of training
  std::vector<Workspace<T>> idle_;  // of inference
  std::mutex idle_mutex_;           // of idle_
  std::vector<int64_t> order_;
  struct {
    uint64_t seed = 0;
    int64_t epoch = -1, count = 0;
  } order_of_;  // which permutation order_ is
};

}  // namespace pynn
